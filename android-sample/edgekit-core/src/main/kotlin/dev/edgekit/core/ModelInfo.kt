package dev.edgekit.core

import dev.edgekit.core.calls.Tool

/**
 * What a bundle says of itself.
 *
 * @property name of the bundle
 * @property title of all that it can do
 * @property tasks what it can do; there is at least one
 * @property adapters by the names that tasks have for them
 * @property contextTokens tokens that a conversation can hold, prompt and answer together
 * @property modelBytes of the model's file
 * @property sha256 of the model's file, hexadecimal
 * @property recipe by which its weights were made smaller
 * @property minimumRuntime the oldest release of LiteRT-LM that can open it
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
    public val sha256: String,
    public val recipe: String,
    public val minimumRuntime: String,
    public val licence: String?,
    public val notice: String?,
)

/**
 * What a model does, alone or with an adapter.
 *
 * @property id tells it apart from the bundle's other tasks
 * @property adapter of [ModelInfo.adapters]; null for the model alone
 * @property examples prompts that it was made for
 * @property format what every answer is held to; null for words
 * @property tools what the model can call; empty where it only answers
 * @property oneTurn each question stands alone
 * @property goldens how many prompts [Model.selfTest] asks
 * @property failure why the task cannot be used; null when it can
 */
public class TaskInfo(
    public val id: String,
    public val title: String,
    public val description: String?,
    public val adapter: String?,
    public val examples: List<String>,
    public val format: AnswerFormat?,
    public val tools: List<Tool>,
    public val oneTurn: Boolean,
    public val goldens: Int,
    public val failure: BundleFailure?,
)

/**
 * An adapter of a bundle.
 *
 * @property name as the adapter's own manifest has it
 * @property source the training run that it came from
 * @property bytes of its file
 */
public class AdapterInfo(
    public val name: String,
    public val source: String,
    public val bytes: Long,
    public val sha256: String,
    public val licence: String?,
    public val notice: String?,
)
