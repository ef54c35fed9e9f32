package dev.edgekit.sample.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.readCalls
import dev.edgekit.core.calls.resultsOf
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.Message
import dev.edgekit.core.engine.Piece
import dev.edgekit.core.engine.Role
import dev.edgekit.core.tasks.ConversationHolder
import dev.edgekit.core.tasks.OpenModel
import dev.edgekit.core.tasks.callingOf
import dev.edgekit.core.tasks.identityOf
import dev.edgekit.core.tasks.isOneTurn
import dev.edgekit.core.tasks.settingsOf
import dev.edgekit.core.tasks.task
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** A prompt that was not sent: it would pass the context by [excess] tokens. */
data class Refusal(val prompt: String, val excess: Int)

/** @property answering a prompt was sent and its answer has not ended */
data class DialogueState(val transcript: Transcript, val answering: Boolean = false, val refusal: Refusal? = null)

/**
 * The conversation of a task as it is shown, and the engine's conversation behind it, which is opened when it is needed and
 * again after another task had the engine.
 *
 * Where the task takes one turn, each message begins a conversation of its own; what is shown stays.
 *
 * Its functions are called on one thread. [before] is taken up again if it was held with the same model and adapter.
 */
class Dialogue(
    private val model: OpenModel,
    val task: Task,
    before: Transcript? = null,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) : ConversationHolder {
    val bundle: Bundle = model.bundle

    private val settings = bundle.settingsOf(task)
    private val oneTurn = bundle.isOneTurn(task)
    private val fresh = Transcript(bundle.identityOf(task), sampling = settings.sampling)
    private val _state = MutableStateFlow(DialogueState(before?.takeIf { it.model == fresh.model } ?: fresh))
    val state: StateFlow<DialogueState> = _state.asStateFlow()

    @Volatile
    private var answering: Job? = null

    /** What the engine's conversation holds is not what is shown. */
    @Volatile
    private var outdated = false

    /** Sends a prompt unless an answer is under way. A prompt that is too long comes back as [DialogueState.refusal]. */
    fun send(prompt: String) = begin(Message(Role.USER, prompt), isPrompt = true)

    /** Notes what became of a call of the last answer. When that is known of all, the model goes on with the results. */
    fun settle(index: Int, settled: Settled) {
        val calling = bundle.callingOf(task) ?: return
        if (_state.value.answering) return
        editLast { it.copy(settled = it.settled + (index to settled)) }
        val turn = _state.value.transcript.turns.lastOrNull() ?: return
        resultsOf(readCalls(turn.answer, calling.dialect), calling, turn.settled)?.let { begin(it, isPrompt = false) }
    }

    private fun begin(message: Message, isPrompt: Boolean) {
        // The state, not the job: it still runs for a moment after it has told that the answer ended.
        if (_state.value.answering) return
        _state.update { it.copy(answering = true, refusal = null) }
        // It is known before it runs: whoever takes the engine waits for it.
        val job = model.scope.launch(dispatcher, CoroutineStart.LAZY) { answer(message, isPrompt) }
        answering = job
        job.start()
    }

    /** Ends the answer under way; returns when the engine has stopped. */
    suspend fun stop() {
        answering?.cancelAndJoin()
        // Cancelled before it began, it could not say so itself.
        _state.update { it.copy(answering = false) }
    }

    override suspend fun yieldEngine() = stop()

    suspend fun reset() {
        stop()
        outdated = true
        _state.value = DialogueState(fresh.copy(sampling = _state.value.transcript.sampling))
    }

    /** Goes on with other settings and what was said so far. */
    suspend fun use(sampling: Sampling) {
        stop()
        outdated = true
        _state.update { it.copy(transcript = it.transcript.copy(sampling = sampling)) }
    }

    private suspend fun answer(message: Message, isPrompt: Boolean) {
        val turn = if (isPrompt) Turn(message.text) else Turn("", results = message)
        editTurns { it + turn }
        var ending: Ending = Ending.Stopped
        var conversation: Conversation? = null
        try {
            conversation = converse(isPrompt)
            conversation.send(message).collect { piece ->
                when (piece) {
                    is Piece.Text -> editLast { it.copy(answer = it.answer + piece.text) }
                    is Piece.Done -> ending = Ending.Finished(piece.stats)
                }
            }
        } catch (failure: EngineFailure.PromptTooLong) {
            if (isPrompt) {
                editTurns { it.dropLast(1) }
                _state.update { it.copy(refusal = Refusal(message.text, failure.tokens - failure.room)) }
            } else {
                ending = Ending.Failed(failure)
            }
        } catch (failure: EngineFailure) {
            ending = Ending.Failed(failure)
        } catch (failure: Exception) {
            if (failure is CancellationException) throw failure
            ending = Ending.Failed(EngineFailure.Other(failure.message ?: failure.toString(), failure))
        } finally {
            end(ending, conversation?.let(::used) ?: 0)
        }
    }

    /** @param isPrompt else it goes on with what was called, in the same turn */
    private suspend fun converse(isPrompt: Boolean): Conversation =
        model.conversationOf(this, task, renewed = outdated || (oneTurn && isPrompt)) {
            val transcript = _state.value.transcript
            val history = when {
                !oneTurn -> transcript.history
                isPrompt -> emptyList()
                else -> transcript.exchange
            }
            settings.copy(sampling = transcript.sampling, history = history)
        }.also { outdated = false }

    /** 0 where the conversation is closed already. */
    private fun used(conversation: Conversation): Int = try {
        conversation.tokenCount
    } catch (_: IllegalStateException) {
        0
    }

    /** @param used tokens in the engine's cache */
    private fun end(ending: Ending, used: Int) {
        val cutOff = _state.value.transcript.turns.lastOrNull()?.ending == null && ending !is Ending.Finished
        // Half an answer is in the engine's cache without its end: the next prompt starts from what is shown.
        if (cutOff) outdated = true
        editLast { it.copy(ending = it.ending ?: ending) }
        _state.update {
            val transcript = if (used > 0) it.transcript.copy(contextUsed = used) else it.transcript
            it.copy(transcript = transcript, answering = false)
        }
    }

    private fun editTurns(edit: (List<Turn>) -> List<Turn>) =
        _state.update { it.copy(transcript = it.transcript.copy(turns = edit(it.transcript.turns))) }

    private fun editLast(edit: (Turn) -> Turn) =
        editTurns { turns -> if (turns.isEmpty()) turns else turns.dropLast(1) + edit(turns.last()) }
}
