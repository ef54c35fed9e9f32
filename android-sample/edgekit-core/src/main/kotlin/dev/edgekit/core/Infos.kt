package dev.edgekit.core

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.tasks.callingOf
import dev.edgekit.core.tasks.contextTokens
import dev.edgekit.core.tasks.identity
import dev.edgekit.core.tasks.isOneTurn
import dev.edgekit.core.tasks.memoryNeed
import dev.edgekit.core.tasks.settingsOf

/** What a bundle says of itself, opened with a context of so many tokens. */
@InternalEdgekitApi
public fun infoOf(bundle: Bundle, contextTokens: Int = bundle.contextTokens): ModelInfo {
    val manifest = bundle.manifest
    val adapters = bundle.adapters.mapValues { (_, adapter) -> (adapter as? InstalledAdapter.Usable)?.let(::adapterInfo) }
    return ModelInfo(
        name = manifest?.name ?: bundle.model.nameWithoutExtension,
        title = bundle.title,
        tasks = bundle.tasks.map { taskInfo(bundle, it, adapters[it.adapter]) },
        adapters = adapters.values.filterNotNull(),
        contextTokens = contextTokens,
        modelBytes = bundle.modelBytes,
        memory = bundle.memoryNeed(contextTokens),
        sha256 = bundle.identity,
        recipe = manifest?.recipe,
        minimumRuntime = manifest?.minimumRuntime,
        licence = manifest?.licence,
        notice = bundle.notice,
    )
}

internal val Bundle.modelBytes: Long get() = manifest?.model?.size ?: model.length()

private fun taskInfo(bundle: Bundle, task: Task, adapter: AdapterInfo?): TaskInfo {
    val calling = bundle.callingOf(task)
    val settings = bundle.settingsOf(task)
    return TaskInfo(
        id = task.id,
        title = task.title,
        description = task.description,
        adapter = adapter,
        examples = task.examples,
        format = if (calling == null) settings.answerFormat else null,
        sampling = settings.sampling,
        tools = calling?.tools.orEmpty(),
        oneTurn = bundle.isOneTurn(task),
        goldens = task.golden.size,
        quality = task.quality,
        failure = bundle.failureOf(task),
    )
}

private fun adapterInfo(adapter: InstalledAdapter.Usable) = adapter.manifest.run {
    AdapterInfo(name, source, trainedRank, rank, targets, sidecar.size, sidecar.sha256, licence, adapter.notice)
}
