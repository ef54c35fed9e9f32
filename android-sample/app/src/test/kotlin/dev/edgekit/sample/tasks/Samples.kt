package dev.edgekit.sample.tasks

import dev.edgekit.sample.bundle.Action
import dev.edgekit.sample.bundle.Bundle
import dev.edgekit.sample.bundle.Golden
import dev.edgekit.sample.bundle.Manifest
import dev.edgekit.sample.bundle.ModelFile
import dev.edgekit.sample.bundle.Task
import dev.edgekit.sample.engine.AnswerFormat
import dev.edgekit.sample.engine.Backend
import dev.edgekit.sample.engine.Engine
import dev.edgekit.sample.engine.Sampling
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob

/** A bundle of the smallest kind, to be changed by `copy`. */
fun sampleBundle(
    answerFormat: AnswerFormat? = null,
    golden: List<Golden> = emptyList(),
    actions: List<Action> = emptyList(),
    model: File = File("sample.litertlm"),
) = Bundle(
    model = model,
    manifest = Manifest(
        model = ModelFile(model.name, size = 1, sha256 = "ab".repeat(32)),
        name = "sample",
        recipe = "int8",
        contextTokens = 1000,
        sampling = Sampling.Greedy,
        answerFormat = answerFormat,
        minimumRuntime = "0.11.0",
        licence = null,
        examples = emptyList(),
    ),
    task = Task("Sample", null, null, listOf("hello"), golden, actions, null),
    notice = null,
)

fun openModel(bundle: Bundle, engine: Engine) =
    OpenModel(bundle, engine, Backend.CPU, null, CoroutineScope(SupervisorJob() + Dispatchers.Default))

class MemoryChoices(override var bundle: BundleChoice = BundleChoice.BuiltIn, override var backend: Backend = Backend.CPU) : Choices
