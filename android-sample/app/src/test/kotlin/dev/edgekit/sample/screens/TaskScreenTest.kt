package dev.edgekit.sample.screens

import android.content.ClipboardManager
import android.content.Intent
import android.os.Looper
import android.provider.Settings
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasContentDescription
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
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Action
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import java.util.concurrent.CopyOnWriteArraySet
import kotlinx.coroutines.CompletableDeferred
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
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
        app.awaitCard("Screen" to "Display", "Setting" to "Brightness", "Action" to "Increase")
        app.awaitText("First token")
        app.tap("Open settings")
        assertEquals(Settings.ACTION_DISPLAY_SETTINGS, shadowOf(application).nextStartedActivity.action)
    }

    @Test
    fun `what is typed is answered as well, and the context fills`() = launched {
        app.awaitText("0 / 4,096")
        app.say("turn off wifi please")
        app.awaitCard("Screen" to "Network", "Setting" to "Wifi", "Action" to "Disable")
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
        app.awaitCard("Setting" to "Brightness")
        app.tap("turn off wifi please")
        app.awaitCard("Screen" to "Network")
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
    fun `a card is there from the first token on, and fills while the model writes`() {
        val json = AnswerFormat.JsonSchema("""{"properties": {"note": {"type": "string"}, "colour": {"enum": ["red"]}}, "required": ["note", "colour"]}""")
        val goesOn = CompletableDeferred<Unit>()
        val answer = """{"note": "a long text", "colour": "red"}"""
        application.use(sampleBundle(json), FakeEngine(answer = { answer }, beforePiece = { if ("a long" in it) goesOn.await() }))
        launched {
            app.awaitText("hello")
            app.tap("hello")
            app.await(hasText("a long", substring = true))
            compose.onNode(hasText("a long text")).assertDoesNotExist()
            app.awaitCard("Colour" to "…")
            goesOn.complete(Unit)
            app.awaitCard("Note" to "a long text", "Colour" to "Red")
        }
    }

    @Test
    fun `answers are read where no frame waits for it`() {
        val readers = CopyOnWriteArraySet<Thread>()
        val noted = object : AbstractList<Action>() {
            override val size get() = 0.also { readers += Thread.currentThread() }

            override fun get(index: Int) = throw IndexOutOfBoundsException("$index")
        }
        val json = AnswerFormat.JsonSchema("""{"properties": {"note": {"type": "string"}}}""")
        application.use(sampleBundle(json, actions = noted), FakeEngine(answer = { """{"note": "a long text"}""" }, pieceMillis = 5))
        launched {
            app.awaitText("hello")
            readers.clear()
            app.tap("hello")
            app.awaitCard("Note" to "a long text")
        }
        assertTrue(readers.isNotEmpty())
        assertFalse(Looper.getMainLooper().thread in readers)
    }

    @Test
    fun `the thing and what is done with it stand over the card, and copying takes all of it`() = launched {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.await(hasTestTag("answer sentence") and hasText("Brightness: increase"))
        app.await(hasTestTag("figures"))
        app.tapIcon(R.string.copy)
        val copied = application.getSystemService(ClipboardManager::class.java)!!.primaryClip!!.getItemAt(0).text
        assertEquals("Brightness: increase\nScreen: Display\nSetting: Brightness\nAction: Increase", copied)
    }

    @Test
    fun `an answer is shared as text, and its prompt is taken back to be changed`() = launched {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.await(hasTestTag("figures"))
        app.tapIcon(R.string.share_answer)
        @Suppress("DEPRECATION")
        val sent = shadowOf(application).nextStartedActivity.getParcelableExtra<Intent>(Intent.EXTRA_INTENT)!!
        assertEquals("text/plain", sent.type)
        assertTrue(sent.getStringExtra(Intent.EXTRA_TEXT)!!.startsWith("Brightness: increase"))
        app.tapIcon(R.string.edit_prompt)
        compose.onNodeWithTag("prompt").assertTextContains("my screen is too dark")
    }

    @Test
    fun `who is no developer sees no figures, and nothing that only developers use`() {
        application.developer = false
        launched {
            app.awaitText("my screen is too dark")
            app.tap("my screen is too dark")
            app.await(hasTestTag("answer tools"))
            for (figure in listOf("First token", "4,096")) compose.onNode(hasText(figure, substring = true)).assertDoesNotExist()
            compose.onNode(hasContentDescription("Sampling")).assertDoesNotExist()
            app.tapIcon(R.string.more)
            app.awaitText("Settings")
            for (screen in listOf("Benchmark", "Self-test")) compose.onNode(hasText(screen)).assertDoesNotExist()
            app.tap("Settings")
            app.awaitText("Developer mode")
            app.tap("Developer mode")
            Espresso.pressBack()
            app.awaitText("First token")
            compose.onNode(hasContentDescription("Sampling")).assertIsDisplayed()
        }
        assertTrue(application.developer)
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
