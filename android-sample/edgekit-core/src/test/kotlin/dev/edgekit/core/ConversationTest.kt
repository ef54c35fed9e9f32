package dev.edgekit.core

import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.openModel
import dev.edgekit.testing.sampleBundle
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner

/** What a session remembers, with an engine that does as it is told. */
@RunWith(RobolectricTestRunner::class)
class ConversationTest {
    private val engine = FakeEngine()
    private val model = openModel(sampleBundle(), engine)

    private fun said(vararg texts: String) = texts.mapIndexed { index, text -> Message(if (index % 2 == 0) Role.USER else Role.MODEL, text) }

    @Test
    fun `a conversation grows in one of the engine's`() = runBlocking {
        val session = model.session()
        session.answer("one")
        session.answer("two")
        assertEquals(said("one", "You said: one", "two", "You said: two"), session.history)
        assertEquals(1, engine.conversations.size)
        assertEquals(session.history.sumOf { it.text.length }, session.contextUsed)
    }

    @Test
    fun `it is taken up again with what was said`() = runBlocking {
        val before = said("one", "You said: one")
        val session = model.session(history = before)
        assertEquals(before, session.history)
        session.answer("two")
        assertEquals(before, engine.conversations.single().history)
        assertEquals(before + said("two", "You said: two"), session.history)
    }

    @Test
    fun `of an answer that is cut off the model sees what there was`() = runBlocking {
        var holds = true
        val engine = FakeEngine(beforePiece = { said -> if (said.isNotEmpty() && holds) awaitCancellation() })
        val session = openModel(sampleBundle(), engine).session()
        session.ask("one").first()
        assertEquals(said("one", "You"), session.history)
        holds = false
        session.answer("two")
        assertEquals(said("one", "You"), engine.conversations.last().history)
    }

    @Test
    fun `of what is asked at the same time one answer follows the other`() = runBlocking(Dispatchers.Default) {
        val session = openModel(sampleBundle(), FakeEngine(pieceMillis = 5)).session()
        List(4) { async { session.answer("question $it") } }.awaitAll()
        assertEquals(8, session.history.size)
        session.history.chunked(2).forEach { (asked, told) -> assertEquals("You said: ${asked.text}", told.text) }
    }

    @Test
    fun `closing the session, or the model, ends an answer in its middle`() = runBlocking {
        for (end in listOf<(Session, Model) -> Unit>({ session, _ -> session.close() }, { _, model -> model.close() })) {
            val model = openModel(sampleBundle(), FakeEngine(answer = { "on and on ".repeat(1000) }, pieceMillis = 20))
            val session = model.session()
            val pieces = mutableListOf<Reply>()
            val failure = runCatching {
                session.ask("one").collect { reply ->
                    pieces += reply
                    if (pieces.size == 2) end(session, model)
                }
            }.exceptionOrNull()
            assertTrue("$failure", failure is EdgekitFailure.Closed)
            assertTrue("${pieces.size}", pieces.none { it is Reply.Complete } && pieces.size < 1000)
        }
    }

    @Test
    fun `a prompt that does not fit changes nothing`() = runBlocking {
        val session = model.session()
        session.answer("one")
        val before = session.history
        assertThrows(EngineFailure.PromptTooLong::class.java) { runBlocking { session.answer("x".repeat(2000)) } }
        assertEquals(before, session.history)
        session.answer("two")
        assertEquals("the same conversation", 1, engine.conversations.size)
    }

    @Test
    fun `where each question stands alone the last is remembered, for what it calls`() = runBlocking {
        val sample = sampleBundle()
        val alone = openModel(sample.copy(manifest = sample.manifest!!.copy(oneTurn = true)), engine).session()
        assertTrue(alone.task.oneTurn)
        alone.answer("one")
        alone.answer("two")
        assertEquals(said("two", "You said: two"), alone.history)
        assertEquals(List(2) { emptyList<Message>() }, engine.conversations.map { it.history })
        assertThrows(EngineFailure.PromptTooLong::class.java) { runBlocking { alone.answer("x".repeat(2000)) } }
        assertEquals(said("two", "You said: two"), alone.history)
    }

    @Test
    fun `reset forgets it`() = runBlocking {
        val session = model.session()
        session.answer("one")
        session.reset()
        assertEquals(0, session.contextUsed)
        session.answer("two")
        assertEquals(said("two", "You said: two"), session.history)
    }
}
