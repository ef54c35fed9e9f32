package dev.edgekit.sample.tasks

import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.testing.Demo
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** Stopping the real engine in the middle of an answer. */
@RunWith(AndroidJUnit4::class)
class StoppingTest {
    /** A prompt that the demo model talks on about until the context is full. */
    private val endless = "the ".repeat(200)

    private val Dialogue.transcript get() = state.value.transcript

    @Test
    fun `stop ends the decoding, keeps what was said, and the engine answers again`() = runBlocking {
        Demo.open(maxTokens = 4096).use { engine ->
            val model = openModel(sampleBundle(), engine)
            val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
            val stopped = List(3) {
                Dialogue(model, model.info.tasks.single(), Floor(), scope).apply {
                    send(endless)
                    withTimeout(60.seconds) { state.first { it.transcript.turns.lastOrNull()?.answer.orEmpty().length > 20 } }
                    stop()
                }
            }.filter { it.transcript.turns.single().ending == Ending.Stopped }
            // One that a busy machine held up said all that it had to say.
            assertTrue("none was stopped", stopped.isNotEmpty())
            assertTrue(stopped.all { it.transcript.contextUsed < 4000 })
            val dialogue = stopped.last()

            dialogue.send("my screen is too dark")
            val answered = withTimeout(60.seconds) { dialogue.state.first { it.transcript.turns.size == 2 && !it.answering } }
            assertTrue(answered.transcript.turns.last().ending is Ending.Finished)
        }
    }
}
