package dev.edgekit.core.tasks

import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.bundle.AdapterInputs
import dev.edgekit.core.bundle.BundleFile
import dev.edgekit.core.bundle.Cache
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.severalTasks
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** What is reckoned of a model's memory, beside what was measured. */
class MemoryTest {
    /** Gemma 3 270M in int8: 18 layers, a head of 256 for keys and for values. */
    private fun gemma(bytes: Long = 278_405_832, cache: Cache = Cache(36_864), static: Boolean = false) = sampleBundle().let { sample ->
        val model = BundleFile("gemma.litertlm", bytes, "ab".repeat(32))
        sample.copy(manifest = sample.manifest!!.copy(model = model, contextTokens = 4096, cache = cache, isStatic = static))
    }

    @Test
    fun `is above the measured peak of a full context, by a quarter at most`() {
        val measured = listOf(
            Triple(gemma(), 1024, 465_000_000L),
            Triple(gemma(), 4096, 732_300_000L),
            Triple(gemma(), 8192, 908_800_000L),
            Triple(gemma(), 16_000, 1_392_900_000L),
            Triple(gemma(cache = Cache(9216, isNarrow = true)), 16_000, 994_300_000L),
            Triple(gemma(cache = Cache(6144, ringBytes = 19_660_800)), 16_000, 722_500_000L),
            Triple(gemma(cache = Cache(1536, ringBytes = 4_915_200, isNarrow = true)), 16_000, 680_500_000L),
            Triple(gemma(281_000_000, static = true), 4096, 637_000_000L),
        )
        for ((bundle, tokens, peak) in measured) {
            val reckoned = bundle.memoryNeed(tokens).total
            assertTrue("$reckoned for $peak", reckoned in peak..peak * 5 / 4)
        }
    }

    @Test
    fun `what would fit is said, less the rings`() {
        val bundle = gemma(cache = Cache(6144, ringBytes = 19_660_800))
        val failure = assertThrows(EdgekitFailure.NotEnoughMemory::class.java) { bundle.checkMemory(16_000, 600_000_000) }
        val tokens = checkNotNull(failure.contextTokens)
        bundle.checkMemory(tokens, 600_000_000)
        assertThrows(EdgekitFailure.NotEnoughMemory::class.java) { bundle.checkMemory(tokens + 512, 600_000_000) }
    }

    @Test
    fun `a smaller context takes less, but of a static graph the same`() {
        val bundle = gemma()
        assertEquals(4.0, bundle.memoryNeed(4096).context.toDouble() / bundle.memoryNeed(1024).context, 1e-6)
        val static = gemma(static = true)
        assertEquals(static.memoryNeed(4096).total, static.memoryNeed(1024).total)
        val failure = assertThrows(EdgekitFailure.NotEnoughMemory::class.java) { static.checkMemory(4096, 600_000_000) }
        assertEquals(null, failure.contextTokens)
    }

    @Test
    fun `a file alone is taken for Gemma 3 270M`() {
        val bare = sampleBundle(model = File("bare.litertlm")).copy(manifest = null)
        assertEquals(gemma(0).memoryNeed(1024).total, bare.memoryNeed(1024).total)
    }

    @Test
    fun `an adapter takes its file and its inputs`() {
        val several = severalTasks("mood", "topic")
        val inputs = AdapterInputs(16, listOf("q_proj"), BundleFile("empty.lora.tflite", 16384, "ab".repeat(32)), bytes = 1000)
        val base = several.copy(manifest = several.manifest!!.copy(adapters = inputs))
        assertEquals(sampleBundle().memoryNeed(1000).total + 1000 + 1_200_000, base.memoryNeed(1000).total)
    }

    @Test
    fun `whoever does not tell is not refused`() = gemma().checkMemory(4096, available = null)
}
