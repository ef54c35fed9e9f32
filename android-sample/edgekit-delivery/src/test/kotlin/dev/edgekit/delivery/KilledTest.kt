package dev.edgekit.delivery

import java.io.File
import java.io.FileOutputStream
import java.util.concurrent.TimeUnit
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

private const val POINTS = 24
private const val SIGKILL = 128 + 9
private const val STOPPED = "stopped"
private const val IN_TRIAL = -1

/** So that something is done after the switch, too. */
private val WITHOUT_PREVIOUS = DeliveryOptions(keepsPrevious = false)

/** Stops for ever at one of the things that are done to the storage: of a write, half is done then. */
internal class StoppingDisk(root: File, private val at: Int) : Disk(root) {
    var done = 0
        private set

    private fun counted() {
        if (++done == at) stop()
    }

    override fun open(file: File, start: Long) = counted().let { super.open(file, start) }

    override fun write(to: FileOutputStream, block: ByteArray, count: Int) {
        if (done + 1 == at) super.write(to, block, count / 2)
        counted()
        super.write(to, block, count)
    }

    override fun sync(file: FileOutputStream) = counted().let { super.sync(file) }

    override fun mkdirs(folder: File) = counted().let { super.mkdirs(folder) }

    override fun move(from: File, to: File) = counted().let { super.move(from, to) }

    override fun link(link: File, target: String) = counted().let { super.link(link, target) }

    override fun delete(place: File) = counted().let { super.delete(place) }
}

private fun stop(): Nothing {
    println(STOPPED)
    System.out.flush()
    while (true) Thread.sleep(1000)
}

/**
 * The process that is killed: looks for an update and fetches it, up to a point or all of it: what comes over the network in
 * fewer pieces is written in fewer.
 */
object KilledProcess {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val (root, address, at) = arguments
        val trial = Trial { _, _, _ -> if (at.toInt() == IN_TRIAL) stop() }
        val disk = StoppingDisk(File(root), at.toInt())
        val delivery = Client(File(root), address, disk, WITHOUT_PREVIOUS, trial = trial)
        delivery.fetch(checkNotNull(delivery.check()) { "no update" })
        stop()
    }
}

/** Processes that are killed in the middle, by SIGKILL: what is left is the old bundle, or the new one, and goes on. */
class KilledTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val host = TestHost()
    private val first = smallBundle(1, adapter = 1)
    private val second = smallBundle(2, adapter = 2)

    @After
    fun close() = host.close()

    private fun withFirst(root: File): Client = Client(root, host.address).also {
        host.publish(first, 1)
        it.fetch()
        host.publish(second, 2)
    }

    /** Ends a process when it has come to a point. */
    private fun kill(root: File, at: Int) {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command = listOf(java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path"))
        val process = ProcessBuilder(command + listOf(KilledProcess::class.java.name, root.path, host.address, "$at"))
            .redirectError(ProcessBuilder.Redirect.INHERIT).start()
        try {
            assertEquals(STOPPED, process.inputStream.bufferedReader().readLine())
        } finally {
            process.destroyForcibly()
        }
        assertTrue(process.waitFor(1, TimeUnit.MINUTES))
        assertEquals(SIGKILL, process.exitValue())
    }

    @Test
    fun `wherever a delivery is killed a whole bundle counts, and the delivery goes on`() {
        val counting = folder.newFolder("counting")
        withFirst(counting)
        val disk = StoppingDisk(counting, Int.MAX_VALUE)
        Client(counting, host.address, disk, WITHOUT_PREVIOUS).fetch()
        assertTrue("${disk.done} things are done", disk.done >= POINTS)
        val counted = mutableListOf<String>()
        for (point in 1..POINTS) {
            val root = folder.newFolder()
            withFirst(root)
            kill(root, at = 1 + (point - 1) * (disk.done - 1) / (POINTS - 1))
            val client = Client(root, host.address)
            val current = client.current()
            counted += current!!.name
            assertHolds(if (current.name == "1") first else second, current)
            if (current.name == "1") client.fetch()
            assertHolds(second, client.current())
            assertNull(client.check())
            assertEquals(listOf<String>(), root.walkTopDown().filter { it.name.endsWith(PART) }.map { it.path }.toList())
        }
        assertEquals("the switch lies between", listOf("1", "2"), counted.distinct())
    }

    @Test
    fun `a bundle that ends the process while it is tried is given up after two times`() {
        val client = withFirst(folder.root)
        val update = client.check()!!
        repeat(2) {
            kill(folder.root, IN_TRIAL)
            assertHolds(first, client.current())
        }
        val again = Client(folder.root, host.address, trial = { _, _, _ -> error("tried once more") })
        assertEquals(2, fails<DeliveryFailure.EndedProcess> { again.fetch(update) }.version)
        assertHolds(first, client.current())
        assertNull(client.check())
    }
}
