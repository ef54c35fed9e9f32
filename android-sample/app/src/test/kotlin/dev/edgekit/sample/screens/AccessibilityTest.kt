package dev.edgekit.sample.screens

import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.material3.ColorScheme
import androidx.compose.material3.MaterialTheme
import androidx.compose.runtime.mutableStateOf
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.graphics.luminance
import androidx.compose.ui.layout.findRootCoordinates
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
import org.junit.Assert.assertEquals
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
            val isChoice = SemanticsProperties.Selected in target.config || SemanticsProperties.ToggleableState in target.config
            assertTrue("${target.words} has no role", !isChoice || SemanticsProperties.Role in target.config)
        }
        assertApart(targets)
    }

    /** What is smaller than a finger is reached around it, too: not where another target is. */
    private fun assertApart(targets: List<SemanticsNode>) {
        // What lies beneath a sheet, to close it, is as large as the screen.
        val small = targets.filter { it.size.height < it.layoutInfo.coordinates.findRootCoordinates().size.height }
        for ((index, one) in small.withIndex()) for (other in small.drop(index + 1)) {
            val common = one.touchBoundsInRoot.intersect(other.touchBoundsInRoot)
            val isInside = one.isIn(other) || other.isIn(one) || one.root != other.root
            assertTrue("${one.words} and ${other.words}: $common", isInside || minOf(common.width, common.height) < 2)
        }
    }

    private fun SemanticsNode.isIn(other: SemanticsNode): Boolean = generateSequence(parent) { it.parent }.any { it.id == other.id }

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

    /** WCAG 2.2, 1.4.3 and 1.4.11. Where the system has colours of its own, it sees to that. */
    @Test
    fun `texts and signs stand out from what is beneath them, by day and by night`() {
        val schemes = mutableListOf<ColorScheme>()
        ActivityScenario.launch(ComponentActivity::class.java).use { scenario ->
            for (dark in listOf(false, true)) {
                scenario.onActivity { it.setContent { EdgekitTheme(dark, dynamic = false) { schemes += MaterialTheme.colorScheme } } }
                compose.waitForIdle()
            }
        }
        assertEquals(2, schemes.toSet().size)
        for (scheme in schemes) with(scheme) {
            val surfaces = listOf(surface, background, surfaceContainerLow, surfaceContainer, surfaceContainerHigh, surfaceContainerHighest)
            val texts = surfaces.flatMap { beneath -> listOf(onSurface, onSurfaceVariant, primary, error).map { it to beneath } } + listOf(
                onPrimary to primary,
                onPrimaryContainer to primaryContainer,
                onSecondaryContainer to secondaryContainer,
                onTertiaryContainer to tertiaryContainer,
                onErrorContainer to errorContainer,
                onError to error,
                inverseOnSurface to inverseSurface,
            )
            for ((above, beneath) in texts) assertTrue("$above on $beneath: ${contrast(above, beneath)}", contrast(above, beneath) >= 4.5)
            for (beneath in surfaces) assertTrue("$outline on $beneath: ${contrast(outline, beneath)}", contrast(outline, beneath) >= 3)
        }
    }

    private fun contrast(one: Color, other: Color): Double {
        val (darker, lighter) = listOf(one, other).map { it.luminance() + 0.05 }.sorted()
        return lighter / darker
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
