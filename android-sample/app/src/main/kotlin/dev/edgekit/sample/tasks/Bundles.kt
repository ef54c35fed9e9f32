package dev.edgekit.sample.tasks

import dev.edgekit.sample.bundle.Bundle
import dev.edgekit.sample.bundle.Task
import dev.edgekit.sample.engine.AdapterSupport
import dev.edgekit.sample.engine.ConversationSettings
import java.io.File

/** Tells bundles apart in what is kept about them. The directory of a bare file is named by its digest. */
val Bundle.identity: String get() = manifest?.model?.sha256 ?: model.absoluteFile.parentFile!!.name

/** Likewise what answers in a task: the model, or the model with an adapter. */
fun Bundle.identityOf(task: Task): String = listOfNotNull(identity, adapterOf(task)?.manifest?.sidecar?.sha256).joinToString(" ")

/** The tokens that a conversation may hold. A bare file does not say; most are made for this many. */
val Bundle.contextTokens: Int get() = manifest?.contextTokens ?: DEFAULT_CONTEXT_TOKENS

private const val DEFAULT_CONTEXT_TOKENS = 1024

/** Null when the model takes no adapters. */
val Bundle.adapterSupport: AdapterSupport?
    get() = manifest?.adapters?.let { AdapterSupport(it.rank, File(model.parentFile, it.empty.name), it.bytes) }

fun Bundle.task(id: String): Task? = tasks.find { it.id == id }

/** Whether each message of a task begins a conversation of its own; an adapter speaks by the model's template or by its own. */
fun Bundle.isOneTurn(task: Task): Boolean {
    val ofModel = manifest?.oneTurn == true
    val adapter = adapterOf(task)?.manifest ?: return ofModel
    return adapter.oneTurn || (ofModel && adapter.chatTemplate == null)
}

/** How a task converses unless its user says otherwise. An adapter has its own sampling, answer format and template. */
fun Bundle.settingsOf(task: Task): ConversationSettings {
    val adapter = adapterOf(task)
    return ConversationSettings(
        systemPrompt = task.systemPrompt,
        sampling = if (adapter == null) manifest?.sampling else adapter.manifest.sampling,
        answerFormat = if (adapter == null) manifest?.answerFormat else adapter.manifest.answerFormat,
        adapter = adapter?.sidecar,
        promptTemplate = adapter?.manifest?.chatTemplate,
    )
}
