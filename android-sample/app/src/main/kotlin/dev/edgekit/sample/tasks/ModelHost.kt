package dev.edgekit.sample.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.InstallState
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.tasks.EngineOpener
import dev.edgekit.core.tasks.OpenModel
import dev.edgekit.core.tasks.OpeningPhase
import dev.edgekit.core.tasks.identity
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.plus
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/** Which bundle the app works with. */
sealed interface BundleChoice {
    data object BuiltIn : BundleChoice

    /** @property uri of a document that the user picked */
    data class Picked(val uri: String) : BundleChoice
}

/** Brings the file of a bundle into the app's storage. */
fun interface BundleSource {
    fun install(choice: BundleChoice): Flow<InstallState>
}

sealed interface HostState {
    data class Installing(val progress: InstallState?) : HostState

    data class Opening(val bundle: Bundle, val phase: OpeningPhase) : HostState

    data class Ready(val model: OpenModel) : HostState

    /** A benchmark has the bundle to itself and opens engines of its own. */
    data class Lent(val bundle: Bundle) : HostState

    /** @property failure a [BundleFailure], an [EngineFailure], or what nobody thought of */
    data class Failed(val failure: Exception) : HostState
}

/** Keeps the one model of this process, whatever becomes of activities: a second copy would not fit into a small phone. */
class ModelHost(
    private val bundles: BundleSource,
    private val engines: EngineOpener,
    private val choices: Choices,
    private val scope: CoroutineScope,
    private val mark: OpeningMark? = null,
) {
    private val _state = MutableStateFlow<HostState>(HostState.Installing(null))
    val state: StateFlow<HostState> = _state.asStateFlow()

    /** The model while it is ready. */
    val models: Flow<OpenModel?> = state.map { (it as? HostState.Ready)?.model }.distinctUntilChanged()

    /** What is open, or was last asked for. It is kept for the next process once it is open: one that takes this process with
     * it is not tried again. */
    @Volatile
    var choice: BundleChoice = choices.bundle
        private set

    private var starting: Job? = null
    private val oneAtATime = Mutex()

    @Volatile
    private var resting = false

    /** [start] unless that was done before. */
    fun ensureStarted() {
        if (starting == null) start()
    }

    /** Installs and opens [chosen]; also after a failure, or when another backend was chosen. */
    fun start(chosen: BundleChoice = choice) {
        choice = chosen
        resting = false
        val before = starting
        starting = scope.launch {
            before?.cancelAndJoin()
            oneAtATime.withLock { closeThen { install(chosen)?.let { open(it, chosen) } } }
        }
    }

    /** Closes the engine, lends the bundle to [block], and opens the engine again, whatever comes of the block. */
    suspend fun <T> lend(block: suspend (Bundle, Backend) -> T): T = oneAtATime.withLock {
        val model = checkNotNull((_state.value as? HostState.Ready)?.model) { "no model is ready" }
        _state.value = HostState.Lent(model.bundle)
        try {
            close(model)
            block(model.bundle, model.backend)
        } finally {
            withContext(NonCancellable) { _state.value = opened(model.bundle) {} }
        }
    }

    /** Tries the GPU again, whatever came of it before. */
    fun retryGpu() {
        (_state.value as? HostState.Ready)?.let { engines.forgetTrial(it.model.bundle) }
        start()
    }

    /** Gives back the memory of the model while nobody looks at it; [wake] opens it again. */
    fun rest() {
        if (_state.value !is HostState.Ready) return
        resting = true
        starting = scope.launch { oneAtATime.withLock { closeThen {} } }
    }

    fun wake() {
        if (resting) start()
    }

    private suspend fun closeThen(next: suspend () -> Unit) {
        val model = (_state.value as? HostState.Ready)?.model
        _state.value = HostState.Installing(null)
        model?.let { close(it) }
        next()
    }

    private suspend fun close(model: OpenModel) = withContext(NonCancellable) {
        model.scope.coroutineContext.job.cancelAndJoin()
        model.engine.close()
    }

    private suspend fun install(chosen: BundleChoice): Bundle? = try {
        var bundle: Bundle? = null
        bundles.install(chosen).collect { progress ->
            when (progress) {
                is InstallState.Ready -> bundle = progress.bundle
                is InstallState.Failed -> _state.value = HostState.Failed(progress.failure)
                else -> _state.value = HostState.Installing(progress)
            }
        }
        bundle
    } catch (failure: Exception) {
        if (failure is CancellationException) throw failure
        _state.value = HostState.Failed(failure)
        null
    }

    private suspend fun open(bundle: Bundle, chosen: BundleChoice) {
        if (mark?.takeSuspicion(bundle.identity) == true) {
            _state.value = HostState.Failed(EndedWhileOpening(bundle.title))
            return
        }
        val show = { phase: OpeningPhase -> _state.value = HostState.Opening(bundle, phase) }
        show(OpeningPhase.LOADING)
        val state = opened(bundle, show)
        if (state is HostState.Ready) choices.bundle = chosen
        _state.value = state
    }

    private suspend fun opened(bundle: Bundle, phase: (OpeningPhase) -> Unit): HostState = try {
        // An engine that is half open cannot be let go; whoever cancelled this finds it ready and closes it.
        val opened = withContext(NonCancellable) { marked(bundle) { engines.open(bundle, choices.backend, phase) } }
        val work = scope + SupervisorJob(scope.coroutineContext[Job])
        HostState.Ready(OpenModel(bundle, opened.engine, opened.backend, opened.reason, work))
    } catch (failure: Exception) {
        if (failure is CancellationException) throw failure
        HostState.Failed(failure)
    }

    private suspend fun <T> marked(bundle: Bundle, opening: suspend () -> T): T {
        mark?.begin(bundle.identity)
        try {
            return opening()
        } finally {
            mark?.end()
        }
    }
}

data class LastTask(val id: String, val title: String)

/** What the user chose; it outlives the process. */
interface Choices {
    var bundle: BundleChoice
    var backend: Backend

    /** The task that was open last; null before the first. */
    var lastTask: LastTask?

    /** Its user wants to see figures. */
    var developer: Boolean
}
