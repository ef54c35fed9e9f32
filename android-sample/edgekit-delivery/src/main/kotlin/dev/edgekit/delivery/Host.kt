package dev.edgekit.delivery

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.net.HttpURLConnection
import java.net.MalformedURLException
import java.net.URL
import java.security.MessageDigest
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch

private const val BLOCK_BYTES = 1 shl 16
private const val STEP_BYTES = 1L shl 20
private const val CONNECT_MILLIS = 15_000
private const val MOST_REDIRECTIONS = 5
private val REDIRECTIONS = setOf(301, 302, 303, 307, 308)
private const val UNSATISFIABLE = 416
private const val TOO_MANY = 429
private const val SERVERS_FAULT = 500
private val RANGE = Regex("bytes (\\d+)-\\d+/(\\d+|\\*)")

/** The way to a host. */
internal interface Network {
    /** Throws [DeliveryFailure.Offline], and [DeliveryFailure.Metered] for [large] things over a network that costs by the byte. */
    fun connect(url: URL, large: Boolean): HttpURLConnection
}

/**
 * A static host, which is believed nothing: not what it sends, not how much, not that it can send a part.
 *
 * @param patience with a host that sends nothing; also how long a cancelled fetch may go on where closing a connection waits
 * @param attempts for each file, when the host breaks off or is overloaded, with [pause] between them, doubled each time
 */
