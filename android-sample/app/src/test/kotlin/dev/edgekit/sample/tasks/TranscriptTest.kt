package dev.edgekit.sample.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.engine.Message
import dev.edgekit.core.engine.Role
import dev.edgekit.core.engine.StopReason
import dev.edgekit.core.engine.TurnStats
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class TranscriptTest {
    private val stats = TurnStats(14, 19, 0.0125, 2354.5, 1775.25, StopReason.END_OF_TURN)

    @Test
    fun `comes back from its JSON as it was`() {
        val transcript = Transcript(
            model = "ab12",
            turns = listOf(Turn("字が小さい", "{\"a\": \"b\"}", Ending.Finished(stats)), Turn("stop \"this\"", "half", Ending.Stopped)),
            sampling = Sampling.TopP(0.5f, 40, 0.95f, seed = 7),
            contextUsed = 33,
        )
        assertEquals(transcript, Transcript.fromJson(transcript.toJson()))
    }

    @Test
    fun `keeps apart greedy, sampling without a seed, and the model's own`() {
        for (sampling in listOf(Sampling.Greedy, Sampling.TopP(1f, 64, 0.95f), null)) {
            val transcript = Transcript("ab12", sampling = sampling)
            assertEquals(transcript, Transcript.fromJson(transcript.toJson()))
        }
    }

    @Test
    fun `an answer that streamed or failed when the process died counts as stopped`() {
        val streaming = Turn("hello", "Hel", ending = null)
        val failed = Turn("hello", "", Ending.Failed(EngineFailure.Other("broken")))
        val read = Transcript.fromJson(Transcript("ab12", listOf(streaming, failed)).toJson())
        assertEquals(listOf(Ending.Stopped, Ending.Stopped), read.turns.map { it.ending })
    }

    @Test
    fun `a prompt without an answer is no history`() {
        val transcript = Transcript("ab12", listOf(Turn("one", "1", Ending.Stopped), Turn("two", "", Ending.Stopped)))
        assertEquals(listOf(Message(Role.USER, "one"), Message(Role.MODEL, "1")), transcript.history)
    }
}
