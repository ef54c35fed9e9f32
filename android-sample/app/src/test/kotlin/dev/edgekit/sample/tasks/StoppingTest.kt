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
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** Stopping the real engine in the middle of an answer. */
@RunWith(AndroidJUnit4::class)
class StoppingTest {
    /** A prompt that the demo model talks on about until the context is full. */
    private val endless = "the ".repeat(200)

    @Test
    fun `stop ends the decoding, keeps what was said, and the engine answers again`() = runBlocking {
        Demo.open(maxTokens = 4096).use { engine ->
            val model = openModel(sampleBundle(), engine)
            val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
            val dialogue = Dialogue(model, model.info.tasks.single(), Floor(), scope)
            dialogue.send(endless)
            withTimeout(30.seconds) { dialogue.state.first { it.transcript.turns.lastOrNull()?.answer.orEmpty().length > 20 } }
            dialogue.stop()
            val stopped = dialogue.state.value
            assertEquals(Ending.Stopped, stopped.transcript.turns.single().ending)
            assertTrue(stopped.transcript.contextUsed < 4000)

            dialogue.send("my screen is too dark")
            val answered = withTimeout(30.seconds) { dialogue.state.first { it.transcript.turns.size == 2 && !it.answering } }
            assertTrue(answered.transcript.turns.last().ending is Ending.Finished)
        }
    }
}
