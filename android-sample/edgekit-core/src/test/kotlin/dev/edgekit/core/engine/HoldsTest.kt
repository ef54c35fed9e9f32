package dev.edgekit.core.engine

import java.io.ByteArrayInputStream
import java.io.InputStream
import java.lang.management.ManagementFactory
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Finding a word in a file of hundreds of megabytes. */
class HoldsTest {
    private val word = "lora_atten_q".encodeToByteArray()

    /** Gives as much at a time as it likes. */
    private class Trickle(bytes: ByteArray, private val most: Int) : InputStream() {
        private val whole = ByteArrayInputStream(bytes)

        override fun read(): Int = whole.read()

        override fun read(block: ByteArray, offset: Int, length: Int) = whole.read(block, offset, minOf(length, most))
    }

    @Test
    fun `a word is found wherever it lies, however the file is read`() {
        for (most in listOf(1, 7, word.size, 4096)) {
            for (place in listOf(0, 1, 11, 12, 13, 500)) {
                val bytes = ByteArray(600) { 'l'.code.toByte() }
                word.copyInto(bytes, place)
                assertTrue("$place by $most", Trickle(bytes, most).holds(word))
            }
        }
    }

    @Test
    fun `across two blocks, and at the very end`() {
        val block = 1 shl 20
        for (place in block - word.size..block + 1) {
            val bytes = ByteArray(place + word.size)
            word.copyInto(bytes, place)
            assertTrue("$place", ByteArrayInputStream(bytes).holds(word))
            assertFalse("$place", ByteArrayInputStream(bytes.copyOf(bytes.size - 1)).holds(word))
        }
    }

    @Test
    fun `finds what a plain search finds`() {
        val random = Random(7)
        repeat(300) {
            val text = ByteArray(random.nextInt(1, 60)) { random.nextInt(2).toByte() }
            val wanted = ByteArray(random.nextInt(1, 7)) { random.nextInt(2).toByte() }
            val plain = (0..text.size - wanted.size).any { start -> wanted.indices.all { text[start + it] == wanted[it] } }
            assertEquals(plain, Trickle(text, random.nextInt(1, 20)).holds(wanted))
        }
    }

    /** Hundreds of megabytes are searched: what is made for each byte takes minutes. */
    @Test
    fun `nothing is made for each byte that is searched`() {
        val stream = Trickle(ByteArray(16 shl 20) { 'l'.code.toByte() }, 1 shl 16)
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        val before = threads.currentThreadAllocatedBytes
        assertFalse(stream.holds(word))
        val made = threads.currentThreadAllocatedBytes - before
        assertTrue("$made bytes", made < 4 shl 20)
    }
}
