package dev.edgekit.core

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.tasks.callingOf
import dev.edgekit.core.tasks.isOneTurn
import dev.edgekit.core.tasks.settingsOf

/** What a bundle with a manifest says of itself. */
internal fun infoOf(bundle: Bundle): ModelInfo {
    val manifest = checkNotNull(bundle.manifest) { "a model without its manifest is not opened" }
    return ModelInfo(
        name = manifest.name,
        title = bundle.title,
        tasks = bundle.tasks.map { taskInfo(bundle, it) },
        adapters = bundle.adapters.values.filterIsInstance<InstalledAdapter.Usable>().map(::adapterInfo),
        contextTokens = manifest.contextTokens,
        modelBytes = manifest.model.size,
        sha256 = manifest.model.sha256,
        recipe = manifest.recipe,
        minimumRuntime = manifest.minimumRuntime,
        licence = manifest.licence,
        notice = bundle.notice,
    )
}

private fun taskInfo(bundle: Bundle, task: Task): TaskInfo {
    val calling = bundle.callingOf(task)
    return TaskInfo(
        id = task.id,
        title = task.title,
        description = task.description,
        adapter = task.adapter,
        examples = task.examples,
        format = if (calling == null) bundle.settingsOf(task).answerFormat else null,
        tools = calling?.tools.orEmpty(),
        oneTurn = bundle.isOneTurn(task),
        goldens = task.golden.size,
        failure = bundle.failureOf(task),
    )
}

private fun adapterInfo(adapter: InstalledAdapter.Usable) = adapter.manifest.run {
    AdapterInfo(name, source, sidecar.size, sidecar.sha256, licence, adapter.notice)
}
