package dev.edgekit.core.bundle

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Quality
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Action
import java.io.File

/**
 * The parts of `edgekit.json` that the app uses.
 *
 * @property adapters what the model takes of adapters; null when it takes none
 * @property suppressedTokens ids that an answer under a format must not contain; null in a manifest that does not say
 * @property oneTurn each message must begin a conversation of its own; null where nothing is said of it
 * @property calling what the model can ask the app for; null when it only answers
 * @property cache what a conversation takes of memory; null where nothing is said of its shape
 * @property isStatic the graph has its whole context from the start, however short a conversation is
 */
@InternalEdgekitApi
public data class Manifest(
    val model: BundleFile,
    val name: String,
    val recipe: String,
    val contextTokens: Int,
    val sampling: Sampling,
    val answerFormat: AnswerFormat?,
    val minimumRuntime: String,
    val licence: String?,
    val examples: List<String>,
    val adapters: AdapterInputs? = null,
    val suppressedTokens: List<Int>? = null,
    val oneTurn: Boolean? = null,
    val calling: Calling? = null,
    val cache: Cache? = null,
    val isStatic: Boolean = false,
)

/**
 * The KV cache.
 *
 * @property tokenBytes what each token takes in the layers that keep all
 * @property ringBytes of the layers that keep the last tokens only
 * @property isNarrow its numbers are widened at each step
 */
@InternalEdgekitApi
public data class Cache(val tokenBytes: Long, val ringBytes: Long = 0, val isNarrow: Boolean = false)

/** @property sha256 hexadecimal */
@InternalEdgekitApi
public data class BundleFile(val name: String, val size: Long, val sha256: String)

/**
 * @property targets the projections that an adapter may change, such as `q_proj`
 * @property empty the sidecar of no adapter, which lies beside the model
 * @property bytes of all inputs together
 */
@InternalEdgekitApi
public data class AdapterInputs(val rank: Int, val targets: List<String>, val empty: BundleFile, val bytes: Long)

/** `tasks.json`: what the app offers. */
@InternalEdgekitApi
public data class Offer(val title: String, val tasks: List<Task>)

/**
 * What the app does with the model, or with the model and one of its adapters.
 *
 * @property id tells it apart from the other tasks of the app
 * @property adapter a folder below `adapters/`; null for the model alone
 * @property oneTurn as in [Manifest]; null leaves it to the manifest
 */
@InternalEdgekitApi
public data class Task(
    val id: String,
    val adapter: String?,
    val title: String,
    val description: String?,
    val systemPrompt: String?,
    val examples: List<String>,
    val golden: List<Golden>,
    val actions: List<Action>,
    val quality: Quality?,
    val oneTurn: Boolean? = null,
)

@InternalEdgekitApi
public data class Golden(val prompt: String, val answer: String)

/**
 * The parts of `adapter.json` that the app uses.
 *
 * @property sidecar what the engine reads beside the model
 * @property base of the bundle that the adapter was made for
 * @property rank of the sidecar, which fills up [trainedRank] with zeros
 * @property chatTemplate in place of the model file's; null for that
 * @property oneTurn as in [Manifest]
 */
@InternalEdgekitApi
public data class AdapterManifest(
    val name: String,
    val sidecar: BundleFile,
    val base: AdapterBase,
    val source: String,
    val trainedRank: Int,
    val rank: Int,
    val targets: List<String>,
    val sampling: Sampling,
    val answerFormat: AnswerFormat?,
    val chatTemplate: String?,
    val licence: String?,
    val oneTurn: Boolean? = null,
)

@InternalEdgekitApi
public data class AdapterBase(val name: String, val modelSha256: String)

/** What became of an adapter that a task asks for. */
@InternalEdgekitApi
public sealed interface InstalledAdapter {
    /** @property sidecar lies checked in the app's storage */
    @InternalEdgekitApi
    public data class Usable(val manifest: AdapterManifest, val sidecar: File, val notice: String?) : InstalledAdapter

    @InternalEdgekitApi
    public data class Refused(val failure: BundleFailure) : InstalledAdapter
}

/**
 * A bundle whose model file lies checked in the app's storage.
 *
 * @property manifest null for a bare .litertlm file that was opened through the file picker
 * @property title of the list of tasks; there is at least one
 * @property adapters by the names that the tasks have for them
 */
@InternalEdgekitApi
public data class Bundle(
    val model: File,
    val manifest: Manifest?,
    val title: String,
    val tasks: List<Task>,
    val adapters: Map<String, InstalledAdapter>,
    val notice: String?,
) {
    /** Null for a task of the model alone, and for one whose adapter was refused. */
    public fun adapterOf(task: Task): InstalledAdapter.Usable? = adapters[task.adapter] as? InstalledAdapter.Usable

    /** Why a task cannot be used, null when it can. */
    public fun failureOf(task: Task): BundleFailure? = (adapters[task.adapter] as? InstalledAdapter.Refused)?.failure

    /** The tasks that can be used. */
    val usable: List<Task> get() = tasks.filter { failureOf(it) == null }
}

/** What happens between the first launch and a usable file. Sizes in bytes. */
internal sealed interface InstallState {
    data class Copying(val done: Long, val total: Long) : InstallState

    data class Checking(val done: Long, val total: Long) : InstallState

    data class Ready(val bundle: Bundle) : InstallState

    data class Failed(val failure: BundleFailure) : InstallState
}

