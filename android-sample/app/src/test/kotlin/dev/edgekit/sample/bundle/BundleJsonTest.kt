package dev.edgekit.sample.bundle

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.sample.engine.AnswerFormat
import dev.edgekit.sample.engine.Demo
import dev.edgekit.sample.engine.Sampling
import java.io.File
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.annotation.Config

@RunWith(AndroidJUnit4::class)
@Config(application = Application::class)
class BundleJsonTest {
    private val manifest = File(Demo.assets, "edgekit.json").readText()
    private val task = File(Demo.assets, "task.json").readText()

    @Test
    fun `the demo's manifest`() {
        val read = parseManifest(manifest)
        assertEquals(Demo.model.name, read.model.name)
        assertEquals(Demo.model.length(), read.model.size)
        assertEquals("settings-navigator", read.name)
        assertEquals("int8", read.recipe)
        assertEquals(4096, read.contextTokens)
        assertEquals(Sampling.Greedy, read.sampling)
        assertEquals("0.11.0", read.minimumRuntime)
        assertTrue(read.answerFormat is AnswerFormat.JsonSchema)
    }

    @Test
    fun `a schema keeps the order of its keys, by which the engine orders the answer's`() {
        val schema = (parseManifest(manifest).answerFormat as AnswerFormat.JsonSchema).schema
        val places = listOf("\"screen\":", "\"setting\":", "\"action\":").map(schema::indexOf)
        assertEquals(places.sorted(), places)
    }

    @Test
    fun `other samplers and formats`() {
        val sampled = edit(manifest) {
            getJSONObject("sampler").put("kind", "top_p").put("temperature", 0.5).put("top_k", 40).put("top_p", 0.9)
        }
        assertEquals(Sampling.TopP(0.5f, 40, 0.9f), parseManifest(sampled).sampling)
        val regex = edit(manifest) { put("answer", JSONObject("""{"kind": "regex", "regex": "(yes|no)"}""")) }
        assertEquals(AnswerFormat.Regex("(yes|no)"), parseManifest(regex).answerFormat)
        assertNull(parseManifest(edit(manifest) { put("answer", JSONObject.NULL) }).answerFormat)
    }

    @Test
    fun `what is wrong with a manifest is named by its key`() {
        refusedManifest("model is missing") { remove("model") }
        refusedManifest("model.sha256") { getJSONObject("model").put("sha256", "12") }
        refusedManifest("model.size") { getJSONObject("model").put("size", "12") }
        refusedManifest("model.size") { getJSONObject("model").put("size", -1) }
        refusedManifest("model.file") { getJSONObject("model").put("file", "../up.litertlm") }
        refusedManifest("model.file") { getJSONObject("model").put("file", ".litertlm") }
        refusedManifest("model.file") { getJSONObject("model").put("file", "model.bin") }
        refusedManifest("kv_length") { put("kv_length", 0) }
        refusedManifest("sampler.kind") { getJSONObject("sampler").put("kind", "beam") }
        refusedManifest("sampler.temperature is missing") { getJSONObject("sampler").put("kind", "top_p") }
        refusedManifest("examples[1]") { put("examples", JSONArray(listOf("a", 1))) }
        refusedManifest("answer.kind") { getJSONObject("answer").put("kind", "grammar") }
    }

    @Test
    fun `a newer schema is refused, whatever else is in it`() {
        refusedManifest("schema_version") { put("schema_version", 2).remove("model") }
        val failure = assertThrows(BundleFailure.Unreadable::class.java) { parseTask("""{"schema_version": 2}""") }
        assertTrue(failure.message!!, "schema_version" in failure.message!! && "task.json" in failure.message!!)
    }

    @Test
    fun `what is no JSON is refused`() {
        val nested = "[".repeat(1_000_000)
        for (text in listOf("", "{", "[]", "null", nested, "{\"schema_version\": $nested")) {
            assertThrows(BundleFailure.Unreadable::class.java) { parseManifest(text) }
        }
    }

    @Test
    fun `the demo's task`() {
        val read = parseTask(task)
        assertEquals("Settings navigator", read.title)
        assertTrue(read.examples.isNotEmpty() && read.golden.isNotEmpty())
        assertTrue(Action(mapOf("setting" to "brightness"), "android.settings.DISPLAY_SETTINGS") in read.actions)
        assertNull(read.quality)
    }

    @Test
    fun `a task needs only its title`() {
        assertEquals(genericTask("T"), parseTask("""{"schema_version": 1, "title": "T", "golden": null}"""))
    }

    @Test
    fun `the verdict on its quality`() {
        val quality = """{"passed": false, "checks": [{"name": "logits", "passed": true, "summary": "fine"}]}"""
        val read = parseTask("""{"schema_version": 1, "title": "T", "quality": $quality}""")
        assertEquals(Quality(false, listOf(QualityCheck("logits", true, "fine"))), read.quality)
    }

    @Test
    fun `what is wrong with a task is named by its key`() {
        fun refused(key: String, text: String) {
            val failure = assertThrows(BundleFailure.Unreadable::class.java) { parseTask(text) }
            assertTrue(failure.message!!, key in failure.message!!)
        }
        refused("title", """{"schema_version": 1}""")
        refused("golden[0].answer", """{"schema_version": 1, "title": "T", "golden": [{"prompt": "p"}]}""")
        refused("actions[0].when.a", """{"schema_version": 1, "title": "T", "actions": [{"when": {"a": 1}, "intent": "i"}]}""")
        refused("quality.passed", """{"schema_version": 1, "title": "T", "quality": {"passed": "yes"}}""")
    }

    private fun refusedManifest(key: String, change: JSONObject.() -> Unit) {
        val failure = assertThrows(BundleFailure.Unreadable::class.java) { parseManifest(edit(manifest, change)) }
        assertTrue(failure.message!!, key in failure.message!!)
    }

    private fun edit(text: String, change: JSONObject.() -> Unit): String = JSONObject(text).apply(change).toString()
}
