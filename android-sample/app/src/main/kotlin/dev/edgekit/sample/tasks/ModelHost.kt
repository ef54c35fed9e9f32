package dev.edgekit.sample.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BundleSource
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Model
import dev.edgekit.core.OpenOptions
import dev.edgekit.core.OpenProgress
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

sealed interface HostState {
    /** @property progress null while nothing that takes time has begun */
    data class Opening(val progress: OpenProgress?) : HostState

    data class Ready(val model: Model) : HostState

    /** A benchmark has the model to itself. */
    data class Lent(val model: Model) : HostState

    /** @property failure an [EdgekitFailure], or what nobody thought of */
    data class Failed(val failure: Exception) : HostState
}

/** Opens the model of a bundle: [dev.edgekit.core.Edgekit.open]. */
fun interface Opener {
    suspend fun open(bundle: BundleSource, options: OpenOptions): Model
}

/** Keeps the one model of this process, whatever becomes of activities: a second copy would not fit into a small phone. */
class ModelHost(private val opener: Opener, private val choices: Choices, val scope: CoroutineScope) {
    private val _state = MutableStateFlow<HostState>(HostState.Opening(null))
    val state: StateFlow<HostState> = _state.asStateFlow()

    /** The model while it is ready. */
    val models: Flow<Model?> = state.map { (it as? HostState.Ready)?.model }.distinctUntilChanged()

    /** Whose answer is under way. */
    val floor = Floor()

    /** What is open, or was last asked for. It is kept for the next process once it is open: one that takes this process with
     * it is not tried again. */
    @Volatile
    var choice: BundleSource = choices.bundle
        private set

    private var starting: Job? = null
    private val oneAtATime = Mutex()

    @Volatile
    private var resting = false

    /** What its user decided where memory is short; null for the bundle's own context. */
    private var contextTokens: Int? = null
    private var beyondMemory = false

    /** [open] unless that was done before. */
    fun ensureStarted() {
        if (starting == null) open()
    }

    /** Opens [chosen], also when another backend was chosen. */
    fun open(chosen: BundleSource = choice) {
        if (chosen != choice) {
            contextTokens = null
            beyondMemory = false
        }
        begin(chosen)
    }

    /** Opens again what failed, or has adapters that were refused. What took the app with it is opened by its user's wish only. */
    fun retry() = begin(choice, afterCrash = (_state.value as? HostState.Failed)?.failure is EngineFailure.Died)

    /** Opens what the device seems to have too little memory for: with a context that fits, or with its own all the same. */
    fun openInLittleMemory(fitting: Int?) {
        contextTokens = fitting
        beyondMemory = fitting == null
        begin(choice)
    }

    /** Tries the GPU again, whatever came of it before. */
    fun retryGpu() = begin(choice, retriesGpu = true)

    /** Gives back the memory of the model while nobody looks at it; [wake] opens it again. */
    fun rest() {
        if (_state.value !is HostState.Ready) return
        resting = true
        starting = scope.launch { oneAtATime.withLock { close() } }
    }

    fun wake() {
        if (resting) open()
    }

    /** Lends the model to [block]: nobody else asks it meanwhile. */
    suspend fun <T> lend(block: suspend (Model) -> T): T = oneAtATime.withLock {
        val model = checkNotNull((_state.value as? HostState.Ready)?.model) { "no model is ready" }
        _state.value = HostState.Lent(model)
        try {
            block(model)
        } finally {
            _state.value = HostState.Ready(model)
        }
    }

    private fun begin(chosen: BundleSource, afterCrash: Boolean = false, retriesGpu: Boolean = false) {
        choice = chosen
        resting = false
        val options = OpenOptions(
            backend = choices.backend,
            contextTokens = contextTokens,
            waits = true,
            afterCrash = afterCrash,
            beyondMemory = beyondMemory,
            retriesGpu = retriesGpu,
            onProgress = ::show,
        )
        val before = starting
        starting = scope.launch {
            before?.cancelAndJoin()
            oneAtATime.withLock {
                close()
                _state.value = opened(chosen, options)
            }
        }
    }

    /** Not of an engine that starts again after a benchmark. */
    private fun show(progress: OpenProgress) = _state.update { if (it is HostState.Opening) HostState.Opening(progress) else it }

    private fun close() {
        val model = (_state.value as? HostState.Ready)?.model
        _state.value = HostState.Opening(null)
        model?.close()
    }

    private suspend fun opened(chosen: BundleSource, options: OpenOptions): HostState = try {
        HostState.Ready(opener.open(chosen, options)).also { choices.bundle = chosen }
    } catch (failure: Exception) {
        if (failure is CancellationException) throw failure
        HostState.Failed(failure)
    }
}

data class LastTask(val id: String, val title: String)

/** What the user chose; it outlives the process. */
interface Choices {
    var bundle: BundleSource
    var backend: Backend

    /** The task that was open last; null before the first. */
    var lastTask: LastTask?

    /** Its user wants to see figures. */
    var developer: Boolean
}
