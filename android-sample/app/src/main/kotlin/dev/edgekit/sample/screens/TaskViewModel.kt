package dev.edgekit.sample.screens

import androidx.lifecycle.SavedStateHandle
import androidx.lifecycle.ViewModel
import androidx.lifecycle.viewModelScope
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.Model
import dev.edgekit.core.Sampling
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.calls.Settled
import dev.edgekit.sample.tasks.Dialogue
import dev.edgekit.sample.tasks.DialogueState
import dev.edgekit.sample.tasks.Ending
import dev.edgekit.sample.tasks.ModelHost
import dev.edgekit.sample.tasks.Refusal
import dev.edgekit.sample.tasks.Transcript
import dev.edgekit.sample.tasks.Turn
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.flatMapLatest
import kotlinx.coroutines.flow.flowOf
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.stateIn
import kotlinx.coroutines.launch

/**
 * A prompt with its answer as it is shown.
 *
 * @property prompt null where the model goes on with what was done for it
 */
data class ShownTurn(val prompt: String?, val answer: Answer, val ending: Ending?)

/**
 * @property calls the model calls, and the app carries out
 * @property answersInFormat every answer has the same form, so that the conversation is no chat
 * @property oneTurn each message stands alone
 * @property sampling null while the model file's own is used
 */
data class TaskUiState(
    val title: String,
    val description: String?,
    val examples: List<String>,
    val turns: List<ShownTurn>,
    val answering: Boolean,
    val refusal: Refusal?,
    val contextUsed: Int,
    val contextTokens: Int,
    val sampling: Sampling?,
    val defaultSampling: Sampling?,
    val calls: Boolean,
    val answersInFormat: Boolean,
    val oneTurn: Boolean,
)

@OptIn(ExperimentalCoroutinesApi::class)
class TaskViewModel(private val host: ModelHost, private val id: String, private val saved: SavedStateHandle) : ViewModel() {
    private val dialogue = MutableStateFlow<Dialogue?>(null)

    /** Null while no model is ready. Answers are read where no frame waits for it. */
    val state: StateFlow<TaskUiState?> = dialogue
        .flatMapLatest { open -> open?.let(::uiStates) ?: flowOf(null) }
        .flowOn(Dispatchers.Default)
        .stateIn(viewModelScope, SharingStarted.WhileSubscribed(STOP_AFTER_MS), null)

    private var transcript = saved.get<android.os.Bundle>(TRANSCRIPT)?.getString(TRANSCRIPT)?.let(Transcript::fromJson)

    init {
        // Written when the system asks for it, not at every token.
        saved.setSavedStateProvider(TRANSCRIPT) {
            android.os.Bundle().apply { putString(TRANSCRIPT, (dialogue.value?.state?.value?.transcript ?: transcript)?.toJson()) }
        }
        viewModelScope.launch {
            host.models.collect { model ->
                // A model that is lent has its engine to itself.
                dialogue.value?.stop()
                transcript = dialogue.value?.state?.value?.transcript ?: transcript
                dialogue.value = model?.let(::dialogueWith)?.apply { prepare() }
            }
        }
    }

    /** Null where there is no such task, or the model is closed already. */
    private fun dialogueWith(model: Model): Dialogue? = try {
        model.info.task(id)?.let { Dialogue(model, it, host.floor, host.scope, transcript) }
    } catch (_: EdgekitFailure) {
        null
    }

    fun send(prompt: String) {
        dialogue.value?.send(prompt)
    }

    fun settle(index: Int, settled: Settled) {
        dialogue.value?.settle(index, settled)
    }

    fun stop() = withDialogue { stop() }

    fun reset() = withDialogue { reset() }

    fun use(sampling: Sampling) = withDialogue { use(sampling) }

    private fun withDialogue(block: suspend Dialogue.() -> Unit) {
        viewModelScope.launch { dialogue.value?.block() }
    }

    private companion object {
        const val TRANSCRIPT = "transcript"
        const val STOP_AFTER_MS = 5_000L
    }
}

private fun uiStates(open: Dialogue): Flow<TaskUiState> {
    val turns = ShownTurns(open::read)
    return open.state.map { uiState(open, it, turns) }
}

/** Turns as they are shown; one that did not change is not read again. */
class ShownTurns(private val read: (Turn) -> Answer) {
    private var before = emptyList<Pair<Turn, ShownTurn>>()

    fun of(turns: List<Turn>): List<ShownTurn> {
        before = turns.mapIndexed { index, turn ->
            before.getOrNull(index)?.takeIf { it.first === turn }
                ?: (turn to ShownTurn(turn.prompt, read(turn), turn.ending))
        }
        return before.map { it.second }
    }
}

private fun uiState(open: Dialogue, state: DialogueState, turns: ShownTurns) = TaskUiState(
    title = open.task.title,
    description = open.task.description,
    examples = open.task.examples,
    turns = turns.of(state.transcript.turns),
    answering = state.answering,
    refusal = state.refusal,
    contextUsed = state.transcript.contextUsed,
    contextTokens = open.model.info.contextTokens,
    sampling = state.transcript.sampling,
    defaultSampling = open.task.sampling,
    calls = open.task.tools.isNotEmpty(),
    answersInFormat = open.task.format != null,
    oneTurn = open.task.oneTurn,
)
