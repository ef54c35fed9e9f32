package dev.edgekit.sample.screens

import androidx.lifecycle.ViewModel
import dev.edgekit.core.Backend
import dev.edgekit.core.BundleSource
import dev.edgekit.core.TaskInfo
import dev.edgekit.sample.Incoming
import dev.edgekit.sample.tasks.Choices
import dev.edgekit.sample.tasks.HostState
import dev.edgekit.sample.tasks.LastTask
import dev.edgekit.sample.tasks.ModelHost
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow

/** Which bundle runs on what, and how far it has come: for the start, the model card and the settings. */
class HostViewModel(private val host: ModelHost, private val choices: Choices) : ViewModel() {
    val state: StateFlow<HostState> = host.state

    val isBuiltIn: Boolean get() = host.choice is BundleSource.Assets
    val backend: Backend get() = choices.backend

    private val _developer = MutableStateFlow(choices.developer)

    /** Figures are shown, and what only developers use. */
    val developer: StateFlow<Boolean> = _developer.asStateFlow()

    init {
        host.ensureStarted()
    }

    fun retry() = host.retry()

    fun open(bundle: BundleSource) = host.open(bundle)

    fun openInLittleMemory(contextTokens: Int?) = host.openInLittleMemory(contextTokens)

    fun retryGpu() = host.retryGpu()

    private val _incoming = MutableStateFlow<Incoming?>(null)

    /** What another app wants, until it has been given to a task. */
    val incoming: StateFlow<Incoming?> = _incoming.asStateFlow()

    fun take(incoming: Incoming) {
        _incoming.value = incoming
    }

    fun taken() {
        _incoming.value = null
    }

    val lastTask: String? get() = choices.lastTask?.id

    fun opened(task: TaskInfo) {
        choices.lastTask = LastTask(task.id, task.title)
    }

    fun useDeveloperMode(on: Boolean) {
        choices.developer = on
        _developer.value = on
    }

    fun use(backend: Backend) {
        if (backend == choices.backend) return
        choices.backend = backend
        host.open()
    }
}
