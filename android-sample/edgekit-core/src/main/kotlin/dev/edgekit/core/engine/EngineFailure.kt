package dev.edgekit.core.engine

/** Why the engine did not do what it was asked; [message] is the engine's own reason, for those who read English. */
sealed class EngineFailure(message: String, cause: Throwable? = null) : Exception(message, cause) {
    class ModelMissing(path: String) : EngineFailure("no such file: $path")

    class ModelCorrupt(reason: String) : EngineFailure(reason)

    /** The bundle asks for a newer runtime than the app has. */
    class RuntimeTooOld(val has: String, val needs: String) : EngineFailure("needs LiteRT-LM $needs, the app has $has")

    class OutOfMemory(reason: String) : EngineFailure(reason)

    class BackendUnavailable(val backend: Backend, reason: String) : EngineFailure(reason)

    class PromptTooLong(val tokens: Int, val room: Int) : EngineFailure("the prompt has $tokens tokens, there is room for $room")

    class Other(reason: String, cause: Throwable? = null) : EngineFailure(reason, cause)
}
