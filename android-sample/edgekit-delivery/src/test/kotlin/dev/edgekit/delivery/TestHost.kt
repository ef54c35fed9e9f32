package dev.edgekit.delivery

import java.io.Closeable
import java.io.OutputStream
import java.net.HttpURLConnection
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.SocketException
import java.net.URL
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.concurrent.thread

/** What came in. [headers] by their names in small letters. */
class Asked(val path: String, private val headers: Map<String, String>) {
    val range: String? get() = headers["range"]
    val ifRange: String? get() = headers["if-range"]
    val encoding: String? get() = headers["accept-encoding"]
}

/** How a host answers for a file that it has; what it writes goes out as it is. */
typealias Answer = OutputStream.(asked: Asked, content: ByteArray) -> Unit

/**
 * A host over real sockets, which can lie in every way that a server library would not let it.
 *
 * @property answer for what lies below `files/`
 */
class TestHost : Closeable {
    private val socket = ServerSocket(0, 16, InetAddress.getLoopbackAddress())
    val address = "http://127.0.0.1:${socket.localPort}/delivery"
    val served = mutableMapOf<String, ByteArray>()
    val asked = CopyOnWriteArrayList<Asked>()

    @Volatile
    var answer: Answer = { asked, content -> well(asked, content) }

    @Volatile
    var answerIndex: Answer = { asked, content -> well(asked, content) }

    init {
        thread(isDaemon = true) {
            try {
                while (true) socket.accept().also { thread(isDaemon = true) { it.use(::serve) } }
            } catch (_: SocketException) {
                // Closed.
            }
        }
    }

    override fun close() = socket.close()

    /** What was asked for below `files/`, since the last time. */
    fun contents(): List<Asked> = asked.filter { "/files/" in it.path }.also { asked.clear() }

    internal fun publish(files: Files, version: Long, by: Keys = Keys(1), channel: String = "demo"): Index {
        files.values.forEach { served["/delivery/files/${sha256Of(it)}"] = it }
        return indexOf(files, version, channel).also { served["/delivery/$INDEX"] = by.sign(it.text()) }
    }

    private fun serve(client: Socket) {
        try {
            val lines = client.getInputStream().bufferedReader(Charsets.ISO_8859_1).lineSequence().takeWhile { it.isNotEmpty() }.toList()
            val headers = lines.drop(1).associate { it.substringBefore(':').lowercase() to it.substringAfter(':').trim() }
            val request = Asked(lines[0].split(' ')[1], headers).also(asked::add)
            val content = served[request.path]
            val out = client.getOutputStream()
            when {
                content == null -> out.head(404, "Content-Length: 0")
                request.path.endsWith(INDEX) -> out.answerIndex(request, content)
                else -> out.answer(request, content)
            }
            out.flush()
        } catch (_: SocketException) {
            // The client has gone.
        } catch (_: IndexOutOfBoundsException) {
            // It said nothing.
        }
    }
}

fun OutputStream.head(status: Int, vararg headers: String) =
    write((listOf("HTTP/1.1 $status Said", *headers, "Connection: close").joinToString("\r\n", postfix = "\r\n\r\n")).encodeToByteArray())

/** As a static host does: parts, by strong names. */
fun OutputStream.well(asked: Asked, content: ByteArray, etag: String = "\"${sha256Of(content).take(8)}\"") {
    val start = asked.range?.removePrefix("bytes=")?.removeSuffix("-")?.toInt()
    val isPart = start != null && start < content.size && asked.ifRange in listOf(null, etag)
    if (isPart) {
        head(206, "ETag: $etag", "Content-Range: bytes $start-${content.size - 1}/${content.size}", "Content-Length: ${content.size - start}")
        write(content, start, content.size - start)
    } else if (start == content.size) {
        head(416, "Content-Length: 0")
    } else {
        head(200, "ETag: $etag", "Content-Length: ${content.size}")
        write(content)
    }
}

/** Without any limits but what is told. */
internal class PlainNetwork(private val failure: (Boolean) -> DeliveryFailure? = { null }) : Network {
    override fun connect(url: URL, large: Boolean): HttpURLConnection {
        failure(large)?.let { throw it }
        return url.openConnection() as HttpURLConnection
    }
}
