package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.engine.ChosenEngine

/** What takes time while an engine starts. */
@InternalEdgekitApi
public enum class OpeningPhase { LOADING, COMPARING }

/** Opens the engine for a bundle. */
@InternalEdgekitApi
public fun interface EngineOpener {
    /** [wanted] is what the user asked for; [onPhase] is called when a phase begins. Throws [EngineFailure]. */
    public suspend fun open(bundle: Bundle, wanted: Backend, onPhase: (OpeningPhase) -> Unit): ChosenEngine

    /** Gives the GPU another chance that was found unfit for this bundle. */
    public fun forgetTrial(bundle: Bundle): Unit = Unit
}
