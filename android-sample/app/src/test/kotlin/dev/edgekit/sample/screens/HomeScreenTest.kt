package dev.edgekit.sample.screens

import android.os.Bundle as SavedState
import androidx.compose.ui.graphics.asAndroidBitmap
import androidx.compose.ui.test.assertCountEquals
import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.captureToImage
import androidx.compose.ui.test.hasClickAction
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.compose.ui.test.onNodeWithTag
import androidx.compose.ui.test.performTextInput
import androidx.compose.ui.unit.dp
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Golden
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.engine.Engine
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.severalTasks
import java.util.concurrent.CountDownLatch
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** Several tasks: their list, the way into one and back, and what one keeps while another is open. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class HomeScreenTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()
    private val engine = FakeEngine()
    private val bundle = severalTasks("mood", "topic")

    private fun launched(bundle: Bundle = this.bundle, engine: Engine = this.engine, block: (ActivityScenario<MainActivity>) -> Unit) {
        application.use(bundle, engine)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.await(hasTestTag("tasks"))
            block(it)
        }
    }

    private fun open(title: String) {
        app.tap(title)
        app.await(hasTestTag("prompt"))
    }

    private fun backToTask() {
        Espresso.pressBack()
        app.await(hasTestTag("prompt"))
    }

    private fun backToBusyTask() {
        Espresso.pressBack()
        app.awaitText("A benchmark is using the model.")
    }

    private fun home() {
        Espresso.pressBack()
        app.await(hasTestTag("tasks"))
    }

    @Test
    fun `every task is a card with its title and what it does`() = launched {
        compose.onNode(hasText("Several")).assertIsDisplayed()
        compose.onAllNodes(hasText("Sample") and hasClickAction()).assertCountEquals(1)
        compose.onNode(hasText("Task mood") and hasText("What mood does.") and hasClickAction()).assertIsDisplayed()
        compose.onNode(hasText("Task topic") and hasText("What topic does.") and hasClickAction()).assertIsDisplayed()
    }

    @Test
    fun `no two tasks have the same badge`() = launched(severalTasks("mood", "topic", "spam")) {
        val badges = listOf("Sample", "Task mood", "Task topic", "Task spam").map { title ->
            val card = compose.onNode(hasText(title) and hasClickAction()).captureToImage().asAndroidBitmap()
            // Where every card has its badge, and no card its title.
            val edge = with(compose.density) { 56.dp.roundToPx() }
            IntArray(edge * edge).also { card.getPixels(it, 0, edge, 0, 0, edge, edge) }.toList()
        }
        assertEquals(badges.size, badges.toSet().size)
    }

    @Test
    fun `a badge has the first letters of the first two words, or of the only one`() {
        assertEquals(listOf("ST", "Se", "字が", "A", "😀😀", ""), listOf("support triage", "Sentiment", "字が小さい", "A", "😀😀😀", "").map(::initials))
    }

    @Test
    fun `a card opens its task, and back goes home`() = launched {
        open("Task mood")
        app.awaitText("What mood does.")
        app.say("fine")
        app.awaitText("You said: fine")
        assertEquals("mood.lora.tflite", engine.conversations.single().adapter?.name)
        app.tapIcon(R.string.back)
        app.await(hasTestTag("tasks"))
        assertEquals(1, engine.conversations.size)
    }

    @Test
    fun `each task keeps its conversation and its draft`() = launched {
        open("Task mood")
        app.say("fine")
        app.awaitText("You said: fine")
        compose.onNodeWithTag("prompt").performTextInput("a draft")
        home()
        open("Task topic")
        app.awaitText("What topic does.")
        compose.onNode(hasText("You said: fine")).assertDoesNotExist()
        compose.onNode(hasText("a draft")).assertDoesNotExist()
        app.say("sports")
        app.awaitText("You said: sports")
        home()
        open("Task mood")
        app.awaitText("You said: fine")
        app.awaitText("a draft")
    }

    @Test
    fun `the tools of a task are about it`() {
        val golden = listOf(Golden("a", "You said: a"))
        val tested = bundle.copy(tasks = bundle.tasks.map { if (it.id == "topic") it.copy(golden = golden) else it })
        launched(tested) {
            open("Task topic")
            app.open(Destination.SELF_TEST)
            app.tap("Start")
            app.awaitText("1 of 1 answer is the same")
            backToTask()
            app.open(Destination.MODEL)
            for (text in listOf("topic-run", "8, filled up to 16", "q_proj, v_proj", "1.2\u00a0MB", "Base model: sample")) app.awaitText(text)
            backToTask()
            home()
            open("Task mood")
            app.open(Destination.SELF_TEST)
            app.awaitText("no prompts to compare")
        }
    }

    @Test
    fun `the model card tells what the latest switch took`() = launched {
        open("Task mood")
        app.say("fine")
        app.awaitText("You said: fine")
        app.open(Destination.MODEL)
        app.awaitText("Base model")
        compose.onNode(hasText("Last switch", substring = true)).assertDoesNotExist()
        backToTask()
        home()
        open("Task topic")
        app.say("sports")
        app.awaitText("You said: sports")
        app.open(Destination.MODEL)
        app.awaitText("Last switch to it")
    }

    @Test
    fun `a benchmark is run with the task's adapter, and tells what a switch takes`() = launched {
        open("Task mood")
        app.open(Destination.BENCHMARK)
        app.tap("64 + 32")
        app.tap("Start")
        app.await(hasTestTag("results"))
        app.awaitText("To this task’s adapter")
        assertEquals(List(4) { "mood.lora.tflite" }, engine.measured.map { it?.name })
        backToTask()
        home()
        open("Sample")
        app.open(Destination.BENCHMARK)
        app.await(hasText("Start") and hasClickAction())
        compose.onNode(hasTestTag("results")).assertDoesNotExist()
    }

    @Test
    fun `while one task is measured, another says so instead of offering it`() {
        val goesOn = CountDownLatch(1)
        launched(engine = FakeEngine(whileMeasuring = { goesOn.await() })) {
            open("Task mood")
            app.open(Destination.BENCHMARK)
            app.tap("Start")
            app.awaitText("Warming up")
            backToBusyTask()
            Espresso.pressBack()
            app.await(hasTestTag("tasks"))
            app.tap("Task topic")
            app.awaitText("A benchmark is using the model.")
            app.open(Destination.BENCHMARK)
            app.awaitText("Measures start")
            app.awaitText("A benchmark is using the model.")
            compose.onNode(hasText("Start") and hasClickAction()).assertDoesNotExist()
            goesOn.countDown()
            app.await(hasText("Start") and hasClickAction())
        }
    }

    @Test
    fun `a refused adapter says why on its card, and the others answer`() {
        val refused = InstalledAdapter.Refused(BundleFailure.ForeignAdapter("mood", "other-base", "made for the model abcd"))
        launched(bundle.copy(adapters = bundle.adapters + ("mood" to refused))) {
            app.awaitText("The adapter was made for another model")
            app.awaitText("It was made for “other-base”")
            app.awaitText("made for the model abcd")
            compose.onAllNodes(hasText("Task mood") and hasClickAction()).assertCountEquals(0)
            open("Task topic")
            app.say("sports")
            app.awaitText("You said: sports")
        }
    }

    @Test
    fun `every reason has its words`() {
        val reasons = mapOf(
            BundleFailure.Missing("f") to "The adapter is missing",
            BundleFailure.Corrupt("f", "d") to "The adapter is damaged",
            BundleFailure.Unreadable("f", "d") to "This app cannot read the adapter",
            BundleFailure.UnfitAdapter("mood", "its rank is 32") to "The adapter does not fit the model",
            BundleFailure.NoAdapterInputs("mood", "sample") to "The model takes no adapters",
            BundleFailure.NoSpace(2, 1) to "Not enough storage space",
            BundleFailure.Other("r") to "The model could not be copied",
        )
        for ((failure, words) in reasons) {
            launched(bundle.copy(adapters = bundle.adapters + ("mood" to InstalledAdapter.Refused(failure)))) { app.awaitText(words) }
        }
    }

    @Test
    fun `the settings are reached from home, and back goes home`() = launched {
        app.tapIcon(R.string.settings)
        app.awaitText("Came with the app")
        home()
    }

    @Test
    fun `a turned phone has the list in its rail`() = launched {
        RuntimeEnvironment.setQualifiers("w891dp-h411dp-land")
        it.recreate()
        open("Task mood")
        app.awaitText("Model card")
        app.tap("Tasks")
        app.await(hasTestTag("tasks"))
        compose.onNode(hasText("Model card")).assertDoesNotExist()
    }

    @Test
    fun `the open task and both conversations outlive the process`() {
        val bundle = severalTasks("mood", "topic", form = null)
        application.use(bundle, engine)
        val saved = SavedState()
        Robolectric.buildActivity(MainActivity::class.java).setup().use { first ->
            app.await(hasTestTag("tasks"))
            open("Task mood")
            app.say("fine")
            app.awaitText("You said: fine")
            app.await(hasTestTag("figures"))
            home()
            open("Task topic")
            app.say("sports")
            app.awaitText("You said: sports")
            first.saveInstanceState(saved).pause().stop().destroy()
        }
        val next = FakeEngine()
        application.use(bundle, next)
        Robolectric.buildActivity(MainActivity::class.java).setup(saved).use {
            app.awaitText("You said: sports")
            home()
            open("Task mood")
            app.awaitText("You said: fine")
            app.say("and now")
            app.awaitText("You said: and now")
            assertEquals(listOf("fine", "You said: fine"), next.conversations.single().history.map { it.text })
        }
    }

    @Test
    fun `another task ends the answer of the one that was left`() {
        val slow = FakeEngine(answer = { if (it == "slow") "on and on ".repeat(1000) else "quick" }, pieceMillis = 20)
        launched(engine = slow) {
            open("Task mood")
            app.say("slow")
            app.awaitText("on and on")
            home()
            open("Task topic")
            app.say("hello")
            app.awaitText("quick")
            home()
            open("Task mood")
            app.awaitText("Stopped")
            assertTrue(slow.mostOpen == 1)
        }
    }
}
