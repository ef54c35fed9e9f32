package dev.edgekit.sample.screens

import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.runtime.mutableStateOf
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getOrNull
import androidx.compose.ui.test.SemanticsMatcher
import androidx.compose.ui.test.assertCountEquals
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.isHeading
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.Ending
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.severalTasks
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** What a screen reader, and a finger, find on every screen. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class AccessibilityTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)

    private fun assertAccessible() {
        compose.waitForIdle()
        assertTrue("a heading", compose.onAllNodes(isHeading()).fetchSemanticsNodes().isNotEmpty())
        val screen = compose.onAllNodes(isRoot()).fetchSemanticsNodes().last().size
        val targets = compose.onAllNodes(hasClickAction()).fetchSemanticsNodes()
        assertTrue("something to tap", targets.isNotEmpty())
        for (target in targets) {
            val least = with(target.layoutInfo.density) { LEAST_DP * density } - 1
            val bounds = target.touchBoundsInRoot
            // What is scrolled out of sight, or half so, is cut there, not small.
            val isCut = bounds.isEmpty || bounds.bottom >= screen.height || bounds.right >= screen.width
            assertTrue("${target.words} is ${bounds.width} x ${bounds.height}", isCut || minOf(bounds.width, bounds.height) >= least)
            assertTrue("a target without words", target.words.isNotBlank())
        }
    }

    private val SemanticsNode.words: String
        get() = listOfNotNull(
            config.getOrNull(SemanticsProperties.ContentDescription)?.joinToString(),
            config.getOrNull(SemanticsProperties.Text)?.joinToString(),
            config.getOrNull(SemanticsProperties.EditableText)?.let { "text field" },
        ).joinToString()

    @Test
    fun `every target is 48 dp and has words, every screen a heading`() = ActivityScenario.launch(MainActivity::class.java).use<_, Unit> {
        app.awaitText("my screen is too dark")
        assertAccessible()
        app.tap("my screen is too dark")
        app.await(hasTestTag("figures"))
        assertAccessible()
        for (destination in Destination.entries - Destination.HOME - Destination.TASK) {
            app.open(destination)
            app.await(isHeading())
            assertAccessible()
            Espresso.pressBack()
        }
        app.tapIcon(R.string.sampling)
        app.awaitText("Apply")
        assertAccessible()
    }

    @Test
    fun `an answer is read aloud once it is whole, not at each token`() {
        val live = SemanticsMatcher.keyIsDefined(SemanticsProperties.LiveRegion)
        val turn = mutableStateOf(ShownTurn("hello", Answer.Plain("word"), ending = null))
        ActivityScenario.launch(ComponentActivity::class.java).use { scenario ->
            scenario.onActivity { it.setContent { EdgekitTheme { TurnView(turn.value, isLatest = true, onAction = {}) } } }
            compose.onAllNodes(live).assertCountEquals(0)
            turn.value = turn.value.copy(ending = Ending.Stopped)
            compose.onAllNodes(live).assertCountEquals(1)
        }
    }

    @Test
    fun `so has the list of tasks, one that cannot be used among them`() {
        val refused = InstalledAdapter.Refused(BundleFailure.Corrupt("mood.lora.tflite", "10 bytes instead of 20"))
        val bundle = severalTasks("mood", "topic")
        ApplicationProvider.getApplicationContext<AppUnderTest>().use(bundle.copy(adapters = bundle.adapters + ("mood" to refused)), FakeEngine())
        ActivityScenario.launch(MainActivity::class.java).use<_, Unit> {
            app.awaitText("The adapter is damaged")
            assertAccessible()
            app.tap("Task topic")
            app.await(hasTestTag("prompt"))
            assertAccessible()
            app.open(Destination.MODEL)
            app.awaitText("Base model")
            assertAccessible()
        }
    }

    private companion object {
        const val LEAST_DP = 48
    }
}
