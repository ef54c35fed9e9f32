package dev.edgekit.core

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.calls.CallResult
import dev.edgekit.testing.Demo
import dev.edgekit.testing.ModelRule
import kotlinx.coroutines.flow.last
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** A model that calls. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class CallSessionTest {
    @get:Rule
    val rule = ModelRule { Demo.calls.copyRecursively(it) }

    @Test
    fun `the model goes on with what came of its calls`() = runBlocking {
        val session = rule.model.session()
        assertTrue(session.task.tools.any { it.name == "turn_on_flashlight" })
        assertThrows(IllegalStateException::class.java) { runBlocking { session.results(emptyList()).last() } }
        val asked = session.read(session.answer("turn on the flashlight"), isWhole = true) as Answer.Calls
        assertEquals("turn_on_flashlight", asked.asked.single().call.name)
        val said = session.results(listOf(CallResult("turn_on_flashlight", mapOf("status" to "done")))).last()
        val answer = session.read(said.text, isWhole = true)
        assertTrue("$answer", answer is Answer.Plain && answer.text.isNotBlank())
    }
}
