package dev.edgekit.core

import dev.edgekit.core.calls.Tool

/**
 * What a bundle says of itself. A model file alone, which a [BundleSource.Document] can be, says less.
 *
 * @property name of the bundle
 * @property title of all that it can do
 * @property tasks what it can do; there is at least one
 * @property adapters of the tasks that can be used
 * @property contextTokens tokens that a conversation can hold, prompt and answer together
 * @property modelBytes of the model's file
 * @property memory what the model takes of the device's
 * @property sha256 of the model's file, hexadecimal
 * @property recipe by which its weights were made smaller; null for a file alone
 * @property minimumRuntime the oldest release of LiteRT-LM that can open it; null for a file alone
 * @property licence as the checkpoint names it
 * @property notice the terms that must stay with the model
 */
public class ModelInfo(
    public val name: String,
    public val title: String,
    public val tasks: List<TaskInfo>,
    public val adapters: List<AdapterInfo>,
    public val contextTokens: Int,
    public val modelBytes: Long,
    public val memory: MemoryNeed,
    public val sha256: String,
    public val recipe: String?,
    public val minimumRuntime: String?,
    public val licence: String?,
    public val notice: String?,
) {
    /** The tasks that can be used. */
    public val usable: List<TaskInfo> get() = tasks.filter { it.failure == null }

    /** The task with an id, null when there is none. */
    public fun task(id: String): TaskInfo? = tasks.find { it.id == id }
}

/**
 * What a model does, alone or with an adapter.
 *
 * @property id tells it apart from the bundle's other tasks
 * @property adapter null for the model alone, and where [failure] says why there is none
 * @property examples prompts that it was made for
 * @property format what every answer is held to; null for words
 * @property sampling what the bundle proposes; null leaves it to the model's file
 * @property tools what the model can call; empty where it only answers
 * @property oneTurn each question stands alone
 * @property goldens how many prompts [Model.selfTest] asks
 * @property quality what `edgekit validate` found; null where nobody asked
 * @property failure why the task cannot be used; null when it can
 */
public class TaskInfo(
    public val id: String,
    public val title: String,
    public val description: String?,
    public val adapter: AdapterInfo?,
    public val examples: List<String>,
    public val format: AnswerFormat?,
    public val sampling: Sampling?,
    public val tools: List<Tool>,
    public val oneTurn: Boolean,
    public val goldens: Int,
    public val quality: Quality?,
    public val failure: BundleFailure?,
)

/**
 * An adapter of a bundle.
 *
 * @property name as the adapter's own manifest has it
 * @property source the training run that it came from
 * @property rank of its file, which fills up [trainedRank] with zeros
 * @property targets the projections that it changes, such as `q_proj`
 * @property bytes of its file
 */
public class AdapterInfo(
    public val name: String,
    public val source: String,
    public val trainedRank: Int,
    public val rank: Int,
    public val targets: List<String>,
    public val bytes: Long,
    public val sha256: String,
    public val licence: String?,
    public val notice: String?,
)

/** How a model did in its checks. */
public data class Quality(public val passed: Boolean, public val checks: List<QualityCheck>)

/** @property summary in a sentence, in English */
public data class QualityCheck(public val name: String, public val passed: Boolean, public val summary: String)