internal class Host(
    address: String,
    private val network: Network,
    private val attempts: Int,
    private val pause: Duration,
    private val patience: Duration = 20.seconds,
) {
    private val base = try {
        URL(address.removeSuffix(INDEX).trimEnd('/') + "/")
    } catch (error: MalformedURLException) {
        throw IllegalArgumentException("$address is no address of a host", error)
    }

    init {
        require(base.protocol == "https" || base.protocol == "http") { "$address is no address of HTTP" }
    }

    suspend fun index(): ByteArray = retrying {
        asked(INDEX, large = false, emptyMap()) { connection, status ->
            if (status != HttpURLConnection.HTTP_OK) throw Passing(DeliveryFailure.NotServed(INDEX, status), isPassing(status))
            val content = connection.inputStream.use { readMost(it, MOST_INDEX_BYTES) }
            if (content.size > MOST_INDEX_BYTES) throw DeliveryFailure.WrongLength(INDEX, MOST_INDEX_BYTES.toLong(), "too many")
            if (content.size < connection.contentLengthLong) throw brokeOff(INDEX, content.size.toLong())
            content
        }
    }

    /** Fetches what is missing of a file into its part, and checks it. [progress] is told how many of its bytes are there. */
    suspend fun fetch(file: DeliveredFile, store: Store, progress: suspend (Long) -> Unit) {
        var left = attempts
        while (true) {
            val isOfOnePiece = retrying { fetchOnce(file, store, progress) }
            val found = storing(store.disk) { digestOf(store.part(file)) }
            if (found == file.sha256) return
            storing(store.disk) { discard(file, store) }
            // The file may have changed between two pieces.
            if (isOfOnePiece || --left <= 0) throw DeliveryFailure.WrongDigest(file.path, found)
        }
    }

    /** Fetches the rest of a file; returns whether that is all of it. */
    private suspend fun fetchOnce(file: DeliveredFile, store: Store, progress: suspend (Long) -> Unit): Boolean {
        val part = store.part(file)
        if (part.length() > file.size) storing(store.disk) { discard(file, store) }
        val have = part.length()
        if (have == file.size && part.isFile) return false
        val etag = store.etag(file).takeIf { it.isFile }?.readText()
        val headers = if (have == 0L) emptyMap() else listOfNotNull("Range" to "bytes=$have-", etag?.let { "If-Range" to it }).toMap()
        return asked("$FILES/${file.sha256}", large = true, headers) { connection, status ->
            val start = start(connection, status, have, file, store)
            val announced = connection.contentLengthLong
            if (announced >= 0 && announced != file.size - start) {
                storing(store.disk) { discard(file, store) }
                throw DeliveryFailure.WrongLength(file.path, file.size, "${start + announced}")
            }
            storing(store.disk) { store.disk.open(part, start) }.use { writing ->
                if (start == 0L) remember(connection, file, store)
                connection.inputStream.use { copy(it, writing, file, start, store, progress) }
            }
            start == 0L
        }
    }

    /** From which byte on the host sends. */
    private fun start(connection: HttpURLConnection, status: Int, have: Long, file: DeliveredFile, store: Store): Long = when {
        status == HttpURLConnection.HTTP_OK -> 0L
        status == HttpURLConnection.HTTP_PARTIAL && have > 0 -> {
            val range = RANGE.matchEntire(connection.getHeaderField("Content-Range").orEmpty())?.destructured
            val isThis = range?.let { (from, all) -> from.toLongOrNull() == have && all in listOf("*", "${file.size}") }
            if (isThis != true) {
                storing(store.disk) { discard(file, store) }
                throw Passing(DeliveryFailure.WrongLength(file.path, file.size, "another part"), isPassing = true)
            }
            have
        }
        else -> {
            if (status == UNSATISFIABLE) storing(store.disk) { discard(file, store) }
            throw Passing(DeliveryFailure.NotServed(file.path, status), isPassing(status) || status == UNSATISFIABLE && have > 0)
        }
    }

    /** By a strong name of the host's it can tell whether a part of this very content is meant (RFC 9110, 13.1.5). */
    private fun remember(connection: HttpURLConnection, file: DeliveredFile, store: Store) = storing(store.disk) {
        val etag = connection.getHeaderField("ETag")?.takeIf { it.startsWith('"') }
        if (etag == null) store.disk.delete(store.etag(file)) else store.disk.writeWhole(store.etag(file), etag.encodeToByteArray())
    }

    private suspend fun copy(
        from: InputStream,
        to: FileOutputStream,
        file: DeliveredFile,
        start: Long,
        store: Store,
        progress: suspend (Long) -> Unit,
    ) {
        var done = start
        val block = ByteArray(BLOCK_BYTES)
        while (true) {
            currentCoroutineContext().ensureActive()
            val count = from.read(block)
            if (count < 0) break
            if (done + count > file.size) {
                storing(store.disk) { discard(file, store) }
                throw DeliveryFailure.WrongLength(file.path, file.size, "more")
            }
            storing(store.disk) { store.disk.write(to, block, count) }
            val reported = done / STEP_BYTES
            done += count
            if (done / STEP_BYTES > reported) progress(done)
        }
        storing(store.disk) { store.disk.sync(to) }
        progress(done)
        if (done < file.size) throw brokeOff(file.path, done)
    }

    private fun discard(file: DeliveredFile, store: Store) {
        store.disk.delete(store.part(file))
        store.disk.delete(store.etag(file))
    }

    /** Asks for a file, wherever the host sends; cancelling closes the connection. */
    private suspend fun <T> asked(
        path: String,
        large: Boolean,
        headers: Map<String, String>,
        read: suspend (HttpURLConnection, Int) -> T,
    ): T {
        var url = URL(base, path)
        repeat(MOST_REDIRECTIONS + 1) {
            val connection = network.connect(url, large)
            try {
                return coroutineScope {
                    val closing = launch(start = CoroutineStart.UNDISPATCHED) {
                        try {
                            awaitCancellation()
                        } finally {
                            connection.disconnect()
                        }
                    }
                    try {
                        val status = connection.asked(headers)
                        if (status in REDIRECTIONS) throw Elsewhere(connection.target(url))
                        val encoding = connection.getHeaderField("Content-Encoding") ?: "identity"
                        if (encoding != "identity") throw DeliveryFailure.WrongLength(path, 0, "bytes in $encoding")
                        read(connection, status)
                    } finally {
                        closing.cancel()
                    }
                }
            } catch (elsewhere: Elsewhere) {
                url = elsewhere.url
            }
        }
        throw DeliveryFailure.Redirected("$base leads on and on")
    }

    private fun HttpURLConnection.asked(headers: Map<String, String>): Int {
        instanceFollowRedirects = false
        connectTimeout = CONNECT_MILLIS
        readTimeout = patience.inWholeMilliseconds.toInt()
        useCaches = false
        setRequestProperty("Accept-Encoding", "identity")
        setRequestProperty("Cache-Control", "no-cache")
        headers.forEach(::setRequestProperty)
        return responseCode.also { if (it < 0) throw IOException("what answers is no HTTP") }
    }

    private fun HttpURLConnection.target(from: URL): URL {
        val url = try {
            URL(from, getHeaderField("Location").orEmpty())
        } catch (error: MalformedURLException) {
            throw DeliveryFailure.Redirected("$from leads to no address")
        }
        val isSafe = url.protocol == "https" || url.protocol == "http" && from.protocol == "http"
        if (!isSafe) throw DeliveryFailure.Redirected("$from leads to ${url.protocol}")
        return url
    }

    private suspend fun <T> retrying(attempt: suspend () -> T): T {
        var wait = pause
        var left = attempts
        while (true) {
            val (failure, isPassing) = try {
                return attempt()
            } catch (notNow: Passing) {
                notNow.failure to notNow.isPassing
            } catch (error: IOException) {
                DeliveryFailure.Unreachable("${base.host}: ${error.message ?: error}", error) to true
            }
            currentCoroutineContext().ensureActive() // Closing the connection, cancelling fails as a broken one does.
            if (!isPassing || --left <= 0) throw failure
            delay(wait)
            wait *= 2
        }
    }

    private fun brokeOff(what: String, at: Long) = Passing(DeliveryFailure.Unreachable("$what: the host broke off after $at bytes"), isPassing = true)

    private fun isPassing(status: Int) = status >= SERVERS_FAULT || status == TOO_MANY || status == HttpURLConnection.HTTP_CLIENT_TIMEOUT
}

/** @property isPassing another attempt may do */
private class Passing(val failure: DeliveryFailure, val isPassing: Boolean) : Exception(failure)

private class Elsewhere(val url: URL) : Exception()

/** Reads to the end, or one byte more than is wanted. */
private fun readMost(stream: InputStream, most: Int): ByteArray {
    val block = ByteArray(most + 1)
    var count = 0
    while (count < block.size) {
        val more = stream.read(block, count, block.size - count)
        if (more < 0) break
        count += more
    }
    return block.copyOf(count)
}

/** SHA-256 of a file, in hexadecimal. */
internal suspend fun digestOf(file: File): String {
    val digest = MessageDigest.getInstance("SHA-256")
    val block = ByteArray(BLOCK_BYTES)
    file.inputStream().use { stream ->
        while (true) {
            currentCoroutineContext().ensureActive()
            val count = stream.read(block)
            if (count < 0) return digest.digest().hex()
            digest.update(block, 0, count)
        }
    }
}
