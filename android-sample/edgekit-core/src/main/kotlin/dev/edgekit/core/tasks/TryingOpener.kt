package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.InternalEdgekitApi
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
 * Opens the engine on the CPU, or on the GPU when it says the same there.
 *
 * @param cacheOf where the engine keeps its cache for a bundle
 * @param trials a directory for what came of trying the GPU
 * @param appVersion a trial holds for one version of the app
 * @param threads of the CPU; null leaves the choice to the engine
 * @param contextTokens the most that a conversation may hold; null for what the bundle says
 * @param wasClosed as in [BackendTrials]
 */
@InternalEdgekitApi
public class TryingOpener(
    private val loader: EngineLoader,
    private val cacheOf: (Bundle) -> File,
    private val trials: File,
    private val appVersion: String,
    private val threads: Int? = null,
    private val contextTokens: Int? = null,
    private val wasClosed: (since: Long) -> Boolean? = { false },
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) : EngineOpener {
    override suspend fun open(bundle: Bundle, wanted: Backend, onPhase: (OpeningPhase) -> Unit): ChosenEngine = withContext(dispatcher) {
        val settings = EngineSettings(
            model = bundle.model,
            maxTokens = minOf(contextTokens ?: bundle.contextTokens, bundle.contextTokens),
            threads = threads,
            cacheDir = cacheOf(bundle),
            minimumRuntime = bundle.manifest?.minimumRuntime,
            adapters = bundle.adapterSupport,
            suppressedInFormats = bundle.manifest?.suppressedTokens,
        )
        when (wanted) {
            Backend.CPU -> ChosenEngine(loader.open(settings), Backend.CPU, null)
            Backend.GPU -> chooseBackend(
                loader = loader,
                settings = settings,
                canary = trialTask(bundle)?.run { golden.firstOrNull()?.prompt ?: examples.firstOrNull() } ?: "Hello",
                conversation = trialTask(bundle)?.let(bundle::settingsOf) ?: ConversationSettings(),
                trials = trialsOf(bundle),
                onTrial = { onPhase(OpeningPhase.COMPARING) },
            )
        }
    }

    override fun forgetTrial(bundle: Bundle): Unit = trialsOf(bundle).forget()

    /** One with an adapter, where there is one: a GPU that leaves adapters out must be found out. */
    private fun trialTask(bundle: Bundle) = bundle.usable.run { find { it.adapter != null } ?: firstOrNull() }

    private fun trialsOf(bundle: Bundle) =
        BackendTrials(trials, "${trialTask(bundle)?.let(bundle::identityOf) ?: bundle.identity} $appVersion", wasClosed)
}
