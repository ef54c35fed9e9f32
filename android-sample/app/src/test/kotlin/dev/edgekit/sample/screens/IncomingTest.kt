package dev.edgekit.sample.screens

import android.app.Activity
import android.content.ComponentName
import android.content.Intent
import android.content.IntentFilter
import android.speech.RecognizerIntent
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasContentDescription
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performTextInput
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.sample.Incoming
import dev.edgekit.sample.LastTaskTile
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.sample.incomingOf
import dev.edgekit.sample.openTask
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.severalTasks
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config

/** Ways into the app from outside: a shared text, a marked one, the tile, and speech. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class IncomingTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()
    private val engine = FakeEngine()

    private fun shared(text: CharSequence?) = Intent(Intent.ACTION_SEND).setType("text/plain").putExtra(Intent.EXTRA_TEXT, text)

    private fun marked(text: CharSequence?) = Intent(Intent.ACTION_PROCESS_TEXT).setType("text/plain").putExtra(Intent.EXTRA_PROCESS_TEXT, text)

    private fun launched(bundle: Bundle, intent: Intent = Intent(), block: (ActivityController<MainActivity>) -> Unit) {
        application.use(bundle, engine)
        val activity = Robolectric.buildActivity(MainActivity::class.java, intent)
        activity.setup().use { block(activity) }
    }

    @Test
    fun `a shared text is a draft, and is sent by its user only`() = launched(sampleBundle(), shared("make it brighter")) {
        app.await(hasTestTag("prompt") and hasText("make it brighter"))
        assertTrue(engine.sent.isEmpty())
        app.tapIcon(R.string.send)
        app.awaitText("You said: make it brighter")
    }

    @Test
    fun `a marked text comes to the app that is open, after what was typed`() = launched(sampleBundle()) { activity ->
        app.await(hasTestTag("prompt"))
        compose.onNodeWithTag("prompt").performTextInput("please")
        activity.newIntent(marked("make it brighter"))
        app.await(hasTestTag("prompt") and hasText("please\nmake it brighter"))
    }

    @Test
    fun `where there are several tasks, one is chosen for the text, and the next text finds it again`() =
        launched(severalTasks("mood", "topic"), shared("what a day")) { activity ->
            app.awaitText("what a day")
            app.tap("Task mood")
            app.await(hasTestTag("prompt") and hasText("what a day"))
            activity.newIntent(marked("and a night"))
            app.await(hasTestTag("prompt") and hasText("what a day\nand a night"))
            assertTrue(engine.sent.isEmpty())
        }

    @Test
    fun `the tile opens the task that was open last, and is called as it`() {
        launched(severalTasks("mood", "topic"), openTask(application, "topic")) {
            app.awaitText("What topic does.")
            val tile = Robolectric.buildService(LastTaskTile::class.java).create().get()
            tile.onStartListening()
            assertEquals("Task topic", tile.qsTile.label)
        }
        launched(severalTasks("mood"), openTask(application, "no such task")) { app.await(hasTestTag("tasks")) }
    }

    @Test
    fun `what says nothing, or too much, does no harm`() {
        for (intent in listOf(Intent(), Intent(Intent.ACTION_MAIN), shared(null), shared(" \n"), marked(""))) assertNull(incomingOf(intent))
        assertNull(incomingOf(Intent(Intent.ACTION_SEND).putExtra(Intent.EXTRA_TEXT, 7)))
        assertEquals(20_000, incomingOf(shared("a".repeat(1_000_000)))!!.text!!.length)
        assertEquals(Incoming("b", null), incomingOf(marked(" b ")))
    }

    @Test
    fun `without a recogniser there is no microphone`() = launched(sampleBundle()) {
        app.await(hasTestTag("prompt"))
        compose.onNode(hasContentDescription(app.text(R.string.speak))).assertDoesNotExist()
    }

    @Test
    fun `what the phone's recogniser understood is a draft`() {
        val recogniser = ComponentName("org.example.speech", "Recogniser")
        val packages = shadowOf(application.packageManager)
        packages.addActivityIfNotPresent(recogniser)
        packages.addIntentFilterForActivity(
            recogniser,
            IntentFilter(RecognizerIntent.ACTION_RECOGNIZE_SPEECH).apply { addCategory(Intent.CATEGORY_DEFAULT) },
        )
        launched(sampleBundle()) { activity ->
            app.await(hasContentDescription(app.text(R.string.speak)))
            app.tapIcon(R.string.speak)
            val asked = shadowOf(activity.get()).nextStartedActivityForResult
            assertEquals(RecognizerIntent.ACTION_RECOGNIZE_SPEECH, asked.intent.action)
            val heard = Intent().putStringArrayListExtra(RecognizerIntent.EXTRA_RESULTS, arrayListOf("turn it up", "turn it off"))
            compose.runOnUiThread { shadowOf(activity.get()).receiveResult(asked.intent, Activity.RESULT_OK, heard) }
            compose.waitForIdle()
            compose.onNodeWithTag("prompt").assertTextContains("turn it up")
        }
    }
}
