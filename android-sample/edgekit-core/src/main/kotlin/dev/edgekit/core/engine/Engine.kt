package dev.edgekit.core.engine

import java.io.Closeable
import java.io.File
import kotlinx.coroutines.flow.Flow

/** What computes. */
enum class Backend { CPU, GPU }

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
data class EngineSettings(
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
data class AdapterSupport(val rank: Int, val empty: File, val bytes: Long)

/** Opens model files. [LiteRtLm] is the engine that ships. */
fun interface EngineLoader {
    /** Blocks for seconds: never on the main thread. Throws [EngineFailure]. */
    fun open(settings: EngineSettings): Engine
}

/** An opened model. Conversations must be closed before it; it sees to that in [close], which may be called twice. */
interface Engine : Closeable {
    /** Version of the runtime, such as 0.18.1. */
    val runtimeVersion: String

    /** The number of tokens that the engine makes of a text, without a start token. */
    fun countTokens(text: String): Int

    /** The conversation before must be closed. Throws [EngineFailure]. */
    fun converse(settings: ConversationSettings): Conversation

    /**
     * Feeds exactly [prefillTokens] and generates exactly [decodeTokens] in a fresh conversation, to be compared with
     * runs of `edgekit bench`. Blocks.
     *
     * @param adapter as in [ConversationSettings]
     */
    fun measure(prefillTokens: Int, decodeTokens: Int, adapter: File? = null): Measurement
}

/** How the next token is chosen. */
sealed interface Sampling {
    data object Greedy : Sampling

    data class TopP(val temperature: Float, val topK: Int, val topP: Float, val seed: Int? = null) : Sampling
}

/** What every answer of a conversation is held to while it is decoded. */
sealed interface AnswerFormat {
    data class JsonSchema(val schema: String) : AnswerFormat

    data class Regex(val pattern: String) : AnswerFormat
}

/** [TOOL] brings the results of what the model called, in the same turn. */
enum class Role { USER, MODEL, TOOL }

data class Message(val role: Role, val text: String)

/**
 * @property sampling null takes the model file's own
 * @property history turns that were spoken before, to take a conversation up again
 * @property adapter the sidecar of an adapter that was checked to fit the model; null for the model alone
 * @property promptTemplate Jinja in place of the model file's; null for that
 * @property systemRole who says the system prompt
 */
data class ConversationSettings(
    val systemPrompt: String? = null,
    val sampling: Sampling? = null,
    val answerFormat: AnswerFormat? = null,
    val history: List<Message> = emptyList(),
    val adapter: File? = null,
    val promptTemplate: String? = null,
    val systemRole: String = "system",
)

/** The engine has one at a time, which must be closed before another is opened. */
interface Conversation : Closeable {
    /** Tokens in the KV cache. */
    val tokenCount: Int

    /** Tokens that sending this text would add before the answer, the template's included. */
    fun promptTokens(text: String): Int

    /**
     * Sends a message; the flow gives the answer piece by piece and [Piece.Done] at its end. It runs on a thread of the
     * engine. Cancelling its collector cancels the decoding and waits until the engine has stopped; after that the
     * conversation is over, and another with the same history takes its place. Throws [EngineFailure], and
     * [EngineFailure.PromptTooLong] before anything is fed.
     */
    fun send(message: Message): Flow<Piece>

    fun send(text: String): Flow<Piece> = send(Message(Role.USER, text))
}

sealed interface Piece {
    data class Text(val text: String) : Piece

    data class Done(val stats: TurnStats) : Piece
}

enum class StopReason { END_OF_TURN, CONTEXT_FULL }

/** A turn in figures; times in seconds, speeds in tokens per second. */
data class TurnStats(
    val promptTokens: Int,
    val generatedTokens: Int,
    val timeToFirstToken: Double,
    val prefillSpeed: Double,
    val decodeSpeed: Double,
    val stopReason: StopReason,
)

/** One benchmark run: the keys of `edgekit bench`'s `Run`. Times in seconds since the call, speeds in tokens per second. */
data class Measurement(
    val prefillTokens: Int,
    val decodeTokens: Int,
    val timeToFirstToken: Double,
    val total: Double,
    val stamps: List<Double>,
    val prefillSpeed: Double,
    val decodeSpeed: Double,
    val engineTimeToFirstToken: Double,
)
