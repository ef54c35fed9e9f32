package dev.edgekit.sample.screens

import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.runtime.Composable
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.OpenProgress
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.HostState
import dev.edgekit.testing.Demo
import java.io.File
import org.junit.After
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A walk through every screen of the real app, photographed: in light, dark, Japanese, right to left, and large. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class ScreenshotTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @get:Rule
    val folder = TemporaryFolder()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    @After
    fun normalFont() = RuntimeEnvironment.setFontScale(1f)

    @Test
    fun light() = walk("light", "en-rUS-ldltr-w411dp-h891dp-port-notnight-hdpi")

    @Test
    fun dark() = walk("dark", "en-rUS-ldltr-w411dp-h891dp-port-night-hdpi")

    @Test
    fun japanese() = walk("ja", "ja-rJP-ldltr-w411dp-h891dp-port-notnight-hdpi", example = "字が小さくて読めない")

    /** Arabic, of which the app has no texts: they stay English, and the screen is laid out from the right. */
    @Test
    fun rightToLeft() = walk("rtl", "ar-rXB-ldrtl-w411dp-h891dp-port-notnight-hdpi")

    @Test
    fun large() = walk("large", "en-rUS-ldltr-w411dp-h891dp-port-notnight-hdpi", fontScale = 2f)

    @Test
    fun wide() {
        RuntimeEnvironment.setQualifiers("nb-rNO-ldltr-w891dp-h411dp-land-notnight-hdpi")
        application.developer = false
        shown({ EdgekitApp() }) {
            ask("gjør skjermen lysere")
            compose.screenshot("wide-task")
        }
        application.useAssets(Demo.severalTasks)
        shown({ EdgekitApp() }) {
            app.await(hasTestTag("tasks"))
            compose.screenshot("wide-tasks")
        }
    }

    private fun walk(variant: String, qualifiers: String, fontScale: Float = 1f, example: String = "my screen is too dark") {
        RuntimeEnvironment.setQualifiers(qualifiers)
        RuntimeEnvironment.setFontScale(fontScale)
        val shoot = { screen: String -> compose.screenshot("$variant-$screen") }
        shown({ Start(HostState.Opening(OpenProgress.Copying(123_000_000, 280_000_000))) }) { shoot("copying") }
        shown({ Start(HostState.Failed(BundleFailure.NoSpace(needed = 280_000_000, free = 120_000_000))) }) { shoot("no-space") }
        // What most people see has no figures; those of this machine would say nothing of a phone.
        application.developer = false
        shown({ EdgekitApp() }) {
            app.awaitText(example)
            shoot("examples")
            ask(example)
            shoot("answer")
            tool(Destination.MODEL) { shoot("model-card") }
            tool(Destination.SETTINGS) { shoot("settings") }
            tool(Destination.ABOUT) { shoot("about") }
        }
        application.developer = true
        shown({ EdgekitApp() }) {
            app.awaitText(example)
            app.tapIcon(R.string.sampling)
            app.awaitText(app.text(R.string.apply))
            shoot("sampling")
            app.tap(app.text(R.string.apply))
            tool(Destination.BENCHMARK) { shoot("benchmark") }
            tool(Destination.SELF_TEST) {
                app.tap(app.text(R.string.start_self_test))
                app.await(hasText(app.text(R.string.start_self_test)))
                shoot("self-test")
            }
        }
        application.developer = false
        walkTasks(variant, shoot)
    }

    /** One base and two adapters, of which one is damaged in the end. */
    private fun walkTasks(variant: String, shoot: (String) -> Unit) {
        application.useAssets(Demo.severalTasks)
        shown({ EdgekitApp() }) {
            app.await(hasTestTag("tasks"))
            shoot("tasks")
            app.tap("Sentiment")
            ask("I love the keyboard")
            shoot("task-of-adapter")
            app.open(Destination.MODEL)
            app.awaitText("q_proj")
            shoot("adapter-card")
        }
        application.useAssets(Demo.calls)
        shown({ EdgekitApp() }) {
            app.await(hasTestTag("prompt"))
            app.say(if (variant == "ja") "まず音を消してください、次にライトを止めて" else "volume to 30 and put yoga on saturday at 8 am")
            app.await(hasTestTag("call card"))
            app.await(hasTestTag("answer tools"))
            shoot("actions")
        }
        val assets = folder.newFolder().also { Demo.severalTasks.copyRecursively(it, overwrite = true) }
        File(assets, "adapters/sentiment/sentiment.lora.tflite").appendText("!")
        application.useAssets(assets)
        shown({ EdgekitApp() }) {
            app.await(hasTestTag("refused task"))
            shoot("refused-adapter")
        }
    }

    private fun ask(example: String) {
        app.awaitText(example)
        app.tap(example)
        app.await(hasTestTag("answer card"))
        app.await(hasTestTag("answer tools"))
    }

    private fun tool(destination: Destination, block: () -> Unit) {
        app.open(destination)
        block()
        Espresso.pressBack()
    }

    /** The app's own colours: those that Robolectric makes of the wallpaper are no phone's. */
    private fun shown(content: @Composable () -> Unit, block: () -> Unit) = ActivityScenario.launch(ComponentActivity::class.java).use { scenario ->
        scenario.onActivity { it.setContent { EdgekitTheme(dynamic = false, content = content) } }
        block()
    }

    @Composable
    private fun Start(state: HostState) = StartScreen(state, StartActions(retry = {}, pick = {}))
}
