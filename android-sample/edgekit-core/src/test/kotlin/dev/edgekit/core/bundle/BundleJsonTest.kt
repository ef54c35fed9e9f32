package dev.edgekit.core.bundle

import android.app.Application
import androidx.test.ext.junit.runners.AndroidJUnit4
import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.Quality
import dev.edgekit.core.QualityCheck
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Action
import dev.edgekit.testing.Demo
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
    private val tasks = File(Demo.assets, "tasks.json").readText()

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
    fun `what a conversation takes of memory, as far as the manifest tells`() {
        assertEquals(Cache(tokenBytes = 1536), parseManifest(manifest).cache)
        val window = edit(manifest) { getJSONObject("graph").getJSONObject("cache").put("precision", "int8").put("ring_bytes", 99) }
        assertEquals(Cache(1536, ringBytes = 99, isNarrow = true), parseManifest(window).cache)
        val before = edit(manifest) { getJSONObject("graph").remove("cache") }
        assertEquals(Cache(2L * 4 * 6 * 1 * 32), parseManifest(before).cache)
        assertNull(parseManifest(edit(before) { remove("architecture") }).cache)
        assertNull(parseManifest(edit(before) { getJSONObject("architecture").remove("kv_heads") }).cache)
        val wrong = edit(manifest) { getJSONObject("graph").getJSONObject("cache").put("token_bytes", -1) }
        assertThrows(BundleFailure.Unreadable::class.java) { parseManifest(wrong) }
        assertEquals(false, parseManifest(manifest).isStatic)
        assertEquals(true, parseManifest(edit(manifest) { getJSONObject("graph").put("form", "static") }).isStatic)
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
    fun `a manifest says whether there is more than one turn, or is older than that`() {
        fun oneTurn(schema: Int, turns: String?) = parseManifest(edit(manifest) { put("schema_version", schema).put("turns", turns ?: JSONObject.NULL) }).oneTurn
        assertEquals(listOf(true, false, null), listOf("one", "many", null).map { oneTurn(3, it) })
        assertEquals("many was not meant", listOf(true, null, null), listOf("one", "many", null).map { oneTurn(2, it) })
        assertNull(parseManifest(edit(manifest) { remove("turns") }).oneTurn)
        refusedManifest("turns must be one or many") { put("turns", "two") }
    }

    @Test
    fun `so does a task`() {
        fun oneTurn(turns: Any?) = parseTasks(edit(tasks) { getJSONArray("tasks").getJSONObject(0).put("turns", turns) }).tasks.first().oneTurn
        assertEquals(listOf(true, false, null, null), listOf("one", "many", JSONObject.NULL, null).map(::oneTurn))
        assertThrows(BundleFailure.Unreadable::class.java) { oneTurn("two") }
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
        refusedManifest("schema_version") { put("schema_version", 4).remove("model") }
        refusedManifest("schema_version") { put("schema_version", 0) }
        refusedTasks("schema_version", """{"schema_version": 3}""")
        refusedTasks("schema_version", """{"schema_version": 1, "title": "T"}""")
    }

    @Test
    fun `a manifest of schema 1 does not say what is suppressed in formats`() {
        assertEquals(129, parseManifest(manifest).suppressedTokens!!.size)
        val first = edit(manifest) { put("schema_version", 1).remove("suppressed_tokens") }
        assertNull(parseManifest(first).suppressedTokens)
        assertEquals(emptyList<Int>(), parseManifest(edit(manifest) { put("suppressed_tokens", JSONArray()) }).suppressedTokens)
        refusedManifest("suppressed_tokens[1]") { put("suppressed_tokens", JSONArray(listOf(1, "2"))) }
        refusedManifest("suppressed_tokens[0]") { put("suppressed_tokens", JSONArray(listOf(-1))) }
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
        val read = parseTasks(tasks).tasks.single()
        assertEquals("base", read.id)
        assertNull(read.adapter)
        assertEquals("Settings navigator", read.title)
        assertTrue(read.examples.isNotEmpty() && read.golden.isNotEmpty())
        assertTrue(Action(mapOf("setting" to "brightness"), "android.settings.DISPLAY_SETTINGS") in read.actions)
        assertNull(read.quality)
    }

    @Test
    fun `a task needs only its id and its title`() {
        assertEquals(genericOffer("T"), parseTasks(tasksJson("""{"id": "base", "title": "T", "golden": null}""")))
    }

    @Test
    fun `several tasks, with adapters and without`() {
        val read = parseTasks(tasksJson("""{"id": "base", "title": "B"}""", """{"id": "mood-2", "adapter": "mood", "title": "M"}"""))
        assertEquals(listOf(null, "mood"), read.tasks.map { it.adapter })
        assertEquals(listOf("base", "mood-2"), read.tasks.map { it.id })
    }

    @Test
    fun `the verdict on its quality`() {
        val quality = """{"passed": false, "checks": [{"name": "logits", "passed": true, "summary": "fine"}]}"""
        val read = parseTasks(tasksJson("""{"id": "base", "title": "T", "quality": $quality}"""))
        assertEquals(Quality(false, listOf(QualityCheck("logits", true, "fine"))), read.tasks.single().quality)
    }

    @Test
    fun `what is wrong with the tasks is named by its key`() {
        refusedTasks("title is missing", """{"schema_version": 2, "tasks": [{"id": "a", "title": "T"}]}""")
        refusedTasks("at least one task", tasksJson())
        refusedTasks("different ids", tasksJson("""{"id": "a", "title": "T"}""", """{"id": "a", "title": "U"}"""))
        refusedTasks("tasks[0].id", tasksJson("""{"title": "T"}"""))
        refusedTasks("tasks[0].id", tasksJson("""{"id": "../a", "title": "T"}"""))
        refusedTasks("tasks[0].title", tasksJson("""{"id": "a"}"""))
        refusedTasks("tasks[0].adapter", tasksJson("""{"id": "a", "title": "T", "adapter": "../a"}"""))
        refusedTasks("tasks[0].golden[0].answer", tasksJson("""{"id": "a", "title": "T", "golden": [{"prompt": "p"}]}"""))
        refusedTasks("tasks[0].actions[0].when.a", tasksJson("""{"id": "a", "title": "T", "actions": [{"when": {"a": 1}, "intent": "i"}]}"""))
        refusedTasks("tasks[0].quality.passed", tasksJson("""{"id": "a", "title": "T", "quality": {"passed": "yes"}}"""))
    }

    @Test
    fun `what the model takes of adapters`() {
        assertNull(parseManifest(manifest).adapters)
        val empty = """{"file": "empty.lora.tflite", "size": 16384, "sha256": "${"ab".repeat(32)}"}"""
        fun JSONObject.takes(json: String) = put("adapters", JSONObject(json))
        val ready = edit(manifest) { takes("""{"rank": 16, "targets": ["q_proj"], "empty": $empty}""") }
        val file = BundleFile("empty.lora.tflite", 16384, "ab".repeat(32))
        // 6 layers; 256 values go in and 4 heads of 32 come out.
        assertEquals(AdapterInputs(16, listOf("q_proj"), file, bytes = 4L * 16 * 6 * (256 + 4 * 32)), parseManifest(ready).adapters)
        refusedManifest("adapters.targets") { takes("""{"rank": 16, "targets": ["head"], "empty": $empty}""") }
        refusedManifest("architecture.layers") {
            takes("""{"rank": 16, "targets": ["q_proj"], "empty": $empty}""").getJSONObject("architecture").remove("layers")
        }
        refusedManifest("adapters.rank") { takes("""{"rank": 0, "targets": ["q_proj"], "empty": $empty}""") }
        refusedManifest("adapters.targets") { takes("""{"rank": 16, "targets": [], "empty": $empty}""") }
        refusedManifest("adapters.empty") { takes("""{"rank": 16, "targets": ["q_proj"]}""") }
    }

    @Test
    fun `an adapter's manifest`() {
        val read = parseAdapter("mood", ADAPTER)
        assertEquals(BundleFile("mood.lora.tflite", 12, "ab".repeat(32)), read.sidecar)
        assertEquals(AdapterBase("settings-navigator", "cd".repeat(32)), read.base)
        assertEquals(listOf("mood-run-3", 8, 16, listOf("q_proj", "v_proj")), listOf(read.source, read.trainedRank, read.rank, read.targets))
        assertEquals(Sampling.Greedy, read.sampling)
        assertEquals(AnswerFormat.Regex("(good|bad)"), read.answerFormat)
        assertNull(read.chatTemplate)
    }

    @Test
    fun `what is wrong with an adapter's manifest is named by file and key`() {
        refusedAdapter("schema_version") { put("schema_version", 3) }
        refusedAdapter("sidecar.file") { getJSONObject("sidecar").put("file", "../mood.lora.tflite") }
        refusedAdapter("sidecar.file") { getJSONObject("sidecar").put("file", "mood.bin") }
        refusedAdapter("sidecar.size") { getJSONObject("sidecar").put("size", 0) }
        refusedAdapter("sidecar.sha256") { getJSONObject("sidecar").put("sha256", "ab") }
        refusedAdapter("base is missing") { remove("base") }
        refusedAdapter("base.model_sha256") { getJSONObject("base").put("model_sha256", 1) }
        refusedAdapter("source.rank") { getJSONObject("source").put("rank", -8) }
        refusedAdapter("rank must be") { put("rank", "16") }
        refusedAdapter("targets") { remove("targets") }
        refusedAdapter("sampler is missing") { remove("sampler") }
        refusedAdapter("answer.kind") { getJSONObject("answer").put("kind", "grammar") }
        refusedAdapter("chat_template") { put("chat_template", true) }
    }

    private fun refusedTasks(key: String, text: String) = refused("tasks.json", key) { parseTasks(text) }

    private fun refusedAdapter(key: String, change: JSONObject.() -> Unit) =
        refused("adapters/mood/adapter.json", key) { parseAdapter("mood", edit(ADAPTER, change)) }

    private fun refused(file: String, key: String, parse: () -> Unit) {
        val failure = assertThrows(BundleFailure.Unreadable::class.java) { parse() }
        assertTrue(failure.message!!, key in failure.message!! && file in failure.message!!)
    }

    private fun refusedManifest(key: String, change: JSONObject.() -> Unit) {
        val failure = assertThrows(BundleFailure.Unreadable::class.java) { parseManifest(edit(manifest, change)) }
        assertTrue(failure.message!!, key in failure.message!!)
    }

    private fun edit(text: String, change: JSONObject.() -> Unit): String = JSONObject(text).apply(change).toString()

    private companion object {
        val ADAPTER = """
            {"schema_version": 1, "name": "mood",
             "sidecar": {"file": "mood.lora.tflite", "size": 12, "sha256": "${"ab".repeat(32)}"},
             "base": {"name": "settings-navigator", "model_sha256": "${"cd".repeat(32)}"},
             "source": {"name": "mood-run-3", "digest": "ef", "rank": 8, "alpha": 16.0, "rslora": false},
             "rank": 16, "targets": ["q_proj", "v_proj"], "system_prompt": null,
             "sampler": {"kind": "greedy", "temperature": null, "top_k": null, "top_p": null},
             "stop_tokens": [{"ids": [106], "text": "<end_of_turn>"}], "chat_template": null,
             "answer": {"kind": "regex", "regex": "(good|bad)"}, "licence": null, "examples": [], "notes": [],
             "tools": {"edgekit": "0.1"}}
        """
    }
}
