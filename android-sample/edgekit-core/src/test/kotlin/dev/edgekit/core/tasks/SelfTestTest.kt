package dev.edgekit.core.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.Golden
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import kotlinx.coroutines.flow.last
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class SelfTestTest {
    private val golden = listOf(Golden("a", "You said: a"), Golden("b", "something else"))

    @Test
    fun `asks one after the other and tells which answers differ`() = runBlocking {
        val compared = openModel(sampleBundle(golden = golden), FakeEngine()).selfTest().toList()
        assertEquals(listOf(true, false), compared.map { it.same })
        assertEquals("You said: b", compared.last().answer)
    }

    @Test
    fun `each prompt has a greedy conversation of its own`() = runBlocking {
        val engine = FakeEngine()
        openModel(sampleBundle(golden = golden), engine).selfTest().last()
        assertEquals(listOf(Sampling.Greedy, Sampling.Greedy), engine.conversations.map { it.sampling })
        assertTrue(engine.conversations.all { it.history.isEmpty() })
    }

    @Test
    fun `an engine that fails is shown with the prompt`() = runBlocking {
        val model = openModel(sampleBundle(golden = golden), FakeEngine(failure = EngineFailure.Other("broken")))
        val compared = model.selfTest().toList()
        assertEquals(listOf("broken", "broken"), compared.map { it.failure?.message })
        assertFalse(compared.any { it.same })
    }
}
