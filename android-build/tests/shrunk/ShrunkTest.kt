package com.example.shrunk

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Reply
import dev.edgekit.core.answers.Answer
import dev.edgekit.testing.DemoBundle
import dev.edgekit.testing.ModelRule
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** An app's code, shrunk together with the libraries: what R8 took away or renamed is missed here. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class, manifest = Config.NONE, sdk = [35])
class ShrunkTest {
    @get:Rule
    val rule = ModelRule()

    @Test
    fun itAnswers() = runBlocking {
        val session = rule.model.session()
        val replies = session.ask(DemoBundle.PROMPT).toList()
        assertTrue(replies.dropLast(1).all { it is Reply.Partial } && replies.last() is Reply.Complete)
        val fields = (session.read(replies.last().text, isWhole = true) as Answer.Card).fields
        assertEquals(listOf("Display", "Brightness", "Increase"), fields.map { it.value })
    }

    @Test
    fun itSaysWhatFailed() = runBlocking {
        val failure = runCatching { rule.model.session().answer("dark ".repeat(rule.model.info.contextTokens)) }.exceptionOrNull()
        assertTrue("$failure", failure is EngineFailure.PromptTooLong)
    }

    @Test
    fun itAnswersAsTheDesktopDid() = runBlocking {
        assertTrue(rule.model.selfTest().toList().run { isNotEmpty() && all { it.same } })
    }
}
