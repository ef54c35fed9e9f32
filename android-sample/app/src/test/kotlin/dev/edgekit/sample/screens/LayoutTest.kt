package dev.edgekit.sample.screens

import android.view.WindowManager
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.compose.runtime.Composable
import androidx.compose.ui.geometry.Rect
import androidx.compose.ui.geometry.Size
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.isRoot
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onFirst
import androidx.compose.ui.text.TextLayoutResult
import androidx.compose.ui.text.style.ResolvedTextDirection
import androidx.core.graphics.Insets
import androidx.core.view.WindowInsetsCompat
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.answers.Answer
import dev.edgekit.sample.MainActivity
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.severalTasks
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** Where things stand in wide windows, in large letters, and in texts from the right. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class LayoutTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)

    @After
    fun normalFont() = RuntimeEnvironment.setFontScale(1f)

    private fun shown(content: @Composable () -> Unit, block: () -> Unit) = ActivityScenario.launch(ComponentActivity::class.java).use { scenario ->
        scenario.onActivity { it.setContent { EdgekitTheme(content = content) } }
        block()
    }

    private fun linesOf(node: SemanticsNode): TextLayoutResult {
        val results = mutableListOf<TextLayoutResult>()
        node.config[SemanticsActions.GetTextLayoutResult].action!!(results)
        return results.single()
    }

    @Test
    fun `each paragraph of an answer stands at the side where its writing begins`() {
        val answer = "افتح إعدادات الشاشة ثم ارفع السطوع قليلا حتى يصبح النص واضحا\nشكرا\nOpen the settings"
        shown({ TurnView(ShownTurn("?", Answer.Plain(answer), ending = null), isLatest = true, onAction = {}) }) {
            val lines = linesOf(compose.onNode(hasTestTag("answer text")).fetchSemanticsNode())
            val second = lines.getLineForOffset(answer.indexOf("شكرا"))
            assertEquals(ResolvedTextDirection.Rtl, lines.getParagraphDirection(answer.indexOf("شكرا")))
            assertEquals(lines.size.width.toFloat(), lines.getLineRight(second), 1f)
            assertEquals(0f, lines.getLineLeft(lines.lineCount - 1), 1f)
        }
    }

    @Test
    fun `a prompt from the right is written from the right`() {
        application.use(severalTasks(), FakeEngine())
        ActivityScenario.launch(MainActivity::class.java).use {
            app.await(hasTestTag("prompt"))
            app.say("أريد شاشة أكثر سطوعا من فضلك وبسرعة لأنني لا أرى شيئا هنا\nشكرا")
            app.awaitText("You said")
            val lines = linesOf(compose.onNode(hasText("أريد", substring = true) and !hasText("You said", substring = true), useUnmergedTree = true).fetchSemanticsNode())
            assertEquals(lines.size.width.toFloat(), lines.getLineRight(lines.lineCount - 1), 1f)
        }
    }

    @Test
    fun `in a wide window nothing of the rail lies on anything else, however large the letters`() {
        for (scale in listOf(1f, 1.3f, 2f)) {
            RuntimeEnvironment.setQualifiers("nb-rNO-w891dp-h411dp-land")
            RuntimeEnvironment.setFontScale(scale)
            application.use(severalTasks("mood"), FakeEngine())
            ActivityScenario.launch(MainActivity::class.java).use {
                app.await(hasTestTag("tasks"))
                app.tap("Task mood")
                app.await(hasTestTag("prompt"))
                compose.screenshot("rail-$scale")
                val items = compose.onAllNodes(hasTestTag("rail item"), useUnmergedTree = true).fetchSemanticsNodes()
                assertEquals(7, items.size)
                val screen = compose.onNode(hasTestTag("beside rail"), useUnmergedTree = true).fetchSemanticsNode().boundsInRoot
                val texts = items.map { item -> item.children.map { it.unclipped } }
                texts.flatten().forEach { assertTrue("$scale: $it, $screen", it.right <= screen.left) }
                items.forEach { assertEquals("$scale", items.first().unclipped.center.x, it.unclipped.center.x, 1f) }
                items.zipWithNext().forEach { (one, next) ->
                    val lowest = (listOf(one.unclipped) + one.children.map { it.unclipped }).maxOf { it.bottom }
                    assertTrue("$scale: $lowest, ${next.unclipped}", lowest <= next.unclipped.top)
                }
            }
        }
    }

    /** Bars of the system at all four sides, as a phone held sideways may have them. */
    @Test
    fun `what can be read or tapped lies clear of the system's bars, and the app is drawn beneath them`() {
        application.use(severalTasks(), FakeEngine())
        ActivityScenario.launch(MainActivity::class.java).use { scenario ->
            app.await(hasTestTag("prompt"))
            val bars = Insets.of(30, 100, 50, 150)
            scenario.onActivity { activity ->
                assertEquals(WindowManager.LayoutParams.LAYOUT_IN_DISPLAY_CUTOUT_MODE_ALWAYS, activity.window.attributes.layoutInDisplayCutoutMode)
                val insets = WindowInsetsCompat.Builder().setInsets(WindowInsetsCompat.Type.systemBars(), bars).build()
                activity.window.decorView.dispatchApplyWindowInsets(insets.toWindowInsets()!!)
            }
            compose.waitForIdle()
            val root = compose.onAllNodes(isRoot()).onFirst().fetchSemanticsNode()
            assertEquals("all of the window is the app's", root.size, compose.onNode(hasTestTag("beside rail"), useUnmergedTree = true).fetchSemanticsNode().size)
            val clear = Rect(30f, 100f, root.size.width - 50f, root.size.height - 150f)
            val seen = compose.onAllNodes(hasText("", substring = true) or hasClickAction() or hasTestTag("prompt")).fetchSemanticsNodes()
            assertTrue("${seen.size}", seen.size > 4)
            for (node in seen) assertEquals("${node.config}: ${node.boundsInRoot}", node.boundsInRoot, node.boundsInRoot.intersect(clear))
        }
    }

    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()

    private val SemanticsNode.unclipped get() = Rect(positionInRoot, Size(size.width.toFloat(), size.height.toFloat()))
}
