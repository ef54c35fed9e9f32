package dev.edgekit.sample.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Figures
import dev.edgekit.core.Finish
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class TranscriptTest {
    private val finished = Ending.Finished(Finish.END, Figures(14, 19, 0.0125, 2354.5, 1775.25))

    @Test
    fun `comes back from its JSON as it was`() {
        val transcript = Transcript(
            model = "ab12",
            turns = listOf(Turn("字が小さい", "{\"a\": \"b\"}", finished), Turn("stop \"this\"", "half", Ending.Stopped), Turn(null, "Done.", finished)),
            sampling = Sampling.TopP(0.5f, 40, 0.95f, seed = 7),
            contextUsed = 33,
            history = listOf(Message(Role.USER, "字が小さい"), Message(Role.MODEL, "{\"a\": \"b\"}"), Message(Role.TOOL, "done")),
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
}
