package dev.edgekit.delivery

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import kotlin.coroutines.cancellation.CancellationException
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.runBlocking
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Versions that follow each other, and what is done when one is no good. */
class DeliveryTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val host = TestHost()
    private var trial = Trial { _, _, progress -> progress(8, 8) }
    private val client by lazy { client() }
    private val first = smallBundle(1, adapter = 1)
    private val second = smallBundle(2, adapter = 2)

    private fun client(options: DeliveryOptions = DeliveryOptions(), network: Network = PlainNetwork(), disk: Disk = Disk(folder.root)) =
        Client(folder.root, host.address, disk, options, network) { bundle, share, progress -> trial.run(bundle, share, progress) }

    private fun have(files: Files, version: Long) {
        host.publish(files, version)
        client.fetch()
        host.contents()
    }

    private fun stored(): Long = File(folder.root, "files").listFiles().orEmpty().sumOf { it.length() }

    private fun sizeOf(vararg bundles: Files): Long = bundles.flatMap { it.values }.distinctBy { sha256Of(it) }.sumOf { it.size.toLong() }

    @After
    fun close() = host.close()

    @Test
    fun `a newer version is told of, and takes the place of the one before`() {
        assertNull(client.current())
        have(first, 1)
        assertNull(client.check())
        host.publish(second, 2)
        val update = client.check()!!
        assertEquals(2, update.version)
        assertEquals(listOf("mood"), update.adapters)
        assertTrue(update.model)
        assertHolds(first, client.current())
        assertHolds(second, client.fetch(update))
        assertHolds(second, client.current())
        assertTrue(Progress.Trying(8, 8) in client.told)
        assertNull(client.check())
        assertHolds(second, client().current()) // In another process as well.
    }

    @Test
    fun `an adapter is updated alone`() {
        have(first, 1)
        host.publish(smallBundle(1, adapter = 2), 2)
        val update = client.check()!!
        assertFalse(update.model)
        assertEquals(listOf("mood"), update.adapters)
        val changed = smallBundle(1, adapter = 2).filter { (path, content) -> !content.contentEquals(first[path]) }
        assertEquals(sizeOf(changed), update.bytes)
        assertHolds(smallBundle(1, adapter = 2), client.fetch(update))
        assertEquals(changed.values.map { sha256Of(it) }.toSet(), host.contents().map { it.path.substringAfterLast('/') }.toSet())
        host.publish(smallBundle(1), 3)
        assertEquals(emptyList<String>(), client.check()!!.adapters)
        assertHolds(smallBundle(1), client.fetch())
    }

    @Test
    fun `what went bad or got lost in the storage is fetched again`() {
        have(first, 1)
        val model = File(folder.root, "files/${sha256Of(first.getValue("model.litertlm"))}")
        val tasks = File(folder.root, "files/${sha256Of(second.getValue("tasks.json"))}")
        model.writeBytes(ByteArray(model.length().toInt()))
        host.publish(smallBundle(1, adapter = 2), 2)
        assertHolds(smallBundle(1, adapter = 2), client.fetch())
        assertHolds(first, runBlocking { client.delivery.rollBack() })
        host.publish(second, 3)
        client.fetch()
        assertNull(client.check())
        assertTrue(tasks.delete())
        assertHolds(second, client.fetch())
    }

    @Test
    fun `what is remembered and cannot be read is as after the install`() {
        have(first, 1)
        for (text in listOf("", "edgekit-delivery-state 1\ncurrent x\n", "edgekit-delivery-state 1\ntrying\n", "\u0000")) {
            File(folder.root, "state").writeText(text)
            assertNull(client.current())
        }
        host.contents()
        assertHolds(first, client.fetch())
        assertEquals("the files are there", emptyList<Asked>(), host.contents())
    }

    @Test
    fun `an index by another key is refused`() {
        have(first, 1)
        host.publish(second, 2, by = Keys(2))
        fails<DeliveryFailure.Unsigned> { client.check() }
        assertHolds(first, client.current())
    }

    @Test
    fun `an older version is refused, also one that was only seen`() {
        host.publish(first, 5)
        client.check()
        host.publish(second, 4)
        val failure = fails<DeliveryFailure.Older> { client.check() }
        assertEquals(4L to 5L, failure.found to failure.known)
        fails<DeliveryFailure.Older> { client().check() }
        host.publish(first, 5)
        assertEquals(5, client.check()!!.version)
        fails<DeliveryFailure.Older> { client(DeliveryOptions(oldest = 6)).check() }
    }

    @Test
    fun `an update that was overtaken is not fetched`() {
        host.publish(first, 1)
        val update = client.check()!!
        have(second, 2)
        fails<DeliveryFailure.Older> { client.fetch(update) }
        assertHolds(second, client.current())
    }

    @Test
    fun `two contents of one version are refused`() {
        have(first, 1)
        host.publish(second, 1)
        assertEquals(1, fails<DeliveryFailure.SameVersion> { client.check() }.version)
    }

    @Test
    fun `what the key signs for another app is refused`() {
        have(first, 1)
        host.publish(second, 2, channel = "other")
        assertEquals("other", fails<DeliveryFailure.OtherChannel> { client.check() }.found)
        host.publish(second, 2)
        fails<DeliveryFailure.OtherChannel> { client(DeliveryOptions(channel = "mine")).check() }
        assertEquals(2, client.check()!!.version)
    }

    // ---------------------------------------- a bundle that is no good

    @Test
    fun `a bundle whose answers differ is not taken, nor asked for again`() {
        have(first, 1)
        host.publish(second, 2)
        val update = client.check()!!
        trial = Trial { bundle, _, _ ->
            assertHolds(second, bundle)
            assertHolds(first, client.current()) // The old one counts while the new one is tried.
            throw DeliveryFailure.Differs(3, 8)
        }
        fails<DeliveryFailure.Differs> { client.fetch(update) }
        assertHolds(first, client.current())
        assertEquals(sizeOf(first), stored())
        assertNull(client.check())
        fails<DeliveryFailure.FoundWanting> { client.fetch(update) }
        trial = Trial { _, _, _ -> }
        have(smallBundle(3), 3)
        assertHolds(smallBundle(3), client.current())
    }

    @Test
    fun `a moment without memory does not speak against a bundle`() {
        have(first, 1)
        host.publish(second, 2)
        trial = Trial { _, _, _ -> throw DeliveryFailure.NotNow(IllegalStateException("no memory")) }
        fails<DeliveryFailure.NotNow> { client.fetch() }
        trial = Trial { _, _, _ -> throw CancellationException("left") }
        repeat(3) { fails<CancellationException> { client.fetch() } }
        trial = Trial { _, _, _ -> }
        host.contents()
        assertHolds(second, client.fetch())
        assertEquals(emptyList<Asked>(), host.contents()) // All was there.
    }

    @Test
    fun `rolling back brings the bundle before, and not the same again`() {
        have(first, 1)
        fails<DeliveryFailure.NothingBefore> { runBlocking { client.delivery.rollBack() } }
        have(second, 2)
        assertEquals(sizeOf(first, second), stored())
        assertHolds(first, runBlocking { client.delivery.rollBack() })
        assertHolds(first, client.current())
        assertEquals(sizeOf(first), stored())
        assertNull(client.check())
        fails<DeliveryFailure.NothingBefore> { runBlocking { client.delivery.rollBack() } }
    }

    @Test
    fun `the bundle before need not be kept`() {
        have(first, 1)
        host.publish(second, 2)
        client(DeliveryOptions(keepsPrevious = false)).fetch()
        assertEquals(sizeOf(second), stored())
        fails<DeliveryFailure.NothingBefore> { runBlocking { client.delivery.rollBack() } }
    }

    // ---------------------------------------- the device

    @Test
    fun `over a metered network only the index is fetched`() {
        host.publish(first, 1)
        val metered = client(network = PlainNetwork { large -> if (large) DeliveryFailure.Metered() else null })
        val update = metered.check()!!
        fails<DeliveryFailure.Metered> { metered.fetch(update) }
        assertEquals(emptyList<Asked>(), host.contents())
    }

    @Test
    fun `without space nothing is fetched`() {
        host.publish(first, 1)
        val full = client(disk = object : Disk(folder.root) {
            override fun free() = 1_000_000L
        })
        val failure = fails<DeliveryFailure.NoSpace> { full.fetch() }
        assertTrue(failure.needed > 32 shl 20)
        assertEquals(1_000_000, failure.free)
        assertEquals(emptyList<Asked>(), host.contents())
    }

    @Test
    fun `a disk that fills up is told of`() {
        host.publish(first, 1)
        val filling = client(disk = object : Disk(folder.root) {
            override fun write(to: FileOutputStream, block: ByteArray, count: Int) =
                if (count > 1000) throw IOException("write failed: ENOSPC (No space left on device)") else super.write(to, block, count)
        })
        fails<DeliveryFailure.NoSpace> { filling.fetch() }
        val broken = client(disk = object : Disk(folder.root) {
            override fun move(from: File, to: File) = throw IOException("EROFS")
        })
        fails<DeliveryFailure.NotWritten> { broken.fetch() }
        assertHolds(first, client.fetch())
    }

    @Test
    fun `one delivery at a time`() {
        host.publish(first, 1)
        val update = client.check()!!
        var isRefused = false
        trial = Trial { _, _, _ ->
            fails<DeliveryFailure.Busy> { client().delivery.let { runBlocking { it.fetch(update).collect() } } }
            isRefused = true
        }
        client.fetch(update)
        assertTrue(isRefused)
    }

    @Test
    fun `an address must be one`() {
        for (address in listOf("", "models", "ftp://host/x", "file:///sdcard")) {
            fails<IllegalArgumentException> { Host(address, PlainNetwork(), 1, kotlin.time.Duration.ZERO) }
        }
    }
}
