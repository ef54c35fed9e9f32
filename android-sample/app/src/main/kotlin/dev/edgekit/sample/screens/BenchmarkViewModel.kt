package dev.edgekit.sample.screens

import androidx.lifecycle.ViewModel
import androidx.lifecycle.viewModelScope
import dev.edgekit.core.BenchmarkPlan
import dev.edgekit.core.BenchmarkProgress
import dev.edgekit.core.BenchmarkReport
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.sample.tasks.HostState
import dev.edgekit.sample.tasks.ModelHost
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/**
 * @property progress null while nothing is measured
 * @property taken another task is being measured
 * @property ending cancelled, and the step under way has not ended yet
 * @property result of the last benchmark that ran to its end
 */
data class BenchmarkUiState(
    val plan: BenchmarkPlan = BenchmarkPlan(),
    val contextTokens: Int = Int.MAX_VALUE,
    val progress: BenchmarkProgress? = null,
    val taken: Boolean = false,
    val ending: Boolean = false,
    val result: BenchmarkReport? = null,
    val failure: EdgekitFailure? = null,
) {
    val running: Boolean get() = progress != null

    fun fittedTo(contextTokens: Int): BenchmarkUiState {
        val fits = plan.prefill + plan.decode <= contextTokens
        return copy(contextTokens = contextTokens, plan = if (fits) plan else plan.copy(prefill = SHORT.first, decode = SHORT.second))
    }
}

/** Prompt and output that fit into any context. */
val SHORT = 64 to 32

class BenchmarkViewModel(private val host: ModelHost, private val id: String) : ViewModel() {
    private val _state = MutableStateFlow(BenchmarkUiState())
    val state: StateFlow<BenchmarkUiState> = _state.asStateFlow()

    private var measuring: Job? = null

    /** The model is lent to this benchmark, or about to be. */
    private var borrowing = false

    init {
        viewModelScope.launch {
            host.models.collect { model ->
                if (model != null) _state.update { it.fittedTo(model.info.contextTokens) }
            }
        }
        viewModelScope.launch {
            host.state.collect { now -> _state.update { it.copy(taken = now is HostState.Lent && !borrowing) } }
        }
    }

    fun choose(plan: BenchmarkPlan) = _state.update { it.copy(plan = plan) }

    fun start() {
        if (measuring?.isActive == true || host.state.value !is HostState.Ready) return
        borrowing = true
        measuring = viewModelScope.launch {
            try {
                host.lend { model ->
                    if (model.info.task(id) == null) return@lend
                    val report = model.benchmark(_state.value.plan, id) { step -> _state.update { it.copy(progress = step, failure = null) } }
                    _state.update { it.copy(result = report) }
                }
            } catch (failure: EdgekitFailure) {
                _state.update { it.copy(failure = failure) }
            } finally {
                borrowing = false
                _state.update { it.copy(progress = null, ending = false) }
            }
        }
    }

    fun cancel() {
        _state.update { it.copy(ending = true) }
        measuring?.cancel()
    }
}
