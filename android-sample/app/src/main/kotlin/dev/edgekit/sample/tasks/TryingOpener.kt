package dev.edgekit.sample.tasks

import dev.edgekit.sample.bundle.Bundle
import dev.edgekit.sample.engine.Backend
import dev.edgekit.sample.engine.BackendTrials
import dev.edgekit.sample.engine.ChosenEngine
import dev.edgekit.sample.engine.ConversationSettings
import dev.edgekit.sample.engine.EngineLoader
import dev.edgekit.sample.engine.EngineSettings
import dev.edgekit.sample.engine.chooseBackend
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
 */
class TryingOpener(
    private val loader: EngineLoader,
    private val cacheOf: (Bundle) -> File,
    private val trials: File,
    private val appVersion: String,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) : EngineOpener {
    override suspend fun open(bundle: Bundle, wanted: Backend, onPhase: (OpeningPhase) -> Unit): ChosenEngine = withContext(dispatcher) {
        val settings = EngineSettings(
            model = bundle.model,
            maxTokens = bundle.contextTokens,
            cacheDir = cacheOf(bundle),
            minimumRuntime = bundle.manifest?.minimumRuntime,
        )
        when (wanted) {
            Backend.CPU -> ChosenEngine(loader.open(settings), Backend.CPU, null)
            Backend.GPU -> chooseBackend(
                loader = loader,
                settings = settings,
                canary = bundle.task.golden.firstOrNull()?.prompt ?: bundle.task.examples.firstOrNull() ?: "Hello",
                conversation = ConversationSettings(bundle.task.systemPrompt, answerFormat = bundle.manifest?.answerFormat),
                trials = trialsOf(bundle),
                onTrial = { onPhase(OpeningPhase.COMPARING) },
            )
        }
    }

    override fun forgetTrial(bundle: Bundle) = trialsOf(bundle).forget()

    private fun trialsOf(bundle: Bundle) = BackendTrials(trials, "${bundle.identity} $appVersion")
}
