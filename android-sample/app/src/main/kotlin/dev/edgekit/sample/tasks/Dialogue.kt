package dev.edgekit.sample.tasks

import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Model
import dev.edgekit.core.Reply
import dev.edgekit.core.Sampling
import dev.edgekit.core.Session
import dev.edgekit.core.TaskInfo
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.resultsOf
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
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
 * The conversation of a task as it is shown, and the session behind it.
 *
 * Where the task takes one turn, each message stands alone; what is shown stays.
 *
 * Its functions are called on one thread. [before] is taken up again if it was held with the same model and adapter.
 *
 * @param scope answers come in it
 * @throws EdgekitFailure when the model is closed meanwhile, or the task cannot be used
 */
class Dialogue(
    val model: Model,
    val task: TaskInfo,
    private val floor: Floor,
    private val scope: CoroutineScope,
    before: Transcript? = null,
) {
    private val fresh = Transcript(listOfNotNull(model.info.sha256, task.adapter?.sha256).joinToString(" "), sampling = task.sampling)
    private val _state = MutableStateFlow(DialogueState(before?.takeIf { it.model == fresh.model } ?: fresh))
    val state: StateFlow<DialogueState> = _state.asStateFlow()

    @Volatile
    private var session: Session = _state.value.transcript.let { model.session(task.id, it.sampling, it.history) }

    @Volatile
    private var answering: Job? = null

    /** Opens the conversation of the next prompt while its user still types. */
    fun prepare() {
        scope.launch(Dispatchers.IO) {
            try {
                session.prepare()
            } catch (failure: Exception) {
                // The prompt will tell.
                if (failure is CancellationException) throw failure
            }
        }
    }

    /** Sends a prompt unless an answer is under way. A prompt that is too long comes back as [DialogueState.refusal]. */
    fun send(prompt: String) = begin(prompt) { it.ask(prompt) }

    /** Notes what became of a call of the last answer. When that is known of all, the model goes on with the results. */
    fun settle(index: Int, settled: Settled) {
        if (_state.value.answering) return
        editLast { it.copy(settled = it.settled + (index to settled)) }
        val turn = _state.value.transcript.turns.lastOrNull() ?: return
        val asked = (read(turn) as? Answer.Calls)?.asked ?: return
        resultsOf(asked)?.let { results -> begin(prompt = null) { it.results(results) } }
    }

    /** An answer in the form that the task's answers have. */
    fun read(turn: Turn): Answer = session.read(turn.answer, isWhole = turn.ending != null, turn.settled)

    /** @param prompt null where the model goes on with what was called */
    private fun begin(prompt: String?, replies: (Session) -> Flow<Reply>) {
        // The state, not the job: it still runs for a moment after it has told that the answer ended.
        if (_state.value.answering) return
        _state.update { it.copy(answering = true, refusal = null) }
        // It is known before it runs: whoever takes the floor waits for it.
        val job = scope.launch(Dispatchers.IO, CoroutineStart.LAZY) { answer(prompt, replies) }
        answering = job
        job.start()
    }

    /** Ends the answer under way; returns when the engine has stopped. */
    suspend fun stop() {
        do {
            val job = answering
            job?.cancelAndJoin()
        } while (answering !== job) // another began as soon as this one had ended
        // Cancelled before it began, it could not say so itself.
        _state.update { it.copy(answering = false) }
    }

    suspend fun reset() {
        stop()
        session.reset()
        _state.value = DialogueState(fresh.copy(sampling = _state.value.transcript.sampling))
    }

    /** Goes on with other settings and what was said so far. */
    suspend fun use(sampling: Sampling) {
        stop()
        try {
            session = model.session(task.id, sampling, session.history)
        } catch (_: EdgekitFailure.Closed) {
            // The model that comes after it takes the settings from the transcript.
        }
        _state.update { it.copy(transcript = it.transcript.copy(sampling = sampling)) }
    }

    private suspend fun answer(prompt: String?, replies: (Session) -> Flow<Reply>) {
        editTurns { it + Turn(prompt) }
        var ending: Ending = Ending.Stopped
        try {
            floor.take(this)
            replies(session).collect { reply ->
                when (reply) {
                    is Reply.Partial -> editLast { it.copy(answer = reply.text) }
                    is Reply.Complete -> ending = Ending.Finished(reply.finish, reply.figures)
                }
            }
        } catch (failure: EngineFailure.PromptTooLong) {
            if (prompt != null) {
                editTurns { it.dropLast(1) }
                _state.update { it.copy(refusal = Refusal(prompt, failure.tokens - failure.room)) }
            } else {
                ending = Ending.Failed(failure)
            }
        } catch (_: EdgekitFailure.Closed) {
            // The model makes room for another, or for other apps: what there is of the answer stays.
        } catch (failure: EdgekitFailure) {
            ending = Ending.Failed(failure)
        } catch (failure: Exception) {
            if (failure is CancellationException) throw failure
            ending = Ending.Failed(EngineFailure.Other(failure.message ?: failure.toString(), failure))
        } finally {
            end(ending)
        }
    }

    /** All at once: what is shown of an answer that has ended can be gone on with, and kept. */
    private fun end(ending: Ending) = _state.update {
        val used = session.contextUsed
        val transcript = it.transcript.copy(
            turns = it.transcript.turns.withLast { turn -> turn.copy(ending = turn.ending ?: ending) },
            history = session.history,
            contextUsed = if (used > 0) used else it.transcript.contextUsed,
        )
        it.copy(transcript = transcript, answering = false)
    }

    private fun editTurns(edit: (List<Turn>) -> List<Turn>) =
        _state.update { it.copy(transcript = it.transcript.copy(turns = edit(it.transcript.turns))) }

    private fun editLast(edit: (Turn) -> Turn) = editTurns { it.withLast(edit) }
}

private fun List<Turn>.withLast(edit: (Turn) -> Turn) = if (isEmpty()) this else dropLast(1) + edit(last())
