package dev.edgekit.core.engine

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import java.io.Closeable
import java.io.File
import kotlinx.coroutines.flow.Flow

/**
 * How to open a model file.
 *
 * @property maxTokens tokens that a conversation may hold, prompt and answer together
 * @property cacheDir where the engine keeps its packed weights for the next start; null keeps none
 * @property threads of the CPU backend; null leaves the choice to the engine
 * @property minimumRuntime the oldest runtime that may open it, besides what the file itself asks for
 * @property adapters null when the model takes none
 * @property suppressedInFormats ids that an answer under a format must not contain; null lets the engine find them out
 */
@InternalEdgekitApi
public data class EngineSettings(
    val model: File,
    val maxTokens: Int,
    val backend: Backend = Backend.CPU,
    val cacheDir: File? = null,
    val threads: Int? = null,
    val minimumRuntime: String? = null,
    val adapters: AdapterSupport? = null,
    val suppressedInFormats: List<Int>? = null,
)

/**
 * What a model needs that takes adapters.
 *
 * @property rank of every adapter's sidecar
 * @property empty the sidecar of no adapter, for conversations with the model alone: the engine does not clear inputs that
 *   nothing fills, and what was in memory would pass for weights
 * @property bytes of a conversation's adapter inputs
 */
@InternalEdgekitApi
public data class AdapterSupport(val rank: Int, val empty: File, val bytes: Long)

/** Opens model files. [LiteRtLm] is the engine that ships. */
@InternalEdgekitApi
public fun interface EngineLoader {
    /** Blocks for seconds: never on the main thread. Throws [EngineFailure]. */
    public fun open(settings: EngineSettings): Engine
}

/** An opened model. Conversations must be closed before it; it sees to that in [close], which may be called twice. */
@InternalEdgekitApi
public interface Engine : Closeable {
    /** Version of the runtime, such as 0.18.1. */
    public val runtimeVersion: String

    /** The number of tokens that the engine makes of a text, without a start token. */
    public fun countTokens(text: String): Int

    /** The conversation before must be closed. Throws [EngineFailure]. */
    public fun converse(settings: ConversationSettings): Conversation

    /**
     * Feeds exactly [prefillTokens] and generates exactly [decodeTokens] in a fresh conversation, to be compared with
     * runs of `edgekit bench`. Blocks.
     *
     * @param adapter as in [ConversationSettings]
     */
    public fun measure(prefillTokens: Int, decodeTokens: Int, adapter: File? = null): Measurement
}

/**
 * @property sampling null takes the model file's own
 * @property history turns that were spoken before, to take a conversation up again
 * @property adapter the sidecar of an adapter that was checked to fit the model; null for the model alone
 * @property promptTemplate Jinja in place of the model file's; null for that
 * @property systemRole who says the system prompt
 */
@InternalEdgekitApi
public data class ConversationSettings(
    val systemPrompt: String? = null,
    val sampling: Sampling? = null,
    val answerFormat: AnswerFormat? = null,
    val history: List<Message> = emptyList(),
    val adapter: File? = null,
    val promptTemplate: String? = null,
    val systemRole: String = "system",
)

/** The engine has one at a time, which must be closed before another is opened. */
@InternalEdgekitApi
public interface Conversation : Closeable {
    /** Tokens in the KV cache. */
    public val tokenCount: Int

    /** Tokens that sending this text would add before the answer, the template's included. */
    public fun promptTokens(text: String): Int

    /**
     * Sends a message; the flow gives the answer piece by piece and [Piece.Done] at its end. It runs on a thread of the
     * engine. Cancelling its collector cancels the decoding and waits until the engine has stopped; after that the
     * conversation is over, and another with the same history takes its place. Throws [EngineFailure], and
     * [EngineFailure.PromptTooLong] before anything is fed.
     */
    public fun send(message: Message): Flow<Piece>

    public fun send(text: String): Flow<Piece> = send(Message(Role.USER, text))
}

@InternalEdgekitApi
public sealed interface Piece {
    @InternalEdgekitApi
    public data class Text(val text: String) : Piece

    @InternalEdgekitApi
    public data class Done(val stats: TurnStats) : Piece
}

@InternalEdgekitApi
public enum class StopReason { END_OF_TURN, CONTEXT_FULL }

/** A turn in figures; times in seconds, speeds in tokens per second. */
@InternalEdgekitApi
public data class TurnStats(
    val promptTokens: Int,
    val generatedTokens: Int,
    val timeToFirstToken: Double,
    val prefillSpeed: Double,
    val decodeSpeed: Double,
    val stopReason: StopReason,
)

/** One benchmark run: the keys of `edgekit bench`'s `Run`. Times in seconds since the call, speeds in tokens per second. */
@InternalEdgekitApi
public data class Measurement(
    val prefillTokens: Int,
    val decodeTokens: Int,
    val timeToFirstToken: Double,
    val total: Double,
    val stamps: List<Double>,
    val prefillSpeed: Double,
    val decodeSpeed: Double,
    val engineTimeToFirstToken: Double,
)
