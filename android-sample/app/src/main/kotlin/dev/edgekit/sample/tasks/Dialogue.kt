package dev.edgekit.sample.tasks

import dev.edgekit.sample.bundle.Bundle
import dev.edgekit.sample.engine.Conversation
import dev.edgekit.sample.engine.ConversationSettings
import dev.edgekit.sample.engine.EngineFailure
import dev.edgekit.sample.engine.Piece
import dev.edgekit.sample.engine.Sampling
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** A prompt that was not sent: it would pass the context by [excess] tokens. */
data class Refusal(val prompt: String, val excess: Int)

/** @property answering a prompt was sent and its answer has not ended */
data class DialogueState(val transcript: Transcript, val answering: Boolean = false, val refusal: Refusal? = null)

/** Tells bundles apart in what is kept about them. The directory of a bare file is named by its digest. */
val Bundle.identity: String get() = manifest?.model?.sha256 ?: model.absoluteFile.parentFile!!.name

/** The tokens that a conversation may hold. A bare file does not say; most are made for this many. */
val Bundle.contextTokens: Int get() = manifest?.contextTokens ?: DEFAULT_CONTEXT_TOKENS

private const val DEFAULT_CONTEXT_TOKENS = 1024

/**
 * A conversation as it is shown, and the engine's conversation behind it, which is opened when it is needed.
 *
 * Its functions are called on one thread. [before] is taken up again if it was held with the same model.
 */
class Dialogue(
    private val model: OpenModel,
    before: Transcript? = null,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) {
    val bundle: Bundle = model.bundle

    private val fresh = Transcript(bundle.identity, sampling = bundle.manifest?.sampling)
    private val _state = MutableStateFlow(DialogueState(before?.takeIf { it.model == fresh.model } ?: fresh))
    val state: StateFlow<DialogueState> = _state.asStateFlow()

    private var conversation: Conversation? = null
    private var answering: Job? = null

    /** Sends a prompt unless an answer is under way. A prompt that is too long comes back as [DialogueState.refusal]. */
    fun send(prompt: String) {
        if (answering?.isActive == true) return
        _state.update { it.copy(answering = true, refusal = null) }
        answering = model.scope.launch(dispatcher) { answer(prompt) }
    }

    /** Ends the answer under way; returns when the engine has stopped. */
    suspend fun stop() {
        answering?.cancelAndJoin()
        // Cancelled before it began, it could not say so itself.
        _state.update { it.copy(answering = false) }
    }

    suspend fun reset() {
        stop()
        forget()
        _state.value = DialogueState(fresh.copy(sampling = _state.value.transcript.sampling))
    }

    /** Goes on with other settings and what was said so far. */
    suspend fun use(sampling: Sampling) {
        stop()
        forget()
        _state.update { it.copy(transcript = it.transcript.copy(sampling = sampling)) }
    }

    private suspend fun answer(prompt: String) {
        editTurns { it + Turn(prompt) }
        var ending: Ending = Ending.Stopped
        try {
            val open = conversation ?: converse().also { conversation = it }
            open.send(prompt).collect { piece ->
                when (piece) {
                    is Piece.Text -> editLast { it.copy(answer = it.answer + piece.text) }
                    is Piece.Done -> ending = Ending.Finished(piece.stats)
                }
            }
        } catch (failure: EngineFailure.PromptTooLong) {
            editTurns { it.dropLast(1) }
            _state.update { it.copy(refusal = Refusal(prompt, failure.tokens - failure.room)) }
        } catch (failure: EngineFailure) {
            ending = Ending.Failed(failure)
        } finally {
            end(ending)
        }
    }

    private fun converse(): Conversation {
        val transcript = _state.value.transcript
        return model.engine.converse(
            ConversationSettings(
                systemPrompt = bundle.task.systemPrompt,
                sampling = transcript.sampling,
                answerFormat = bundle.manifest?.answerFormat,
                history = transcript.history,
            ),
        )
    }

    private suspend fun end(ending: Ending) {
        val used = conversation?.tokenCount ?: 0
        val cutOff = _state.value.transcript.turns.lastOrNull()?.ending == null && ending !is Ending.Finished
        // Half an answer is in the engine's cache without its end: the next prompt starts from what is shown.
        if (cutOff) forget()
        editLast { it.copy(ending = it.ending ?: ending) }
        _state.update {
            val transcript = if (used > 0) it.transcript.copy(contextUsed = used) else it.transcript
            it.copy(transcript = transcript, answering = false)
        }
    }

    private suspend fun forget() = withContext(NonCancellable + dispatcher) {
        conversation?.close()
        conversation = null
    }

    private fun editTurns(edit: (List<Turn>) -> List<Turn>) =
        _state.update { it.copy(transcript = it.transcript.copy(turns = edit(it.transcript.turns))) }

    private fun editLast(edit: (Turn) -> Turn) =
        editTurns { turns -> if (turns.isEmpty()) turns else turns.dropLast(1) + edit(turns.last()) }
}
