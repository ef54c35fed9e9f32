package dev.edgekit.delivery

import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.util.concurrent.CountDownLatch
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** What a host can do wrong, over real sockets. */
class FetchTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val host = TestHost()
    private val client by lazy { Client(folder.root, host.address) }
    private val bundle = smallBundle()
    private val model = bundle.getValue("model.litertlm")

    /** Soon tired of a host that is silent, and asks it again and again. */
    private val impatient by lazy { Client(folder.root, host.address, attempts = 12, patience = 500.milliseconds) }
    private val ended = CountDownLatch(1)

    @After
    fun close() {
        host.close()
        ended.countDown()
    }

    /** Answers for the model in another way than for the rest; how often it was asked for comes with it. */
    private fun forModel(answer: OutputStream.(Asked, Int) -> Unit) {
        var times = 0
        host.answer = { asked, content -> if (content.size == model.size) answer(asked, times++) else well(asked, content) }
    }

    private fun modelsParts() = host.asked.filter { it.path.endsWith(sha256Of(model)) }.map { it.range }

    private inline fun <reified T : DeliveryFailure> refused(): T {
        host.publish(bundle, 1)
        val failure = fails<T> { client.fetch() }
        assertNull(client.current())
        assertFalse("what was refused is not kept", client.store.part(indexOf(bundle, 1).files.single { it.size == model.size.toLong() }).exists())
        return failure
    }

    @Test
    fun `everything is fetched once, the smallest first`() {
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertHolds(bundle, client.current())
        assertTrue(host.asked.size > bundle.size)
        assertTrue(host.asked.all { it.encoding == "identity" })
        assertEquals(bundle.values.sortedBy { it.size }.map { sha256Of(it) }, host.contents().map { it.path.substringAfterLast('/') })
        val total = bundle.values.sumOf { it.size.toLong() }
        assertEquals(Progress.Fetching(total, total), client.told.last { it is Progress.Fetching })
    }

    @Test
    fun `a host that breaks off is asked for the rest`() {
        forModel { asked, times ->
            if (times == 2) return@forModel well(asked, model)
            val start = asked.range?.filter(Char::isDigit)?.toInt() ?: 0
            if (start == 0) head(200, "ETag: \"${sha256Of(model).take(8)}\"", "Content-Length: ${model.size}")
            else head(206, "Content-Range: bytes $start-${model.size - 1}/${model.size}", "Content-Length: ${model.size - start}")
            write(model, start, 100_000)
        }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf(null, "bytes=100000-", "bytes=200000-"), modelsParts())
        assertTrue(host.asked.filter { it.range != null }.all { it.ifRange == "\"${sha256Of(model).take(8)}\"" })
    }

    @Test
    fun `a host that breaks off each time is left, and gone on with later`() {
        forModel { _, _ ->
            head(200, "Content-Length: ${model.size}")
            write(model, 0, 70_000)
        }
        host.publish(bundle, 1)
        val failure = fails<DeliveryFailure.Unreachable> { client.fetch() }
        assertTrue(failure.message!!, "broke off" in failure.message!! || "end of" in failure.message!! || "EOF" in failure.message!!)
        assertNull(client.current())
        host.answer = { asked, content -> well(asked, content) }
        host.asked.clear()
        assertEquals(model.size - 70_000L, client.check()!!.bytes)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf<String?>("bytes=70000-"), modelsParts())
    }

    @Test
    fun `a host that ignores ranges is taken from the beginning`() {
        forModel { _, times ->
            head(200, "Content-Length: ${model.size}")
            write(model, 0, if (times == 0) 70_000 else model.size)
        }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf(null, "bytes=70000-"), modelsParts())
    }

    @Test
    fun `a file that changes in the middle is taken from the beginning`() {
        forModel { asked, times ->
            if (times > 0) return@forModel well(asked, model, "\"new\"")
            head(200, "ETag: \"old\"", "Content-Length: ${model.size}")
            write(ByteArray(70_000))
        }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf(null, "bytes=70000-"), modelsParts())
    }

    @Test
    fun `a host without names for contents, whose file changes, is found out by the digest`() {
        forModel { asked, times ->
            val start = asked.range?.filter(Char::isDigit)?.toInt()
            when {
                times == 0 -> {
                    head(200, "Content-Length: ${model.size}")
                    write(ByteArray(70_000))
                }
                start == null -> well(asked, model)
                else -> {
                    head(206, "Content-Range: bytes $start-${model.size - 1}/${model.size}", "Content-Length: ${model.size - start}")
                    write(model, start, model.size - start)
                }
            }
        }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf(null, "bytes=70000-", null), modelsParts())
    }

    @Test
    fun `another part than was asked for is not taken`() {
        forModel { asked, times ->
            if (asked.range == null && times > 0) return@forModel well(asked, model)
            if (times == 0) head(200, "Content-Length: ${model.size}")
            else head(206, "Content-Range: bytes 0-${model.size - 1}/${model.size}", "Content-Length: ${model.size}")
            write(model, 0, 70_000)
        }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        assertEquals(listOf(null, "bytes=70000-", null), modelsParts())
    }

    @Test
    fun `other bytes of the same length are refused`() {
        forModel { asked, _ -> well(asked, ByteArray(model.size)) }
        refused<DeliveryFailure.WrongDigest>()
    }

    @Test
    fun `a length that was not signed is refused before a byte is read`() {
        forModel { _, _ -> head(200, "Content-Length: ${model.size + 1L}") }
        assertEquals(model.size.toLong(), refused<DeliveryFailure.WrongLength>().expected)
    }

    @Test
    fun `a body without end is cut off`() {
        forModel { _, _ ->
            head(200)
            while (true) write(ByteArray(1 shl 16))
        }
        refused<DeliveryFailure.WrongLength>()
    }

    @Test
    fun `a compressed file is refused`() {
        forModel { _, _ -> head(200, "Content-Encoding: gzip", "Content-Length: 10") }
        refused<DeliveryFailure.WrongLength>()
    }

    @Test
    fun `an index without end is cut off`() {
        host.publish(bundle, 1)
        host.answerIndex = { _, _ ->
            head(200)
            while (true) write(ByteArray(1 shl 16))
        }
        fails<DeliveryFailure.WrongLength> { client.check() }
    }

    @Test
    fun `a file that was pruned is told of at once`() {
        forModel { _, _ -> head(404, "Content-Length: 0") }
        assertEquals(404, refused<DeliveryFailure.NotServed>().status)
        assertEquals(1, modelsParts().size)
    }

    @Test
    fun `a host that is overloaded is asked again`() {
        forModel { asked, times -> if (times < 2) head(503, "Content-Length: 0") else well(asked, model) }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        forModel { _, _ -> head(503, "Content-Length: 0") }
        host.publish(smallBundle(1), 2)
        assertEquals(503, fails<DeliveryFailure.NotServed> { client.fetch() }.status)
        assertHolds(bundle, client.current())
    }

    @Test
    fun `redirections are followed, but not without end, and to nothing but HTTP`() {
        host.served["/elsewhere"] = model
        forModel { asked, _ -> if (asked.path == "/elsewhere") well(asked, model) else head(302, "Location: /elsewhere", "Content-Length: 0") }
        host.publish(bundle, 1)
        assertHolds(bundle, client.fetch())
        for (target in listOf("file:///etc/hosts", "ftp://127.0.0.1/x", "")) {
            host.answerIndex = { _, _ -> head(302, "Location: $target", "Content-Length: 0") }
            fails<DeliveryFailure.Redirected> { client.check() }
        }
        assertHolds(bundle, client.current())
    }

    @Test
    fun `no host, and one that speaks no HTTP`() {
        host.close()
        fails<DeliveryFailure.Unreachable> { client.check() }
        ServerSocket(0, 4, InetAddress.getLoopbackAddress()).use { socket ->
            thread(isDaemon = true) { runCatching { while (true) socket.accept().use { it.getOutputStream().write("?\n".encodeToByteArray()) } } }
            val odd = Host("http://127.0.0.1:${socket.localPort}", PlainNetwork(), 2, 1.milliseconds)
            assertTrue(runCatching { runBlocking { odd.index() } }.exceptionOrNull() is DeliveryFailure)
        }
    }

    @Test
    fun `a host that falls silent is asked again`() {
        forModel { asked, _ ->
            if (asked.range != null) return@forModel well(asked, model)
            head(200, "ETag: \"${sha256Of(model).take(8)}\"", "Content-Length: ${model.size}")
            write(model, 0, 70_000)
            ended.await()
        }
        host.publish(bundle, 1)
        assertHolds(bundle, impatient.fetch())
        // What a busy machine holds up is asked for again.
        assertEquals(listOf(null, "bytes=70000-"), modelsParts().distinct().take(2))
    }

    @Test
    fun `cancelling ends a fetch that waits for its host`() = runBlocking {
        forModel { _, _ ->
            head(200, "Content-Length: ${model.size}")
            write(model, 0, 70_000)
            ended.await()
        }
        host.publish(bundle, 1)
        val update = impatient.delivery.check()!!
        val fetching = launch(Dispatchers.Default) { impatient.delivery.fetch(update).collect() }
        while (modelsParts().isEmpty()) delay(5)
        withTimeout(60_000) {
            fetching.cancel()
            fetching.join()
        }
        host.answer = { asked, content -> well(asked, content) }
        assertHolds(bundle, client.fetch(update))
    }
}
