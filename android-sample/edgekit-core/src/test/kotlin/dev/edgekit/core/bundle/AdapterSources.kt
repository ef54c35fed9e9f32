package dev.edgekit.core.bundle

import dev.edgekit.testing.Demo
import org.json.JSONArray
import org.json.JSONObject

/** Makes the demo's model one that takes adapters, by what its manifest says, and offers the model and [folders] as tasks. */
fun MemoryAssets.offerAdapters(vararg folders: String, rank: Int = 16, targets: List<String> = listOf("q_proj", "v_proj")) {
    val empty = ByteArray(16384)
    files["empty.lora.tflite"] = empty
    val file = JSONObject().put("file", "empty.lora.tflite").put("size", empty.size).put("sha256", sha256(empty))
    edit("edgekit.json") { put("adapters", JSONObject().put("rank", rank).put("targets", JSONArray(targets)).put("empty", file)) }
    val tasks = listOf("""{"id": "base", "title": "Base"}""") + folders.map { """{"id": "$it", "adapter": "$it", "title": "Task $it"}""" }
    files["tasks.json"] = tasksJson(*tasks.toTypedArray(), title = "Several").encodeToByteArray()
    folders.forEach { putAdapter(it) }
}

/** An adapter as its files say it is; no engine has read the sidecar. */
fun MemoryAssets.putAdapter(folder: String, sidecar: ByteArray = folder.repeat(1000).encodeToByteArray()) {
    val base = JSONObject(files.getValue("edgekit.json").decodeToString()).getJSONObject("model")
    files["adapters/$folder/$folder.lora.tflite"] = sidecar
    files["adapters/$folder/adapter.json"] = """
        {"schema_version": 1, "name": "$folder",
         "sidecar": {"file": "$folder.lora.tflite", "size": ${sidecar.size}, "sha256": "${sha256(sidecar)}"},
         "base": {"name": "${Demo.model.nameWithoutExtension}", "model_sha256": "${base.getString("sha256")}"},
         "source": {"name": "$folder-run", "digest": "${"ef".repeat(32)}", "rank": 8, "alpha": 16.0, "rslora": false},
         "rank": 16, "targets": ["q_proj", "v_proj"], "system_prompt": null,
         "sampler": {"kind": "top_p", "temperature": 0.5, "top_k": 40, "top_p": 0.9},
         "stop_tokens": [{"ids": [106], "text": "<end_of_turn>"}], "chat_template": "{{ messages }}",
         "answer": {"kind": "regex", "regex": "($folder|other)"}, "licence": "of $folder", "examples": [], "notes": [],
         "tools": {"edgekit": "0.1"}}
    """.encodeToByteArray()
}

fun MemoryAssets.edit(name: String, change: JSONObject.() -> Unit) {
    files[name] = JSONObject(files.getValue(name).decodeToString()).apply(change).toString().encodeToByteArray()
}
