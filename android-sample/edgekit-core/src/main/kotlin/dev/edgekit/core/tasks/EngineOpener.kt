package dev.edgekit.core.tasks

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.engine.Backend
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.EngineFailure

/** What takes time while an engine starts. */
enum class OpeningPhase { LOADING, COMPARING }

/** Opens the engine for a bundle. */
fun interface EngineOpener {
    /** [wanted] is what the user asked for; [onPhase] is called when a phase begins. Throws [EngineFailure]. */
    suspend fun open(bundle: Bundle, wanted: Backend, onPhase: (OpeningPhase) -> Unit): ChosenEngine

    /** Gives the GPU another chance that was found unfit for this bundle. */
    fun forgetTrial(bundle: Bundle) = Unit
}
