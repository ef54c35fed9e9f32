package dev.edgekit.sample.screens

import androidx.lifecycle.ViewModel
import androidx.lifecycle.viewModelScope
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.GoldenResult
import dev.edgekit.core.Model
import dev.edgekit.core.ModelInfo
import dev.edgekit.sample.tasks.ModelHost
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** @property total golden prompts that the task has */
data class SelfTestUiState(val total: Int = 0, val compared: List<GoldenResult> = emptyList(), val running: Boolean = false) {
    val same: Int get() = compared.count { it.same }
    val finished: Boolean get() = !running && total > 0 && compared.size == total
}

class SelfTestViewModel(private val host: ModelHost, private val id: String) : ViewModel() {
    private val _state = MutableStateFlow(SelfTestUiState())
    val state: StateFlow<SelfTestUiState> = _state.asStateFlow()

    private var model: Model? = null
    private var tested: String? = null
    private var testing: Job? = null

    init {
        viewModelScope.launch {
            host.models.collect { ready ->
                model = ready
                if (ready == null) testing?.cancel() else show(ready.info)
            }
        }
    }

    /** What another model said is no more of interest. */
    private fun show(info: ModelInfo) {
        val total = info.task(id)?.goldens ?: 0
        if (info.sha256 != tested || total != _state.value.total) _state.value = SelfTestUiState(total)
        tested = info.sha256
    }

    fun start() {
        val ready = model?.takeIf { it.info.task(id) != null } ?: return
        if (testing?.isActive == true) return
        _state.update { it.copy(compared = emptyList(), running = true) }
        testing = host.scope.launch {
            try {
                ready.selfTest(id).collect { result -> _state.update { it.copy(compared = it.compared + result) } }
            } catch (_: EdgekitFailure) {
                // The model was closed meanwhile.
            } finally {
                _state.update { it.copy(running = false) }
            }
        }
    }

    fun cancel() {
        testing?.cancel()
    }
}
