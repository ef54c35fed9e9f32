package dev.edgekit.core.engine

import dev.edgekit.core.EngineFailure

/** Abseil's status codes, of which the engine's failures have one. */
private const val RESOURCE_EXHAUSTED = 8

private const val LONGEST_REASON = 400

/** What the engine gives as its reason, of its statuses the innermost: that one says most. */
internal fun reasonIn(message: String): String {
    val innermost = message.split(NESTED).last()
    return innermost.replace(PREFIX, "").trim().take(LONGEST_REASON).ifEmpty { "no reason given" }
}

private val NESTED = Regex("""└ (?:ERROR: \[[^\]]*]\s*)?""")
private val PREFIX = Regex("""^(?:Failed to [a-z ]+: )?(?:[A-Z_]+: )?(?:ERROR: \[[^\]]*]\s*)?""")
private val MEMORY = Regex("""out of memory|bad_alloc|failed to allocate|cannot allocate|mmap""", RegexOption.IGNORE_CASE)

/** The failure of the last call on this thread. [otherwise] makes it of the reason unless memory ran out. */
internal fun lastFailure(otherwise: (String) -> EngineFailure = { EngineFailure.Other(it) }): EngineFailure =
    failureOf(Native.lastError()?.decodeToString().orEmpty(), Native.lastErrorCode(), otherwise)

internal fun failureOf(
    message: String,
    code: Int = 0,
    otherwise: (String) -> EngineFailure = { EngineFailure.Other(it) },
): EngineFailure {
    val reason = reasonIn(message)
    val isMemory = code == RESOURCE_EXHAUSTED || message.startsWith("RESOURCE_EXHAUSTED") || MEMORY.containsMatchIn(message)
    return if (isMemory) EngineFailure.OutOfMemory(reason) else otherwise(reason)
}
