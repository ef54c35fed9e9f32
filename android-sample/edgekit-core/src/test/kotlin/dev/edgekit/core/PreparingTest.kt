package dev.edgekit.core

import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.typed.prepared
import dev.edgekit.core.typed.typed
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.severalTasks
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** Conversations that the engine opens before anybody speaks in them, which takes it seconds under an answer format. */
@RunWith(RobolectricTestRunner::class)
class PreparingTest {
    private val engine = FakeEngine()
    private val held = sampleBundle(answerFormat = AnswerFormat.Regex("(calm|angry)"))

    /** Opened: all that were asked of the engine so far. */
    private suspend fun FakeEngine.opens(count: Int) = withTimeout(60.seconds) { while (opened.size < count) delay(5) }

    @Test
    fun `what was prepared is what the first question uses`() = runBlocking {
        val session = openModel(held, engine).session()
        session.prepare()
        session.prepare()
        assertEquals(1, engine.opened.size)
        session.answer("one")
        assertEquals(listOf("one"), engine.sent.map { it.text })
        engine.opens(2)
        assertEquals("the first served the question, the second waits", 2, engine.opened.size)
    }

    @Test
    fun `after an answer that stands alone the next conversation opens by itself, without what was said`() = runBlocking {
        val session = openModel(held, engine).session()
        repeat(3) {
            session.answer("one")
            engine.opens(it + 2)
        }
        assertEquals(4, engine.opened.size)
        assertEquals(setOf(emptyList<Message>()), engine.opened.map { it.history }.toSet())
        assertEquals("one at a time", 1, engine.mostOpen)
    }

    @Test
    fun `whoever asks alike gets it, also in a session of its own`() = runBlocking {
        val model = openModel(held, engine).prepared()
        repeat(3) {
            assertEquals("You said: one", model.typed(null, "one") { text -> text }.getOrThrow())
            engine.opens(it + 2)
        }
        assertEquals(4, engine.opened.size)
    }

    @Test
    fun `whoever asks otherwise does not`() = runBlocking {
        val model = openModel(severalTasks("tone", "topic"), engine)
        model.session("tone").prepare()
        model.session("topic").answer("one")
        assertEquals(listOf("tone", "topic"), engine.opened.take(2).map { it.adapter?.name?.substringBefore(".") })
    }

    @Test
    fun `a conversation that goes on is kept, and prepared with what was said before`() = runBlocking {
        val before = listOf(Message(Role.USER, "one"), Message(Role.MODEL, "You said: one"))
        val session = openModel(sampleBundle(), engine).session(history = before)
        session.prepare()
        session.answer("two")
        session.prepare()
        session.answer("three")
        assertEquals(listOf(before), engine.opened.map { it.history })
    }

    @Test
    fun `one that others took is opened again`() = runBlocking {
        val model = openModel(sampleBundle(), engine)
        val (one, two) = List(2) { model.session() }
        one.answer("one")
        two.answer("two")
        one.prepare()
        one.answer("three")
        assertEquals(listOf(0, 0, 2), engine.opened.map { it.history.size })
    }

    @Test
    fun `what goes wrong meanwhile is told when somebody asks`() = runBlocking {
        val failing = object : Engine by engine {
            override fun converse(settings: ConversationSettings): Conversation =
                if (engine.opened.isEmpty()) engine.converse(settings) else throw EngineFailure.Other("no room")
        }
        val session = openModel(held, failing).prepared().session()
        session.answer("one")
        delay(100)
        val failure = runCatching { session.answer("two") }.exceptionOrNull()
        assertEquals("no room", (failure as EngineFailure).message)
    }

    @Test
    fun `what nobody thought of does not end the process either`() = runBlocking {
        val failing = object : Engine by engine {
            override fun converse(settings: ConversationSettings): Conversation =
                if (engine.opened.isEmpty()) engine.converse(settings) else throw IllegalStateException("unforeseen")
        }
        val uncaught = CompletableDeferred<Throwable>()
        val before = Thread.getDefaultUncaughtExceptionHandler()
        Thread.setDefaultUncaughtExceptionHandler { _, failure -> uncaught.complete(failure) }
        try {
            openModel(held, failing).session().answer("one")
            assertNull(withTimeoutOrNull(300) { uncaught.await() })
        } finally {
            Thread.setDefaultUncaughtExceptionHandler(before)
        }
    }

    @Test
    fun `a model that is not waited for is closed`() = runBlocking {
        val slow = object : Engine by engine {
            override fun converse(settings: ConversationSettings): Conversation {
                Thread.sleep(300)
                return engine.converse(settings)
            }
        }
        val model = openModel(held, slow)
        withTimeoutOrNull(100) { model.prepared() }
        assertThrows(EdgekitFailure.Closed::class.java) { model.session() }
        withTimeout(60.seconds) { while (!engine.isClosed) delay(5) }
    }
}
