package dev.edgekit.sample.bundle

import dev.edgekit.sample.engine.AnswerFormat
import dev.edgekit.sample.engine.Sampling
import java.io.File

/** The parts of `edgekit.json` that the app uses. */
data class Manifest(
    val model: ModelFile,
    val name: String,
    val recipe: String,
    val contextTokens: Int,
    val sampling: Sampling,
    val answerFormat: AnswerFormat?,
    val minimumRuntime: String,
    val licence: String?,
    val examples: List<String>,
)

/** @property sha256 hexadecimal */
data class ModelFile(val name: String, val size: Long, val sha256: String)

/** `task.json`: what the app makes of the bundle. */
data class Task(
    val title: String,
    val description: String?,
    val systemPrompt: String?,
    val examples: List<String>,
    val golden: List<Golden>,
    val actions: List<Action>,
    val quality: Quality?,
)

data class Golden(val prompt: String, val answer: String)

/** Starts an activity with the action [intent] when every field of [fields] has that text in the answer. */
data class Action(val fields: Map<String, String>, val intent: String)

data class Quality(val passed: Boolean, val checks: List<QualityCheck>)

data class QualityCheck(val name: String, val passed: Boolean, val summary: String)

/**
 * A bundle whose model file lies checked in the app's storage.
 *
 * @property manifest null for a bare .litertlm file that was opened through the file picker
 */
data class Bundle(val model: File, val manifest: Manifest?, val task: Task, val notice: String?)

/** What happens between the first launch and a usable file. Sizes in bytes. */
sealed interface InstallState {
    data class Copying(val done: Long, val total: Long) : InstallState

    data class Checking(val done: Long, val total: Long) : InstallState

    data class Ready(val bundle: Bundle) : InstallState

    data class Failed(val failure: BundleFailure) : InstallState
}

sealed class BundleFailure(message: String, cause: Throwable? = null) : Exception(message, cause) {
    /** The app was built without a bundle. */
    class Missing(what: String) : BundleFailure("no $what in the app")

    /** Size or digest differ, or a file is cut short. */
    class Corrupt(what: String, detail: String) : BundleFailure("$what: $detail")

    /** A manifest or task that this app cannot read: a newer schema, a missing key. */
    class Unreadable(what: String, detail: String) : BundleFailure("$what: $detail")

    /** @property needed bytes in all; [free] bytes there are */
    class NoSpace(val needed: Long, val free: Long) : BundleFailure("needs $needed bytes, $free are free")

    class Other(reason: String, cause: Throwable? = null) : BundleFailure(reason, cause)
}
