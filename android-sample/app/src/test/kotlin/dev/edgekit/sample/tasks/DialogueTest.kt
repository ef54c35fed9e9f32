package dev.edgekit.sample.tasks

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Message
import dev.edgekit.core.Model
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.AdapterManifest
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.infoOf
import dev.edgekit.core.tasks.identity
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.severalTasks
import java.io.File
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** What takes minutes to be said, at 5 ms for each piece. */
private val FOR_MINUTES = "a".repeat(100_000)

/** What a conversation does when the engine is slow, full or broken; the app's own tests talk to the real engine. */
@RunWith(RobolectricTestRunner::class)
class DialogueTest {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)

    @After
    fun cancel() = scope.cancel()

    private fun dialogue(model: Model, before: Transcript? = null) = Dialogue(model, model.info.tasks.single(), Floor(), scope, before)

    private suspend fun Dialogue.awaitTurns(count: Int) = withTimeout(60.seconds) {
        state.first { !it.answering && it.transcript.turns.size == count && it.transcript.turns.all { turn -> turn.ending != null } }
    }

    private suspend fun Dialogue.awaitText(turn: Int, text: String) =
        withTimeout(60.seconds) { state.first { text in it.transcript.turns.getOrNull(turn)?.answer.orEmpty() } }

    @Test
    fun `an answer comes in piece by piece and ends with its figures`() = runBlocking {
        val dialogue = dialogue(openModel(sampleBundle(), FakeEngine()))
        dialogue.send("hello")
        val turn = dialogue.awaitTurns(1).transcript.turns.single()
        assertEquals("You said: hello", turn.answer)
        assertEquals(15, (turn.ending as Ending.Finished).figures.answerTokens)
        assertEquals(20, dialogue.state.value.transcript.contextUsed)
    }

    @Test
    fun `one engine conversation serves turn after turn`() = runBlocking {
        val engine = FakeEngine()
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        dialogue.send("one")
        dialogue.awaitTurns(1)
        dialogue.send("two")
        dialogue.awaitTurns(2)
        assertEquals(1, engine.conversations.size)
    }

    @Test
    fun `the conversation of the next prompt opens while its user types`() = runBlocking {
        val engine = FakeEngine()
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        dialogue.prepare()
        withTimeout(60.seconds) { while (engine.opened.isEmpty()) delay(5) }
        assertTrue(engine.conversations.isEmpty())
        dialogue.send("hello")
        dialogue.awaitTurns(1)
        assertEquals(engine.opened, engine.conversations)
    }

    @Test
    fun `under a format each message begins a conversation, as the model was trained`() = runBlocking {
        val engine = FakeEngine()
        val dialogue = dialogue(openModel(sampleBundle(AnswerFormat.Regex("x")), engine))
        for ((count, prompt) in listOf("one", "two").withIndex()) {
            dialogue.send(prompt)
            dialogue.awaitTurns(count + 1)
        }
        assertEquals(List(2) { emptyList<Message>() }, engine.conversations.map { it.history })
        assertEquals(listOf("x", "x"), engine.conversations.map { (it.answerFormat as AnswerFormat.Regex).pattern })
    }

    @Test
    fun `where the template takes one turn, each message begins a conversation, and what is shown stays`() = runBlocking {
        val engine = FakeEngine()
        val sample = sampleBundle()
        val dialogue = dialogue(openModel(sample.copy(manifest = sample.manifest!!.copy(oneTurn = true)), engine))
        for ((count, prompt) in listOf("one", "two", "six").withIndex()) {
            dialogue.send(prompt)
            dialogue.awaitTurns(count + 1)
        }
        assertEquals(List(3) { emptyList<Message>() }, engine.conversations.map { it.history })
        assertEquals(listOf("one", "two", "six"), dialogue.state.value.transcript.turns.map { it.prompt })
        assertEquals("three and 13 characters, once", 16, dialogue.state.value.transcript.contextUsed)
        assertEquals(1, engine.mostOpen)
    }

    @Test
    fun `an adapter takes one turn by its own template, or by the model's where it has none`() {
        val several = severalTasks("own", "shared", "one", form = null)
        fun adapter(name: String, change: AdapterManifest.() -> AdapterManifest) =
            (several.adapters.getValue(name) as InstalledAdapter.Usable).let { it.copy(manifest = it.manifest.change()) }
        val adapters = mapOf(
            "own" to adapter("own") { copy(chatTemplate = "{{ messages }}") },
            "shared" to adapter("shared") { this },
            "one" to adapter("one") { copy(chatTemplate = "{{ messages }}", oneTurn = true) },
        )
        fun oneTurn(ofModel: Boolean) = infoOf(several.copy(adapters = adapters, manifest = several.manifest!!.copy(oneTurn = ofModel)))
            .tasks.filter { it.oneTurn }.map { it.id }
        assertEquals(listOf("base", "shared", "one"), oneTurn(ofModel = true))
        assertEquals(listOf("one"), oneTurn(ofModel = false))
    }

    @Test
    fun `stop keeps what was said, and the next prompt starts from it`() = runBlocking {
        val engine = FakeEngine(answer = { FOR_MINUTES }, pieceMillis = 5, contextTokens = FOR_MINUTES.length)
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        dialogue.send("hello")
        dialogue.awaitText(turn = 0, "aaaaaa")
        dialogue.stop()
        val turn = dialogue.state.value.transcript.turns.single()
        assertEquals(Ending.Stopped, turn.ending)
        assertFalse(dialogue.state.value.answering)
        dialogue.send("again")
        dialogue.awaitText(turn = 1, "aaa")
        dialogue.stop()
        assertEquals(listOf(Message(Role.USER, "hello"), Message(Role.MODEL, turn.answer)), engine.conversations.last().history)
    }

    @Test
    fun `stop ends a prompt, too, that was sent as the answer before it ended`() = runBlocking {
        val engine = FakeEngine(answer = { FOR_MINUTES }, pieceMillis = 5, contextTokens = FOR_MINUTES.length)
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        dialogue.send("hello")
        dialogue.awaitText(turn = 0, "aaa")
        // Unconfined: sent from within the update that tells of the end.
        val sending = launch(Dispatchers.Unconfined) {
            dialogue.state.first { !it.answering }
            dialogue.send("again")
        }
        dialogue.stop()
        sending.join()
        assertFalse(dialogue.state.value.answering)
        assertTrue(scope.coroutineContext.job.children.none())
    }

    @Test
    fun `a prompt that does not fit is refused with the number of tokens too many`() = runBlocking {
        val dialogue = dialogue(openModel(sampleBundle(), FakeEngine(contextTokens = 10)))
        dialogue.send("x".repeat(13))
        val state = withTimeout(60.seconds) { dialogue.state.first { it.refusal != null && !it.answering } }
        assertEquals(Refusal("x".repeat(13), excess = 3), state.refusal)
        assertTrue(state.transcript.turns.isEmpty())
    }

    @Test
    fun `a failing engine is part of the conversation`() = runBlocking {
        val dialogue = dialogue(openModel(sampleBundle(), FakeEngine(failure = EngineFailure.OutOfMemory("no memory"))))
        dialogue.send("hello")
        val ending = dialogue.awaitTurns(1).transcript.turns.single().ending
        assertTrue((ending as Ending.Failed).failure is EngineFailure.OutOfMemory)
    }

    @Test
    fun `so is a failure that nobody thought of`() = runBlocking {
        val dialogue = dialogue(openModel(sampleBundle(), FakeEngine(failure = IllegalStateException("odd"))))
        dialogue.send("hello")
        val ending = dialogue.awaitTurns(1).transcript.turns.single().ending
        assertEquals("odd", (ending as Ending.Failed).failure.message)
    }

    @Test
    fun `other sampling settings take the conversation up again`() = runBlocking {
        val engine = FakeEngine()
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        assertEquals(Sampling.Greedy, dialogue.state.value.transcript.sampling)
        dialogue.send("hello")
        dialogue.awaitTurns(1)
        dialogue.use(Sampling.TopP(0.5f, 40, 0.9f))
        dialogue.send("and now")
        dialogue.awaitTurns(2)
        assertEquals(Sampling.TopP(0.5f, 40, 0.9f), engine.conversations.last().sampling)
        assertEquals(listOf("hello", "You said: hello"), engine.conversations.last().history.map { it.text })
    }

    @Test
    fun `a model that is closed meanwhile ends the answer, and what there is of it stays`() = runBlocking {
        val model = openModel(sampleBundle(), FakeEngine(answer = { FOR_MINUTES }, pieceMillis = 5))
        val dialogue = dialogue(model)
        dialogue.send("hello")
        dialogue.awaitText(turn = 0, "aaaaaa")
        model.close()
        val turn = dialogue.awaitTurns(1).transcript.turns.single()
        assertEquals(Ending.Stopped, turn.ending)
        assertTrue(turn.answer.startsWith("aaaaaa"))
        dialogue.use(Sampling.TopP(0.5f, 40, 0.9f))
        assertEquals(Sampling.TopP(0.5f, 40, 0.9f), dialogue.state.value.transcript.sampling)
    }

    @Test
    fun `reset forgets what was said and keeps the settings`() = runBlocking {
        val engine = FakeEngine()
        val dialogue = dialogue(openModel(sampleBundle(), engine))
        dialogue.use(Sampling.TopP(0.5f, 40, 0.9f))
        dialogue.send("hello")
        dialogue.awaitTurns(1)
        dialogue.reset()
        assertTrue(dialogue.state.value.transcript.turns.isEmpty())
        assertEquals(0, dialogue.state.value.transcript.contextUsed)
        dialogue.send("again")
        dialogue.awaitTurns(1)
        assertTrue(engine.conversations.last().history.isEmpty())
        assertEquals(Sampling.TopP(0.5f, 40, 0.9f), engine.conversations.last().sampling)
    }

    @Test
    fun `takes up what was said before, unless that was another model`() = runBlocking {
        val engine = FakeEngine()
        val bundle = sampleBundle()
        val said = listOf(Message(Role.USER, "hello"), Message(Role.MODEL, "Hi"))
        val before = Transcript(bundle.identity, listOf(Turn("hello", "Hi", Ending.Stopped)), Sampling.Greedy, 7, said)
        val dialogue = dialogue(openModel(bundle, engine), before)
        assertEquals(before, dialogue.state.value.transcript)
        dialogue.send("again")
        dialogue.awaitTurns(2)
        assertEquals(listOf("hello", "Hi"), engine.conversations.single().history.map { it.text })

        val other = dialogue(openModel(bundle, engine), before.copy(model = "another"))
        assertTrue(other.state.value.transcript.turns.isEmpty())
    }

    @Test
    fun `a bare file has a context of its own`() {
        val bare = sampleBundle(model = File("bare.litertlm")).copy(manifest = null)
        assertEquals(1024, infoOf(bare).contextTokens)
    }
}
