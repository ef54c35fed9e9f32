package dev.edgekit.sample.screens

import android.provider.Settings
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.isToggleable
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextInput
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** The task as its user meets it: the real activity, the real engine, the demo bundle. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class TaskScreenTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    private fun launched(block: () -> Unit) = ActivityScenario.launch(MainActivity::class.java).use { block() }

    @Test
    fun `an example is tapped, and its answer is a card that opens the settings page`() = launched {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.awaitCard("Screen" to "display", "Setting" to "brightness", "Action" to "increase")
        app.awaitText("First token")
        app.tap("Open settings")
        assertEquals(Settings.ACTION_DISPLAY_SETTINGS, shadowOf(application).nextStartedActivity.action)
    }

    @Test
    fun `what is typed is answered as well, and the context fills`() = launched {
        app.awaitText("0 / 4,096")
        app.say("turn off wifi please")
        app.awaitCard("Screen" to "network", "Setting" to "wifi", "Action" to "disable")
        app.awaitText("First token")
        compose.onNode(hasText("0 / 4,096")).assertDoesNotExist()
        compose.onNodeWithTag("prompt").assertTextContains("")
    }

    @Test
    fun `a model of one turn says that each message stands alone`() {
        val sample = sampleBundle()
        application.use(sample.copy(manifest = sample.manifest!!.copy(oneTurn = true)), FakeEngine())
        launched {
            app.awaitText("hello")
            app.awaitText("Each message stands alone")
        }
        application.use(sample, FakeEngine())
        launched {
            app.awaitText("hello")
            compose.onNode(hasText("Each message stands alone", substring = true)).assertDoesNotExist()
        }
    }

    @Test
    fun `a prompt that passes the context is refused and stays to be shortened`() = launched {
        app.awaitText("0 / 4,096")
        val long = "my screen is too dark ".repeat(2000).trim()
        app.say(long)
        app.awaitText("tokens too long")
        compose.onNodeWithTag("prompt").assertTextContains(long)
    }

    @Test
    fun `a new conversation begins with the examples`() = launched {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.awaitText("First token")
        app.tapIcon(R.string.reset)
        app.awaitText("Try one of these")
        app.awaitText("0 / 4,096")
    }

    @Test
    fun `other sampling settings keep what is shown`() = launched {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.awaitText("First token")
        app.tapIcon(R.string.sampling)
        compose.onNode(isToggleable()).performClick()
        app.tap("Apply")
        app.awaitCard("Setting" to "brightness")
        app.tap("turn off wifi please")
        app.awaitCard("Screen" to "network")
    }

    @Test
    fun `stop ends the answer and keeps what was said`() {
        application.use(sampleBundle(), FakeEngine(answer = { "on and on ".repeat(1000) }, pieceMillis = 20))
        launched {
            app.awaitText("hello")
            app.tap("hello")
            app.awaitText("on and on")
            app.tapIcon(R.string.stop)
            app.awaitText("Stopped")
            compose.onNodeWithText("on and on", substring = true).assertIsDisplayed()
        }
    }

    @Test
    fun `half a JSON is text until it is whole`() {
        val json = AnswerFormat.JsonSchema("{}")
        application.use(sampleBundle(json), FakeEngine(answer = { """{"colour": "red"}""" }, pieceMillis = 150))
        launched {
            app.awaitText("hello")
            app.tap("hello")
            app.await(hasTestTag("answer text") and hasText("{\"c", substring = true))
            app.awaitCard("Colour" to "red")
        }
    }

    @Test
    fun `an answer from a set of labels is a label`() {
        application.use(sampleBundle(AnswerFormat.Regex("(spam|ham)")), FakeEngine(answer = { "spam" }))
        launched {
            app.awaitText("hello")
            app.tap("hello")
            app.await(hasTestTag("answer label"))
            compose.onNodeWithText("spam").assertIsDisplayed()
        }
    }

    @Test
    fun `an engine without memory says so in the conversation`() {
        application.use(sampleBundle(), FakeEngine(failure = EngineFailure.OutOfMemory("no memory")))
        launched {
            app.awaitText("hello")
            app.tap("hello")
            app.awaitText("Not enough memory")
        }
    }

    @Test
    fun `the sampling sheet begins with the settings of the bundle`() {
        val engine = FakeEngine()
        val sample = sampleBundle()
        application.use(sample.copy(manifest = sample.manifest?.copy(sampling = Sampling.TopP(0.7f, 40, 0.9f))), engine)
        launched {
            app.awaitText("hello")
            app.tapIcon(R.string.sampling)
            app.awaitText("0.7")
            app.awaitText("40")
            app.awaitText("0.9")
            compose.onNode(hasText("Seed")).performTextInput("7")
            app.tap("Apply")
            app.tap("hello")
            app.awaitText("You said: hello")
            assertEquals(Sampling.TopP(0.7f, 40, 0.9f, seed = 7), engine.conversations.single().sampling)
        }
    }

    @Test
    fun `a settings page that the phone does not have is a message`() = launched {
        shadowOf(application).checkActivities(true)
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.awaitText("Open settings")
        app.tap("Open settings")
        app.awaitText("no such settings page")
        assertTrue(shadowOf(application).nextStartedActivity == null)
    }
}
