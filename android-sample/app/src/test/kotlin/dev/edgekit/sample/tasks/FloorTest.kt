package dev.edgekit.sample.tasks

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.Message
import dev.edgekit.core.Model
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.Golden
import dev.edgekit.core.tasks.identity
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.severalTasks
import dev.edgekit.testing.task
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Tasks that take turns at one engine. */
@RunWith(RobolectricTestRunner::class)
class FloorTest {
    private val bundle = severalTasks("mood", "topic", form = null)
    private val engine = FakeEngine()
    private val floor = Floor()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    @After
    fun cancel() = scope.cancel()

    private fun dialogue(model: Model, id: String) = Dialogue(model, model.info.task(id)!!, floor, scope)

    private suspend fun Dialogue.ask(prompt: String): Turn {
        val before = state.value.transcript.turns.size
        send(prompt)
        return ended(before + 1)
    }

    private suspend fun Dialogue.ended(turns: Int): Turn = withTimeout(60.seconds) {
        state.first { !it.answering && it.transcript.turns.size == turns && it.transcript.turns.last().ending != null }
    }.transcript.turns.last()

    @Test
    fun `each task converses with its own adapter, format, sampling and system prompt`() = runBlocking {
        val model = openModel(severalTasks("mood", "topic"), engine)
        dialogue(model, "mood").ask("hello")
        dialogue(model, "topic").ask("hello")
        dialogue(model, "base").ask("hello")
        assertEquals(listOf("mood.lora.tflite", "topic.lora.tflite", null), engine.conversations.map { it.adapter?.name })
        assertEquals(listOf("mood", "topic", null), engine.conversations.map { (it.answerFormat as? AnswerFormat.Regex)?.pattern })
        assertEquals(listOf("Tell the mood.", "Tell the topic.", null), engine.conversations.map { it.systemPrompt })
        assertEquals(List(3) { Sampling.Greedy }, engine.conversations.map { it.sampling })
    }

    @Test
    fun `one conversation is open at a time, and a task goes on with what was said`() = runBlocking {
        val model = openModel(bundle, engine)
        val (mood, topic) = listOf("mood", "topic").map { dialogue(model, it) }
        repeat(3) { round ->
            mood.ask("mood $round")
            topic.ask("topic $round")
        }
        assertEquals(1, engine.mostOpen)
        assertEquals(6, engine.conversations.size)
        val said = listOf(Message(Role.USER, "topic 0"), Message(Role.MODEL, "You said: topic 0"))
        assertEquals(said, engine.conversations.last().history.take(2))
        assertEquals(4, engine.conversations.last().history.size)
    }

    @Test
    fun `within a task no other conversation is opened`() = runBlocking {
        val mood = dialogue(openModel(bundle, engine), "mood")
        repeat(3) { mood.ask("again") }
        assertEquals(1, engine.conversations.size)
    }

    @Test
    fun `another task ends the answer under way`() = runBlocking {
        val slow = FakeEngine(answer = { if (it == "slow") "a".repeat(100_000) else "quick" }, pieceMillis = 5, contextTokens = 100_000)
        val model = openModel(bundle, slow)
        val (mood, topic) = listOf("mood", "topic").map { dialogue(model, it) }
        mood.send("slow")
        withTimeout(60.seconds) { mood.state.first { it.transcript.turns.lastOrNull()?.answer.orEmpty().length > 9 } }
        assertEquals("quick", topic.ask("hello").answer)
        assertEquals(Ending.Stopped, mood.ended(1).ending)
        assertEquals(1, slow.mostOpen)
        assertEquals("quick", mood.ask("hello").answer)
        assertTrue(slow.conversations.last().history.last().text.startsWith("aaa"))
    }

    @Test
    fun `a self-test waits for the answer, and the conversation goes on after it`() = runBlocking {
        val slow = FakeEngine(answer = { "You said: $it" }, pieceMillis = 20)
        val tested = bundle.copy(tasks = bundle.tasks.map { it.copy(golden = listOf(Golden("a", "You said: a"), Golden("b", "no"))) })
        val model = openModel(tested, slow)
        val mood = dialogue(model, "mood")
        mood.send("hello")
        withTimeout(60.seconds) { mood.state.first { it.transcript.turns.lastOrNull()?.answer.orEmpty().isNotEmpty() } }
        val test = async(Dispatchers.Default) { model.selfTest("mood").toList() }
        assertEquals("You said: hello", mood.ended(1).answer)
        assertEquals(listOf(true, false), test.await().map { it.same })
        assertEquals(3, slow.conversations.size)
        assertEquals(List(3) { "mood.lora.tflite" }, slow.conversations.map { it.adapter?.name })
        mood.ask("again")
        assertEquals(listOf("hello", "You said: hello"), slow.conversations.last().history.map { it.text })
        assertEquals(1, slow.mostOpen)
    }

    @Test
    fun `a switch is timed, the first conversation is none`() = runBlocking {
        val model = openModel(bundle, engine)
        dialogue(model, "mood").ask("hello")
        assertNull(model.lastSwitch.value)
        dialogue(model, "base").ask("hello")
        assertEquals("base", model.lastSwitch.value?.task)
        dialogue(model, "topic").ask("hello")
        assertEquals("topic", model.lastSwitch.value?.task)
        assertTrue(model.lastSwitch.value!!.seconds >= 0)
    }

    @Test
    fun `a conversation is not taken up with another adapter`() {
        val mood = bundle.task("mood")!!
        val trained = bundle.adapterOf(mood)!!.run { copy(manifest = manifest.copy(sidecar = manifest.sidecar.copy(sha256 = "cd".repeat(32)))) }
        val anew = bundle.copy(adapters = bundle.adapters + ("mood" to trained))
        val (before, after) = listOf(bundle, anew).map { dialogue(openModel(it, engine), "mood").state.value.transcript.model }
        assertNotEquals(before, after)
        assertEquals(bundle.identity, dialogue(openModel(bundle, engine), "base").state.value.transcript.model)
    }

    @Test
    fun `a self-test that begins with an answer waits for no answer that waits for it`() = runBlocking {
        val tested = bundle.copy(tasks = bundle.tasks.map { it.copy(golden = listOf(Golden("a", "You said: a"))) })
        val model = openModel(tested, FakeEngine(contextTokens = 100_000))
        val mood = dialogue(model, "mood")
        mood.ask("hello")
        repeat(100) { round ->
            val test = async(Dispatchers.Default) { model.selfTest("mood").toList() }
            mood.send("again")
            assertEquals(Ending.Finished::class, mood.ended(round + 2).ending!!::class)
            withTimeout(60.seconds) { test.await() }
        }
    }
}
