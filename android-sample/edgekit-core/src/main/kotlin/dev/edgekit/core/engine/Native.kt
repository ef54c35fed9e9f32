package dev.edgekit.core.engine

/**
 * The shim in `src/main/cpp`, function by function. Text is UTF-8; handles are pointers, 0 is a failure, and so is null
 * unless said otherwise: [lastError] has the reason, on the same thread, until the next call.
 */
internal object Native {
    external fun lastError(): ByteArray?

    /** As Abseil numbers status codes. */
    external fun lastErrorCode(): Int

    /** 0 when the file does not say. */
    external fun contextTokensOf(model: ByteArray): Int

    /** Null when the file does not say. */
    external fun minimumRuntimeOf(model: ByteArray): ByteArray?

    external fun openEngine(
        model: ByteArray,
        gpu: Boolean,
        cache: ByteArray,
        maxTokens: Int,
        threads: Int,
        prefillChunk: Int,
        loraRank: Int,
    ): Long

    external fun closeEngine(engine: Long)

    external fun tokenize(engine: Long, text: ByteArray): IntArray?

    external fun hasStartToken(engine: Long): Boolean

    external fun stopTokens(engine: Long): Array<IntArray?>

    external fun openConversation(
        engine: Long,
        messages: ByteArray?,
        constrained: Boolean,
        sidecar: ByteArray?,
        promptTemplate: ByteArray?,
        topK: Int,
        topP: Float,
        temperature: Float,
        seed: Int,
    ): Long

    external fun closeConversation(conversation: Long)

    external fun tokenCount(conversation: Long): Int

    external fun render(conversation: Long, message: ByteArray): ByteArray?

    external fun send(
        conversation: Long,
        message: ByteArray,
        kind: Int,
        constraint: ByteArray?,
        suppressed: IntArray?,
        maxOutput: Int,
    ): Boolean

    /** Waits for the next piece; null at the end. */
    external fun receive(conversation: Long): ByteArray?

    /** Why the answer ended; null when it ended well. */
    external fun streamError(conversation: Long): ByteArray?

    external fun stamps(conversation: Long): DoubleArray

    external fun cancel(conversation: Long)

    external fun figures(conversation: Long): DoubleArray?
}
