package dev.edgekit.sample.screens

import android.os.Bundle
import androidx.activity.BackEventCompat
import androidx.activity.OnBackPressedDispatcher
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performTextInput
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.sample.MainActivity
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** What survives a rotation, and what survives the end of the process. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class RecreationTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    private fun launched(block: (ActivityScenario<MainActivity>) -> Unit) =
        ActivityScenario.launch(MainActivity::class.java).use { block(it) }

    private fun askAboutTheScreen() {
        app.awaitText("my screen is too dark")
        app.tap("my screen is too dark")
        app.awaitText("First token")
    }

    private fun assertConversationGoesOn() {
        app.awaitCard("Screen" to "Display", "Setting" to "Brightness", "Action" to "Increase")
        app.awaitText("First token")
        app.tap("turn off wifi please")
        app.awaitCard("Setting" to "Wifi", "Action" to "Disable")
    }

    @Test
    fun `a recreated activity shows the conversation and goes on with it`() = launched {
        askAboutTheScreen()
        it.recreate()
        assertConversationGoesOn()
    }

    @Test
    fun `a turned phone shows the conversation beside the rail`() = launched {
        askAboutTheScreen()
        RuntimeEnvironment.setQualifiers("w891dp-h411dp-land")
        it.recreate()
        app.awaitText("Model card")
        app.awaitCard("Setting" to "Brightness")
    }

    @Test
    fun `a draft is kept`() = launched {
        app.await(hasTestTag("prompt"))
        compose.onNodeWithTag("prompt").performTextInput("my battery")
        it.recreate()
        compose.onNodeWithTag("prompt").assertTextContains("my battery")
    }

    @Test
    fun `a draft is kept by a back gesture that uncovers it`() = launched { scenario ->
        app.await(hasTestTag("prompt"))
        compose.onNodeWithTag("prompt").performTextInput("my battery")
        app.open(Destination.MODEL)
        app.awaitText("4,096 tokens")
        fun back(step: OnBackPressedDispatcher.() -> Unit) {
            scenario.onActivity { it.onBackPressedDispatcher.step() }
            compose.waitForIdle()
        }
        back { dispatchOnBackStarted(BackEventCompat(0f, 0f, 0f, BackEventCompat.EDGE_LEFT)) }
        back { dispatchOnBackProgressed(BackEventCompat(100f, 0f, 0.5f, BackEventCompat.EDGE_LEFT)) }
        compose.onNodeWithTag("prompt").performTextInput(" is old,")
        back { onBackPressed() }
        compose.onNodeWithTag("prompt").assertTextContains("my battery", substring = true)
        compose.onNodeWithTag("prompt").assertTextContains("is old,", substring = true)
    }

    @Test
    fun `the conversation outlives the process`() {
        val saved = Bundle()
        Robolectric.buildActivity(MainActivity::class.java).setup().use { first ->
            askAboutTheScreen()
            first.saveInstanceState(saved).pause().stop().destroy()
        }
        application.startAnew()
        Robolectric.buildActivity(MainActivity::class.java).setup(saved).use { assertConversationGoesOn() }
    }

    @Test
    fun `so does the screen that was open`() {
        val saved = Bundle()
        Robolectric.buildActivity(MainActivity::class.java).setup().use { first ->
            app.await(hasTestTag("prompt"))
            app.open(Destination.MODEL)
            app.awaitText("4,096 tokens")
            first.saveInstanceState(saved).pause().stop().destroy()
        }
        application.startAnew()
        Robolectric.buildActivity(MainActivity::class.java).setup(saved).use { app.awaitText("4,096 tokens") }
    }
}
