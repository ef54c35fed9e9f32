@file:OptIn(InternalEdgekitApi::class)

package dev.edgekit.sample.screens

import android.app.Application
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import androidx.compose.ui.node.RootForTest
import androidx.compose.ui.semantics.SemanticsActions
import androidx.compose.ui.semantics.SemanticsNode
import androidx.compose.ui.semantics.SemanticsProperties
import androidx.compose.ui.semantics.getAllSemanticsNodes
import androidx.compose.ui.semantics.getOrNull
import androidx.test.core.app.ApplicationProvider
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.sample.MainActivity
import dev.edgekit.testing.FakeEngine
import dev.edgekit.testing.sampleBundle
import java.io.File
import java.lang.management.ManagementFactory
import java.time.Duration
import org.json.JSONObject
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.shadows.ShadowChoreographer

private const val FRAME_MILLIS = 16L
private const val TOKEN_MILLIS = 20L
private const val ANSWERS_BEFORE = 5
private const val GIVE_UP_NANOS = 30_000_000_000

/** What the app takes to start, and per token of an answer that streams into a card; written for `android_build.measuring`. */
@RunWith(AndroidJUnit4::class)
@Config(application = AppUnderTest::class)
class Measuring {
    private val answer = JSONObject((1..10).associate { "field_$it" to "a value of answer $it" }).toString()
    private val schema = JSONObject()
        .put("type", "object")
        .put("properties", JSONObject((1..10).associate { "field_$it" to JSONObject().put("type", "string") }))
        .put("required", org.json.JSONArray((1..10).map { "field_$it" }))

    /** Milliseconds of processor time that the main thread took, frame by frame. */
    private val frames = mutableListOf<Double>()
    private lateinit var activity: ActivityController<MainActivity>

    private val views: List<View> get() = mutableListOf<View>().also { it.addAllOf(activity.get().window.decorView) }

    private val roots get() = views.filterIsInstance<RootForTest>()

    private val nodes: List<SemanticsNode>
        get() = roots.flatMap { it.semanticsOwner.getAllSemanticsNodes(mergingEnabled = true) }

    private fun MutableList<View>.addAllOf(view: View) {
        add(view)
        if (view is ViewGroup) (0 until view.childCount).forEach { addAllOf(view.getChildAt(it)) }
    }

    private fun SemanticsNode.says(text: String) = config.getOrNull(SemanticsProperties.Text).orEmpty().any { it.text == text }

    private val isAtTask get() = nodes.any { it.config.getOrNull(SemanticsProperties.TestTag) == "prompt" }

    private val example get() = nodes.firstOrNull { it.says("hello") && SemanticsActions.OnClick in it.config }

    /** Lets the main thread do what is due in a frame, but for drawing, of which Robolectric has no part. */
    private fun frame() {
        val threads = ManagementFactory.getThreadMXBean()
        val before = threads.currentThreadCpuTime
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(FRAME_MILLIS))
        roots.forEach { it.measureAndLayoutForTest() }
        frames += (threads.currentThreadCpuTime - before) / 1e6
    }

    private fun framesUntil(isReached: () -> Boolean) {
        val began = System.nanoTime()
        while (!isReached()) {
            check(System.nanoTime() - began < GIVE_UP_NANOS) { "not reached in time" }
            val until = System.nanoTime() + FRAME_MILLIS * 1_000_000
            frame()
            ((until - System.nanoTime()) / 1_000_000).takeIf { it > 0 }?.let(Thread::sleep)
        }
    }

    private fun launch() {
        activity = Robolectric.buildActivity(MainActivity::class.java).setup()
    }

    @Test
    fun `start, then stream`() {
        ShadowChoreographer.setFrameDelay(Duration.ofMillis(FRAME_MILLIS))
        val measured = JSONObject()
        val began = System.nanoTime()
        val threads = ManagementFactory.getThreadMXBean()
        val before = threads.currentThreadCpuTime
        val application = ApplicationProvider.getApplicationContext<AppUnderTest>()
        (application as Application).onCreate()
        launch()
        while (!isAtTask) {
            frame()
            Thread.sleep(1)
        }
        measured.put("start_ms", (System.nanoTime() - began) / 1e6)
            .put("start_main_ms", (threads.currentThreadCpuTime - before) / 1e6)
        activity.close()

        val pieces = answer.chunked(3).size
        val engine = FakeEngine(answer = { answer }, pieceMillis = TOKEN_MILLIS, contextTokens = 100_000)
        application.use(sampleBundle(AnswerFormat.JsonSchema(schema.toString())), engine)
        launch()
        framesUntil { example != null }
        repeat(ANSWERS_BEFORE + 1) { stream() }
        val took = frames.toList()
        measured.put("tokens", pieces).put("main_ms_per_token", took.sum() / pieces).put("frames", took.size)
            .put("slow_frames", took.count { it > FRAME_MILLIS }).put("longest_ms", took.max())
        activity.close()
        File(checkNotNull(System.getProperty("edgekit.measured"))).writeText(measured.toString())
    }

    /** Asks, and lets the answer come; [frames] are those of this answer then. */
    private fun stream() {
        frames.clear()
        val tapped = checkNotNull(example)
        tapped.config[SemanticsActions.OnClick].action!!()
        framesUntil { example?.config?.contains(SemanticsProperties.Disabled) == true }
        framesUntil { example?.config?.contains(SemanticsProperties.Disabled) == false }
    }
}
