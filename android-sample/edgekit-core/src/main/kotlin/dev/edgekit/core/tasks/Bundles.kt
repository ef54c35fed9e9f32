package dev.edgekit.core.tasks

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Calling
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.AdapterSupport
import dev.edgekit.core.engine.ConversationSettings
import java.io.File

/** Tells bundles apart in what is kept about them. The directory of a bare file is named by its digest. */
@InternalEdgekitApi
public val Bundle.identity: String get() = manifest?.model?.sha256 ?: model.absoluteFile.parentFile!!.name

/** Likewise what answers in a task: the model, or the model with an adapter. */
internal fun Bundle.identityOf(task: Task): String = listOfNotNull(identity, adapterOf(task)?.manifest?.sidecar?.sha256).joinToString(" ")

/** The tokens that a conversation may hold. A bare file does not say; most are made for this many. */
@InternalEdgekitApi
public val Bundle.contextTokens: Int get() = manifest?.contextTokens ?: DEFAULT_CONTEXT_TOKENS

private const val DEFAULT_CONTEXT_TOKENS = 1024

/** Null when the model takes no adapters. */
internal val Bundle.adapterSupport: AdapterSupport?
    get() = manifest?.adapters?.let { AdapterSupport(it.rank, File(model.parentFile, it.empty.name), it.bytes) }

/**
 * Whether each message of a task begins a conversation of its own, as the task says, or whoever speaks in it. Where neither
 * does: under a format and for calls, because models are trained for those so, and where an adapter speaks by the template of
 * a model of one turn.
 */
internal fun Bundle.isOneTurn(task: Task): Boolean {
    val adapter = adapterOf(task)?.manifest
    val said = task.oneTurn ?: if (adapter == null) manifest?.oneTurn else adapter.oneTurn
    if (said != null) return said
    if (callingOf(task) != null || settingsOf(task).answerFormat != null) return true
    return adapter != null && adapter.chatTemplate == null && manifest?.oneTurn == true
}

/** How a task converses unless its user says otherwise. An adapter has its own sampling, answer format and template. */
internal fun Bundle.settingsOf(task: Task): ConversationSettings {
    val adapter = adapterOf(task)
    callingOf(task)?.let { return callingSettings(task, it) }
    return ConversationSettings(
        systemPrompt = task.systemPrompt,
        sampling = if (adapter == null) manifest?.sampling else adapter.manifest.sampling,
        answerFormat = if (adapter == null) manifest?.answerFormat else adapter.manifest.answerFormat,
        adapter = adapter?.sidecar,
        promptTemplate = adapter?.manifest?.chatTemplate,
    )
}

/** What the model can ask for in a task; null where it only answers. An adapter was trained for something else. */
internal fun Bundle.callingOf(task: Task): Calling? = manifest?.calling?.takeIf { task.adapter == null }

/** The tools are told in the first message, in the words that the model was trained with. */
private fun Bundle.callingSettings(task: Task, calling: Calling) = ConversationSettings(
    systemPrompt = (task.systemPrompt ?: calling.system) + calling.declarations,
    systemRole = calling.role,
    sampling = manifest?.sampling,
    answerFormat = calling.format?.let(AnswerFormat::Regex),
)
