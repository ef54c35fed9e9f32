package dev.edgekit.sample.screens

import androidx.compose.ui.test.assertIsDisplayed
import androidx.compose.ui.test.hasTestTag
import androidx.compose.ui.test.hasText
import androidx.compose.ui.test.junit4.v2.createEmptyComposeRule
import androidx.test.core.app.ActivityScenario
import androidx.test.core.app.ApplicationProvider
import androidx.test.espresso.Espresso
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.bundle.parseTasks
import dev.edgekit.core.answers.readable
import dev.edgekit.sample.MainActivity
import dev.edgekit.sample.R
import dev.edgekit.testing.Demo
import java.io.File
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

/** The app with one base and two adapters: the real activity, the real engine, what `edgekit package` made. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class SeveralTasksTest {
    @get:Rule
    val compose = createEmptyComposeRule()

    @get:Rule
    val folder = TemporaryFolder()

    private val app = AppDriver(compose)
    private val application get() = ApplicationProvider.getApplicationContext<AppUnderTest>()
    private val offer = parseTasks(File(Demo.severalTasks, "tasks.json").readText())
    private val adapters = offer.tasks.filter { it.adapter != null }

    private fun launched(block: () -> Unit) {
        application.useAssets(Demo.severalTasks)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.await(hasTestTag("tasks"))
            block()
        }
    }

    private fun open(task: Task) {
        app.tap(task.title)
        app.await(hasTestTag("prompt"))
    }

    private fun home() {
        Espresso.pressBack()
        app.await(hasTestTag("tasks"))
    }

    /** In a new conversation, asks a golden prompt and waits for its answer as a card. */
    private fun ask(task: Task, number: Int) {
        val (prompt, answer) = task.golden[number]
        app.awaitText(app.text(R.string.try_one))
        app.say(prompt)
        val fields = JSONObject(answer)
        app.awaitCard(*fields.keys().asSequence().map { readable(it) to readable(fields.getString(it)) }.toList().toTypedArray())
        app.await(hasTestTag("figures"))
    }

    @Test
    fun `from home into one task, back, into the other, and back and forth, with the engine opened once`() = launched {
        compose.onNode(hasText(offer.title)).assertIsDisplayed()
        assertEquals(3, offer.tasks.size)
        for (task in offer.tasks) compose.onNode(hasText(task.title) and hasText(task.description!!)).assertIsDisplayed()
        for (task in offer.tasks) {
            open(task)
            ask(task, 0)
            home()
        }
        repeat(3) { round ->
            for (task in adapters) {
                open(task)
                app.tapIcon(R.string.reset)
                ask(task, round + 1)
                home()
            }
        }
        assertEquals(1, application.opened)
    }

    @Test
    fun `a task goes on with its conversation after another`() = launched {
        val (one, other) = adapters
        open(one)
        ask(one, 0)
        home()
        open(other)
        ask(other, 0)
        home()
        open(one)
        app.awaitText(one.golden[0].prompt)
        app.say(one.golden[1].prompt)
        app.awaitText(one.golden[1].prompt)
        app.awaitText("First token")
        app.open(Destination.MODEL)
        app.awaitText("Last switch to it")
        assertEquals(1, application.opened)
    }

    @Test
    fun `each task's self-test agrees with what was asked when it was packaged`() = launched {
        for (task in offer.tasks) {
            open(task)
            app.open(Destination.SELF_TEST)
            app.tap("Start")
            app.awaitText("${task.golden.size} of ${task.golden.size} answers are the same")
            Espresso.pressBack()
            app.await(hasTestTag("prompt"))
            home()
        }
        assertEquals(1, application.opened)
    }

    @Test
    fun `the benchmark of a task switches to its adapter`() = launched {
        open(adapters.first())
        app.open(Destination.BENCHMARK)
        app.tap("64 + 32")
        app.tap("Start")
        app.await(hasTestTag("results"))
        app.awaitText("To this task’s adapter")
    }

    @Test
    fun `an edited sidecar is told on its card, and the other adapter answers`() {
        val (bad, good) = adapters
        val assets = folder.newFolder().also { Demo.severalTasks.copyRecursively(it, overwrite = true) }
        val sidecar = File(assets, "adapters/${bad.adapter}").listFiles()!!.single { it.extension == "tflite" }
        sidecar.writeBytes(sidecar.readBytes().also { it[it.size / 2] = (it[it.size / 2] + 1).toByte() })
        application.useAssets(assets)
        ActivityScenario.launch(MainActivity::class.java).use {
            app.awaitText("The adapter is damaged")
            open(good)
            ask(good, 0)
        }
        assertTrue(application.noBackupFilesDir.walk().none { it.name == sidecar.name })
    }
}
