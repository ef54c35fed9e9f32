package dev.edgekit.sample.screens

import androidx.lifecycle.ViewModel
import androidx.lifecycle.viewModelScope
import dev.edgekit.core.tasks.Comparison
import dev.edgekit.core.tasks.OpenModel
import dev.edgekit.core.tasks.selfTest
import dev.edgekit.core.tasks.task
import dev.edgekit.sample.tasks.ModelHost
import kotlinx.coroutines.Job
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch

/** @property total golden prompts that the task has */
data class SelfTestUiState(val total: Int = 0, val compared: List<Comparison> = emptyList(), val running: Boolean = false) {
    val same: Int get() = compared.count { it.same }
    val finished: Boolean get() = !running && total > 0 && compared.size == total
}

class SelfTestViewModel(host: ModelHost, private val id: String) : ViewModel() {
    private val _state = MutableStateFlow(SelfTestUiState())
    val state: StateFlow<SelfTestUiState> = _state.asStateFlow()

    private var model: OpenModel? = null
    private var testing: Job? = null

    init {
        viewModelScope.launch {
            host.models.collect { ready ->
                val isAnother = ready != null && ready.bundle != model?.bundle
                model = ready
                if (isAnother) _state.value = SelfTestUiState(total = ready.bundle.task(id)?.golden.orEmpty().size)
            }
        }
    }

    fun start() {
        val ready = model ?: return
        val task = ready.bundle.task(id) ?: return
        if (testing?.isActive == true) return
        _state.update { it.copy(compared = emptyList(), running = true) }
        testing = ready.scope.launch {
            try {
                selfTest(ready, task).collect { compared -> _state.update { it.copy(compared = compared) } }
            } finally {
                _state.update { it.copy(running = false) }
            }
        }
    }

    fun cancel() {
        testing?.cancel()
    }
}
