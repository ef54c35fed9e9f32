package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.engine.BackendTrials
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.engine.EngineSettings
import dev.edgekit.core.engine.chooseBackend
import java.io.File
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * Starts the engine with a bundle on the CPU, or on the GPU when it says the same there.
 *
 * @param cache where the engine keeps its packed weights
 * @param trials a directory for what came of trying the GPU
 * @param appVersion a trial holds for one version of the app
 * @param threads of the CPU; null leaves the choice to the engine
 * @param contextTokens the most that a conversation may hold
 * @param wasClosed as in [BackendTrials]
 */
internal class EngineStarter(
    private val loader: EngineLoader,
    private val bundle: Bundle,
    private val cache: File,
    trials: File,
    appVersion: String,
    private val threads: Int? = null,
    private val contextTokens: Int = bundle.contextTokens,
    wasClosed: (since: Long) -> Boolean? = { false },
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) {
    /** Throws [EngineFailure]. [onTrial] is called before the GPU's answer is compared with the CPU's. */
    suspend fun start(wanted: Backend, onTrial: () -> Unit = {}): ChosenEngine = withContext(dispatcher) {
        val settings = EngineSettings(
            model = bundle.model,
            maxTokens = contextTokens,
            threads = threads,
            cacheDir = cache,
            minimumRuntime = bundle.manifest?.minimumRuntime,
            adapters = bundle.adapterSupport,
            suppressedInFormats = bundle.manifest?.suppressedTokens,
        )
        when (wanted) {
            Backend.CPU -> ChosenEngine(loader.open(settings), Backend.CPU, null)
            Backend.GPU -> chooseBackend(
                loader = loader,
                settings = settings,
                canary = trialTask?.run { golden.firstOrNull()?.prompt ?: examples.firstOrNull() } ?: "Hello",
                conversation = trialTask?.let(bundle::settingsOf) ?: ConversationSettings(),
                trials = trialsOfThis,
                onTrial = onTrial,
            )
        }
    }

    /** Gives the GPU another chance that was found unfit. */
    fun forgetTrial(): Unit = trialsOfThis.forget()

    /** One with an adapter, where there is one: a GPU that leaves adapters out must be found out. */
    private val trialTask = bundle.usable.run { find { it.adapter != null } ?: firstOrNull() }

    private val trialsOfThis = BackendTrials(trials, "${trialTask?.let(bundle::identityOf) ?: bundle.identity} $appVersion", wasClosed)
}
