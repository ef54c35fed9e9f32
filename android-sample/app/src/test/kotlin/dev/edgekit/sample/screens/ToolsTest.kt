package dev.edgekit.sample.screens

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.provider.Settings
import android.view.View
import android.view.ViewGroup
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onAllNodesWithContentDescription
import androidx.compose.ui.test.onNodeWithText
import androidx.compose.ui.test.performClick
import androidx.compose.ui.test.performScrollTo
import androidx.core.content.IntentCompat
import androidx.core.view.children
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.bundle.Golden
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.testing.Demo
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import java.io.File
import java.util.concurrent.CountDownLatch
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Benchmark, self-test, model card and settings, with the real engine and the demo bundle. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class ToolsTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    private fun opened(destination: Destination, block: () -> Unit) = ActivityScenario.launch(MainActivity::class.java).use {
        app.await(hasTestTag("prompt"))
        app.open(destination)
        block()
    }

    private fun asset(name: String) = File(Demo.assets, name).readText()

    /** The file that the app hands to the app which the user chooses. */
    private fun shared(): String {
        val chooser = shadowOf(application).nextStartedActivity
        val send = checkNotNull(IntentCompat.getParcelableExtra(chooser, Intent.EXTRA_INTENT, Intent::class.java))
        val uri = checkNotNull(IntentCompat.getParcelableExtra(send, Intent.EXTRA_STREAM, Uri::class.java))
        return application.contentResolver.openInputStream(uri)!!.use { it.readBytes().decodeToString() }
    }

    @Test
    fun `the benchmark measures and shares what it measured`() = opened(Destination.BENCHMARK) {
        app.tap("64 + 32")
        app.tap("Start")
        app.await(hasTestTag("results"))
        app.awaitText("3 runs on the CPU")
        compose.onNode(hasText("Share JSON")).performScrollTo().performClick()
        val written = shared()
        // For `edgekit bench --import`, which a sample of it is held against.
        File(System.getProperty("edgekit.screenshots"), "benchmark.json").writeText(written)
        val json = JSONObject(written)
        val case = json.getJSONArray("cases").getJSONObject(0)
        assertEquals(listOf(true, false), List(2) { case.getJSONArray("inits").getJSONObject(it).getBoolean("cold") })
        val runs = List(4) { case.getJSONArray("runs").getJSONObject(it) }
        assertTrue(runs.all { it.getInt("prefill_tokens") == 64 && it.getInt("decode_tokens") == 32 })
        assertTrue(runs.all { it.getLong("rss_peak") > 0 && it.getDouble("decode_tps") > 0 })
        compose.onNode(hasText("Share CSV")).performScrollTo().performClick()
        assertEquals(5, shared().trim().lines().size)
    }

    @Test
    fun `the screen stays on while it measures, and no longer`() {
        var goesOn = CountDownLatch(1)
        application.use(sampleBundle(), FakeEngine(whileMeasuring = { goesOn.await() }))
        ActivityScenario.launch(MainActivity::class.java).use { scenario ->
            fun staysOn(): Boolean {
                var stays = false
                scenario.onActivity { activity -> stays = activity.window.decorView.descendants().any { it.keepScreenOn } }
                return stays
            }
            app.await(hasTestTag("prompt"))
            app.open(Destination.BENCHMARK)
            app.tap("64 + 32")
            assertFalse(staysOn())
            app.tap("Start")
            app.until { staysOn() }
            goesOn.countDown()
            app.await(hasTestTag("results"))
            app.until { !staysOn() }
            goesOn = CountDownLatch(1)
            app.tap("Start")
            app.until { staysOn() }
            Espresso.pressBack()
            compose.waitForIdle()
            assertFalse(staysOn())
            goesOn.countDown()
        }
    }

    private fun View.descendants(): Sequence<View> =
        sequenceOf(this) + (this as? ViewGroup)?.children.orEmpty().flatMap { it.descendants() }

    @Test
    fun `the conversation goes on after a benchmark`() = ActivityScenario.launch(MainActivity::class.java).use {
        app.await(hasTestTag("prompt"))
        app.tap("my screen is too dark")
        app.awaitText("First token")
        app.open(Destination.BENCHMARK)
        app.tap("64 + 32")
        app.tap("Start")
        app.await(hasTestTag("results"))
        Espresso.pressBack()
        app.awaitCard("Setting" to "Brightness")
        app.tap("turn off wifi please")
        app.awaitCard("Setting" to "Wifi")
    }

    @Test
    fun `the self-test compares every answer`() = opened(Destination.SELF_TEST) {
        app.tap("Start")
        val golden = JSONObject(asset("tasks.json")).getJSONArray("tasks").getJSONObject(0).getJSONArray("golden").length()
        app.awaitText("$golden of $golden answers are the same")
        assertEquals(golden, compose.onAllNodesWithContentDescription("Same answer").fetchSemanticsNodes().size)
    }

    @Test
    fun `an answer that differs is shown beside the desktop's`() {
        application.use(sampleBundle(golden = listOf(Golden("a", "another"))), FakeEngine())
        opened(Destination.SELF_TEST) {
            app.tap("Start")
            app.awaitText("0 of 1 answer")
            compose.onNodeWithText("another").assertIsDisplayed()
            compose.onNodeWithText("You said: a").assertIsDisplayed()
        }
    }

    @Test
    fun `the model card says what is in the app`() = opened(Destination.MODEL) {
        val manifest = JSONObject(asset("edgekit.json"))
        for (text in listOf("int8", "4,096 tokens", "JSON under a schema", "0.18.1", manifest.getJSONObject("model").getString("sha256"))) {
            app.awaitText(text)
        }
        compose.onNode(hasText("Apache License", substring = true)).performScrollTo().assertIsDisplayed()
    }

    @Test
    fun `about says under which licences and terms everything is`() = opened(Destination.ABOUT) {
        compose.onNode(hasText("Apache License", substring = true) and hasText("settings-navigator", substring = true)).assertExists()
        for (component in components(application)) app.awaitText("${component.name} ${component.version}")
        compose.onAllNodes(hasText(app.text(R.string.show_licence)))[0].performScrollTo().performClick()
        compose.onNode(hasTestTag("licence") and hasText("END OF TERMS AND CONDITIONS", substring = true)).assertExists()
        compose.onNode(hasText(app.text(R.string.hide_licence))).performScrollTo().performClick()
        compose.onNode(hasTestTag("licence")).assertDoesNotExist()
        compose.onAllNodes(hasText(app.text(R.string.show_licence)))[1].performScrollTo().performClick()
        compose.onNode(hasTestTag("licence") and hasText("Legion of the Bouncy Castle", substring = true)).assertExists()
    }

    @Test
    fun `every licence of what the app carries is in the app`() {
        assertEquals(components(application).map { it.licence }.toSet(), Licence.entries.map { it.id }.toSet())
    }

    @Test
    fun `another model comes from the file picker, and the app's own comes back`() =
        ActivityScenario.launch(MainActivity::class.java).use<_, Unit> { scenario ->
            app.await(hasTestTag("prompt"))
            app.open(Destination.SETTINGS)
            app.awaitText(app.text(R.string.is_built_in))
            app.tap(app.text(R.string.open_another))
            val document = Uri.parse("content://documents/other.litertlm")
            shadowOf(application.contentResolver).registerInputStreamSupplier(document) { Demo.model.inputStream() }
            scenario.onActivity { activity ->
                val asked = shadowOf(activity).nextStartedActivityForResult.intent
                assertEquals(Intent.ACTION_OPEN_DOCUMENT, asked.action)
                shadowOf(activity).receiveResult(asked, Activity.RESULT_OK, Intent().setData(document))
            }
            app.awaitText(app.text(R.string.is_picked))
            app.tap(app.text(R.string.back_to_built_in))
            app.awaitText(app.text(R.string.is_built_in))
        }

    @Test
    fun `the settings lead to the system's page of the app's language`() = opened(Destination.SETTINGS) {
        compose.onNode(hasText(app.text(R.string.language_setting))).performScrollTo().performClick()
        val started = shadowOf(application).nextStartedActivity
        assertEquals(Settings.ACTION_APP_LOCALE_SETTINGS, started.action)
        assertEquals("package:${application.packageName}", started.dataString)
    }

    @Test
    fun `back goes to the task`() = opened(Destination.MODEL) {
        app.tapIcon(R.string.back)
        app.await(hasTestTag("prompt"))
    }
}
