package dev.edgekit.core.engine

import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Sampling
import java.io.File
import java.io.FileOutputStream
import java.security.MessageDigest
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList

/** How a trial of the GPU ended. */
internal sealed interface Verdict {
    data object Same : Verdict

    /** @property reason why the GPU is not to be used */
    data class Unfit(val reason: String) : Verdict
}

/**
 * Remembers the trials of a model on this device, a file for each in [directory].
 *
 * [begin] leaves a mark that only [end] removes: a driver that ends the process in the middle is found out at the next
 * start, as [Verdict.Unfit]. A process that was closed from outside says nothing of the driver. Where the system does not
 * tell how it ended, the second time decides.
 *
 * @param identity of the model file and the app's version: a trial holds for both
 * @param wasClosed whether the process of that time, milliseconds since 1970, was closed and did not fail; null for unknown
 */
internal class BackendTrials(
    private val directory: File,
    identity: String,
    private val wasClosed: (since: Long) -> Boolean? = { false },
) {
    private val record = File(directory, digest(identity))

    /** Null when there was none. */
    fun verdict(): Verdict? {
        val text = if (record.isFile) record.readText() else return null
        return when {
            text == SAME -> Verdict.Same
            text.startsWith(UNFIT) -> Verdict.Unfit(text.removePrefix(UNFIT))
            else -> ofBroken(text)
        }
    }

    /** Of a trial that did not end. */
    private fun ofBroken(text: String): Verdict? {
        val isUnfit = when (wasClosed(record.lastModified())) {
            true -> false
            false -> true
            null -> AGAIN in text
        }
        return if (isUnfit) Verdict.Unfit(ENDED_THE_PROCESS) else Verdict.Same.takeIf { SAME in text }
    }

    fun begin() {
        val before = if (record.isFile) record.readText() else ""
        val words = listOfNotNull(BEGUN, SAME.takeIf { it in before }, AGAIN.takeIf { before.startsWith(BEGUN) })
        write(words.joinToString(" "))
    }

    fun end(verdict: Verdict) = write(
        when (verdict) {
            Verdict.Same -> SAME
            is Verdict.Unfit -> UNFIT + verdict.reason
        },
    )

    /** Lets the GPU have another chance. */
    fun forget() {
        record.delete()
    }

    private fun write(text: String) {
        directory.mkdirs()
        val part = File(directory, "${record.name}.part")
        FileOutputStream(part).use {
            it.write(text.encodeToByteArray())
            it.fd.sync()
        }
        part.renameTo(record)
    }

    private companion object {
        const val BEGUN = "begun"
        const val AGAIN = "again"
        const val SAME = "same"
        const val UNFIT = "unfit "
        const val ENDED_THE_PROCESS = "the app ended while the GPU was being tried"
    }
}

/** @property reason why the engine does not run on the GPU, null when it does */
@InternalEdgekitApi
public data class ChosenEngine(val engine: Engine, val backend: Backend, val reason: String?)

/**
 * Opens a model on the GPU when it answers there as on the CPU, else on the CPU.
 *
 * The first time it asks the CPU and then the GPU the same prompt, greedily, and compares the beginnings of the answers;
 * [trials] remembers. One engine is open at a time. Throws [EngineFailure] when the CPU does not open the model either.
 *
 * @param settings for either; their backend is left out of account
 * @param canary the prompt
 * @param conversation how it is asked; its sampling is left out of account
 * @param onTrial called before the comparison, which takes as long as two starts
 */
internal suspend fun chooseBackend(
    loader: EngineLoader,
    settings: EngineSettings,
    canary: String,
    conversation: ConversationSettings,
    trials: BackendTrials,
    onTrial: () -> Unit = {},
): ChosenEngine {
    val before = trials.verdict()
    if (before is Verdict.Unfit) return onCpu(loader, settings, before.reason)
    val expected = try {
        if (before == null) loader.answerOfCpu(settings, canary, conversation, onTrial) else null
    } catch (failure: EngineFailure) {
        return onCpu(loader, settings, "the CPU does not answer: ${failure.message}")
    }
    trials.begin()
    return try {
        val engine = loader.open(settings.copy(backend = Backend.GPU))
        val difference = expected?.let { engine.differenceOrClose(canary, conversation, it) }
        if (difference != null) throw EngineFailure.BackendUnavailable(Backend.GPU, difference)
        trials.end(Verdict.Same)
        ChosenEngine(engine, Backend.GPU, null)
    } catch (failure: EngineFailure) {
        val reason = failure.message ?: "no reason given"
        trials.end(Verdict.Unfit(reason))
        onCpu(loader, settings, reason)
    } catch (interruption: Throwable) {
        // Not the GPU's doing: the trial is as if it had not been.
        if (before == null) trials.forget() else trials.end(before)
        throw interruption
    }
}

private fun onCpu(loader: EngineLoader, settings: EngineSettings, reason: String) =
    ChosenEngine(loader.open(settings.copy(backend = Backend.CPU)), Backend.CPU, reason)

private suspend fun EngineLoader.answerOfCpu(
    settings: EngineSettings,
    canary: String,
    conversation: ConversationSettings,
    onTrial: () -> Unit,
): String {
    onTrial()
    return open(settings.copy(backend = Backend.CPU)).use { it.answer(canary, conversation) }
}

/** How the engine's answer differs, null when it does not. Leaves the engine open only then. */
private suspend fun Engine.differenceOrClose(canary: String, settings: ConversationSettings, expected: String): String? {
    var same = false
    try {
        val given = answer(canary, settings)
        same = given == expected
        return if (same) null else "it answers “${given.shortened()}”, the CPU “${expected.shortened()}”"
    } finally {
        if (!same) close()
    }
}

private suspend fun Engine.answer(prompt: String, settings: ConversationSettings): String =
    converse(settings.copy(sampling = Sampling.Greedy)).use { conversation ->
        conversation.send(prompt).filterIsInstance<Piece.Text>().take(COMPARED_PIECES).toList().joinToString("") { it.text }
    }

private const val COMPARED_PIECES = 32
private const val SHOWN = 60

private fun String.shortened() = if (length <= SHOWN) this else take(SHOWN) + "…"

private fun digest(text: String): String =
    MessageDigest.getInstance("SHA-256").digest(text.encodeToByteArray()).joinToString("") { "%02x".format(it) }.take(32)
