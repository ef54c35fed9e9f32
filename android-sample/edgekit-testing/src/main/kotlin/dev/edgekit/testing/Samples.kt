package dev.edgekit.testing

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.Backend
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Model
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Action
import dev.edgekit.core.bundle.AdapterBase
import dev.edgekit.core.bundle.AdapterManifest
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.BundleFile
import dev.edgekit.core.bundle.Golden
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.bundle.Manifest
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.modelOf
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.Conditions
import dev.edgekit.core.tasks.Device
import dev.edgekit.core.tasks.DeviceInfo
import java.io.File
import java.util.UUID

/** A bundle of the smallest kind, to be changed by `copy`. */
@InternalEdgekitApi
public fun sampleBundle(
    answerFormat: AnswerFormat? = null,
    golden: List<Golden> = emptyList(),
    actions: List<Action> = emptyList(),
    model: File = File("sample.litertlm"),
): Bundle = Bundle(
    model = model,
    manifest = Manifest(
        model = BundleFile(model.name, size = 1, sha256 = "ab".repeat(32)),
        name = "sample",
        recipe = "int8",
        contextTokens = 1000,
        sampling = Sampling.Greedy,
        answerFormat = answerFormat,
        minimumRuntime = "0.11.0",
        licence = null,
        examples = emptyList(),
    ),
    title = "Sample",
    tasks = listOf(Task("base", null, "Sample", null, null, listOf("hello"), golden, actions, null)),
    adapters = emptyMap(),
    notice = null,
)

@InternalEdgekitApi
public val Bundle.only: Task get() = tasks.single()

@InternalEdgekitApi
public fun Bundle.task(id: String): Task? = tasks.find { it.id == id }

/** A bundle with an engine that there is already; after a benchmark the same goes on. */
@InternalEdgekitApi
public fun openModel(bundle: Bundle, engine: Engine, backend: Backend = Backend.CPU): Model {
    val cache = File(System.getProperty("java.io.tmpdir"), "edgekit-benchmark-${UUID.randomUUID()}")
    return modelOf(bundle, ChosenEngine(engine, backend, null), Benchmark({ engine }, cache, Nowhere))
}

/** A device that tells nothing. */
private object Nowhere : Device {
    override fun describe() = DeviceInfo("computer", null, "none", null, 1, emptyList(), null, null)

    override fun conditions() = Conditions()

    override fun peakMemory(): Long? = null

    override fun resetPeakMemory() = false
}

/** The sample with the model's own task, and one for each of some adapters; [form] is their answers', null for none. */
@InternalEdgekitApi
public fun severalTasks(vararg adapters: String, form: ((String) -> AnswerFormat)? = AnswerFormat::Regex): Bundle {
    val sample = sampleBundle()
    return sample.copy(
        title = "Several",
        tasks = sample.tasks + adapters.map {
            sample.only.copy(id = it, adapter = it, title = "Task $it", description = "What $it does.", systemPrompt = "Tell the $it.")
        },
        adapters = adapters.associateWith { InstalledAdapter.Usable(sampleAdapter(it, form?.invoke(it)), File("$it.lora.tflite"), null) },
    )
}

private fun sampleAdapter(name: String, form: AnswerFormat?) = AdapterManifest(
    name = name,
    sidecar = BundleFile("$name.lora.tflite", 1_200_000, "ab".repeat(32)),
    base = AdapterBase("sample", "ab".repeat(32)),
    source = "$name-run",
    trainedRank = 8,
    rank = 16,
    targets = listOf("q_proj", "v_proj"),
    sampling = Sampling.Greedy,
    answerFormat = form,
    chatTemplate = null,
    licence = null,
)
