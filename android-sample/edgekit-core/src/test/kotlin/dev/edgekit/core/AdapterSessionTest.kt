package dev.edgekit.core

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.testing.Demo
import dev.edgekit.testing.DemoBundle
import dev.edgekit.testing.ModelRule
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertEquals
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

private const val BRIGHTER = """{"screen": "display", "setting": "brightness", "action": "increase"}"""

/** Tasks with adapters of one base, each with its own form of answers. */
@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class AdapterSessionTest {
    @get:Rule
    val rule = ModelRule { Demo.severalTasks.copyRecursively(it) }

    @Test
    fun `tasks take turns at the engine with an adapter each`() = runBlocking {
        val model = rule.model
        val (base, mood) = listOf(model.session(), model.session("sentiment"))
        repeat(2) {
            assertEquals(BRIGHTER, base.answer(DemoBundle.PROMPT))
            assertEquals("""{"sentiment": "positive"}""", mood.answer("I love the keyboard"))
        }
        assertEquals(listOf(null, "sentiment", "support-triage"), model.info.tasks.map { it.adapter?.name })
        assertEquals(setOf("sentiment", "support-triage"), model.info.adapters.map { it.name }.toSet())
        assertEquals("sentiment", model.lastSwitch.value?.task)
    }
}
