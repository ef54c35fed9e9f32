package dev.edgekit.sample.screens

import android.content.ComponentName
import android.content.Intent
import android.content.IntentFilter
import android.provider.CalendarContract
import android.provider.Settings
import androidx.compose.ui.test.assertIsNotEnabled
import androidx.compose.ui.test.assertTextContains
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performTextReplacement
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.Message
import dev.edgekit.sample.MainActivity
import dev.edgekit.testing.Demo
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import dev.edgekit.testing.sampleCalling
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Cards of calls: looked at, changed, carried out, and told to the model. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class ActionsTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    /** The app over a model that says this to a prompt, and something else to results. */
    private fun saying(answer: String, afterwards: String = "It is done.", block: (FakeEngine) -> Unit) {
        val sample = sampleBundle()
        val engine = FakeEngine(answer = { if ("\"result\": {" in it) afterwards else answer })
        application.use(sample.copy(manifest = sample.manifest!!.copy(calling = sampleCalling())), engine)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.awaitText("hello")
            app.tap("hello")
            app.awaitText("First token")
            block(engine)
        }
    }

    private fun call(name: String, arguments: String = "{}") = """{"name": "$name", "arguments": $arguments}"""

    /** The results that the model was told. */
    private val FakeEngine.results get() = sent.last().text.lines().map(::JSONObject)

    private fun JSONObject.said(key: String) = getJSONObject("result").getString(key)

    private fun install(filter: IntentFilter) = shadowOf(application.packageManager).run {
        val other = ComponentName("other", "other.${filter.getAction(0)}")
        addActivityIfNotPresent(other)
        addIntentFilterForActivity(other, filter.apply { addCategory(Intent.CATEGORY_DEFAULT) })
    }

    /** The demo's own model in the real engine. */
    @Test
    fun `a model's answer becomes cards, and it speaks of what came of them`() {
        application.useAssets(Demo.calls)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.await(hasTestTag("prompt"))
            app.say("timer for 5 minutes and volume to 30")
            app.awaitText("Timer: 5:00")
            app.awaitText("Set the volume to 30 %")
            app.await(hasTestTag("figures"))
            app.tap("Do it")
            app.awaitText("Done")
            app.tap("Open")
            app.awaitText("No app on this phone can do this.")
            app.until { compose.onAllNodes(hasTestTag("figures")).fetchSemanticsNodes().size == 2 }
            compose.onNode(hasTestTag("answer text")).assertTextContains("not", substring = true)
        }
    }

    @Test
    fun `what the model has no tool for is an answer in words`() {
        application.useAssets(Demo.calls)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.await(hasTestTag("prompt"))
            app.say("tell me a joke")
            app.awaitText("no tool")
            compose.onNode(hasTestTag("call card")).assertDoesNotExist()
        }
    }

    @Test
    fun `nothing happens before the tap, then it does, and the model is told`() {
        install(IntentFilter(Settings.ACTION_WIFI_SETTINGS))
        saying(call("open_wifi_settings")) { engine ->
            app.awaitText("Open the Wi-Fi settings")
            assertNull(shadowOf(application).nextStartedActivity)
            assertEquals(1, engine.sent.size)
            app.tap("Open")
            assertEquals(Settings.ACTION_WIFI_SETTINGS, shadowOf(application).nextStartedActivity.action)
            app.awaitText("Opened in another app")
            app.awaitText("It is done.")
            assertEquals("opened", engine.results.single().said("status"))
            assertEquals("the same conversation", 1, engine.conversations.size)
        }
    }

    @Test
    fun `what is edited is what is carried out`() {
        install(IntentFilter(Intent.ACTION_INSERT).apply { addDataType("vnd.android.cursor.dir/event") })
        val arguments = """{"title": "Dentist", "datetime": "2026-03-05T10:00:00"}"""
        saying(call("create_calendar_event", arguments)) {
            app.awaitText("New event: Dentist")
            app.awaitText("Thursday, March 5, 2026")
            compose.onNode(hasText("Title")).performTextReplacement("Doctor")
            app.awaitText("New event: Doctor")
            app.tap("Open")
            compose.waitForIdle()
            val started = shadowOf(application).nextStartedActivity
            if (started != null) assertEquals("Doctor", started.getStringExtra(CalendarContract.Events.TITLE))
            else app.awaitText("No app on this phone")
        }
    }

    @Test
    fun `an argument that is no value cannot be carried out`() = saying(call("set_timer", """{"minutes": 5}""")) {
        app.awaitText("Timer: 5:00")
        compose.onNode(hasText("Minutes")).performTextReplacement("soon")
        app.awaitText("Not a number")
        compose.onNodeWithTag("carry out").assertIsNotEnabled()
    }

    @Test
    fun `what no app can do says so, to the model as well`() = saying(call("show_map", """{"query": "Oslo"}"""), "No map.") { engine ->
        app.awaitText("Show on the map: Oslo")
        app.tap("Open")
        app.awaitText("No app on this phone can do this.")
        app.awaitText("No map.")
        assertEquals("error", engine.results.single().said("status"))
    }

    @Test
    fun `of several calls each is decided on, then the model goes on`() {
        val calls = "[${call("open_wifi_settings")}, ${call("show_map", """{"query": "Oslo"}""")}]"
        saying(calls, "Nothing done.") { engine ->
            app.await(hasTestTag("call card"))
            compose.onAllNodes(hasText("Skip")).run {
                assertEquals(2, fetchSemanticsNodes().size)
                get(0).performClick()
            }
            app.awaitText("Skipped")
            assertEquals(1, engine.sent.size)
            app.tap("Skip")
            app.awaitText("Nothing done.")
            assertEquals(listOf("open_wifi_settings", "show_map"), engine.results.map { it.getString("name") })
        }
    }

    @Test
    fun `a tool that there is not, and one for which the app does nothing, are shown as such`() {
        saying("[${call("fly", """{"to": "Mars"}""")}, ${call("order_pizza")}]") { engine ->
            app.awaitText("The model asks for something that it was not offered.")
            app.awaitText("This app can do nothing for this.")
            app.tap("Skip")
            app.awaitText("It is done.")
            assertEquals("there is no such tool", engine.results[0].said("reason"))
        }
    }

    @Test
    fun `a call that cannot be read is shown as it came`() = saying("""{"name": "show_map", "arguments": {""") {
        app.awaitText("in a form that cannot be read")
        compose.onNodeWithText("""{"name": "show_map", "arguments": {""").assertExists()
    }

    @Test
    fun `words are words, and the next message leaves what was not decided on`() = saying(call("open_wifi_settings")) { engine ->
        app.say("hello again")
        app.awaitText("Not carried out")
        app.until { engine.conversations.size == 2 }
        assertEquals(List(2) { emptyList<Message>() }, engine.conversations.map { it.history })
    }
}
