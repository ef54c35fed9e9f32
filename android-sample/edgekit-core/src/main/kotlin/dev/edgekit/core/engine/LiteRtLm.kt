package dev.edgekit.core.engine

import dev.edgekit.core.Backend
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Sampling
import java.io.File

/** Tokens that the prompt is fed in at a time: it holds down what a long prompt takes. */
private const val PREFILL_CHUNK = 128

/** Instead of a cache directory: packed weights are not kept. The empty text would put them beside the model. */
private const val NO_CACHE = ":nocache"

/** The LiteRT-LM engine. [loadLibraries] brings it and the shim into the process; it may be called again. */
@InternalEdgekitApi
public class LiteRtLm(private val loadLibraries: () -> Unit = { System.loadLibrary("edgekit") }) : EngineLoader {
    override fun open(settings: EngineSettings): Engine {
        load()
        val path = settings.model.path
        if (!settings.model.isFile) throw EngineFailure.ModelMissing(path)
        damageOf(settings.model)?.let { throw EngineFailure.ModelCorrupt(it) }
        val needed = Native.minimumRuntimeOf(path.encodeToByteArray())?.decodeToString()
        listOfNotNull(needed, settings.minimumRuntime).forEach(::checkRuntime)
        val holds = Native.contextTokensOf(path.encodeToByteArray())
        val maxTokens = if (holds > 0) minOf(settings.maxTokens, holds) else settings.maxTokens
        settings.cacheDir?.mkdirs()
        return LiteRtLmEngine({ openNative(settings, maxTokens) }, maxTokens, settings.adapters, settings.suppressedInFormats)
    }

    private fun openNative(settings: EngineSettings, maxTokens: Int): Long {
        val handle = Native.openEngine(
            model = settings.model.path.encodeToByteArray(),
            gpu = settings.backend == Backend.GPU,
            cache = (settings.cacheDir?.path ?: NO_CACHE).encodeToByteArray(),
            maxTokens = maxTokens,
            threads = settings.threads ?: 0,
            prefillChunk = PREFILL_CHUNK,
            loraRank = settings.adapters?.rank ?: 0,
        )
        if (handle == 0L) throw lastFailure { whyNotOpened(settings.backend, it) }
        return handle
    }

    private fun load() = try {
        loadLibraries()
    } catch (error: UnsatisfiedLinkError) {
        throw EngineFailure.Other("the engine's library does not load: ${error.message}", error)
    }

    @InternalEdgekitApi
    public companion object {
        /** The release of LiteRT-LM that the app is built with. Its C interface has no function that says so. */
        public const val RUNTIME_VERSION: String = "0.18.1"
    }
}

/** On the CPU there is nothing but the file that can be wrong. */
private fun whyNotOpened(backend: Backend, reason: String): EngineFailure = when (backend) {
    Backend.CPU -> EngineFailure.ModelCorrupt(reason)
    Backend.GPU -> EngineFailure.BackendUnavailable(backend, reason)
}

private fun checkRuntime(needed: String) {
    if (isOlder(LiteRtLm.RUNTIME_VERSION, needed)) throw EngineFailure.RuntimeTooOld(LiteRtLm.RUNTIME_VERSION, needed)
}

/** Whether one version, numbers with dots between, comes before another. */
internal fun isOlder(one: String, other: String): Boolean {
    val (left, right) = listOf(one, other).map { version ->
        version.split('.').map { part -> part.takeWhile(Char::isDigit).toIntOrNull() ?: 0 }
    }
    val firstDifference = (0 until maxOf(left.size, right.size))
        .map { (left.getOrElse(it) { 0 }).compareTo(right.getOrElse(it) { 0 }) }
        .firstOrNull { it != 0 }
    return firstDifference == -1
}

/**
 * @param openNative opens the engine itself; throws [EngineFailure]
 * @param adapters null when the model takes none
 * @param suppressed as in [EngineSettings]
 */
internal class LiteRtLmEngine(
    private val openNative: () -> Long,
    val maxTokens: Int,
    private val adapters: AdapterSupport?,
    suppressed: List<Int>?,
) : Engine {
    private var native = openNative()
    private val conversations = mutableSetOf<LiteRtLmConversation>()
    private var closed = false

    /** Bytes that conversations with a sidecar have left behind. */
    private var leftBehind = 0L

    private val handle: Long
        get() {
            check(!closed) { "the engine is closed" }
            if (native == 0L) native = openNative()
            return native
        }

    override val runtimeVersion: String get() = LiteRtLm.RUNTIME_VERSION

    /** Whether the engine puts a token before the first text of a conversation. */
    val hasStartToken: Boolean by lazy { Native.hasStartToken(handle) }

    /** Ids of the single tokens that end an answer. */
    val stopIds: List<Int> by lazy { Native.stopTokens(handle).mapNotNull { it?.singleOrNull() } }

    /**
     * Ids that an answer under a format must not contain. The format ends an answer with the first stop token and takes
     * the others for text. It takes the token of a byte for its spelling as well, `<0x22>`, which would let a quote
     * into a JSON string.
     */
    val suppressedInFormats: IntArray by lazy { (suppressed ?: (stopIds.drop(1) + asciiByteIds())).toIntArray() }

    override fun countTokens(text: String): Int = tokenize(text).size

    override fun converse(settings: ConversationSettings): Conversation = open(settings)

    override fun measure(prefillTokens: Int, decodeTokens: Int, adapter: File?): Measurement {
        // The engine takes 0 for no limit.
        require(prefillTokens > 0 && decodeTokens > 0) { "at least a token of prompt and one of output: $prefillTokens, $decodeTokens" }
        if (prefillTokens + decodeTokens > maxTokens) {
            throw EngineFailure.PromptTooLong(prefillTokens, maxTokens - decodeTokens)
        }
        return open(ConversationSettings(adapter = adapter)).use { conversation ->
            conversation.measure(prefillTokens, decodeTokens)
        }
    }

    override fun close() {
        val open = synchronized(this) {
            if (closed) return
            closed = true
            conversations.toList()
        }
        open.forEach { it.close() }
        closeNative()
    }

    fun forget(conversation: LiteRtLmConversation) {
        synchronized(this) { conversations -= conversation }
    }

    fun tokenize(text: String): IntArray {
        return synchronized(this) { Native.tokenize(handle, utf8(text)) ?: throw lastFailure() }
    }

    @Synchronized
    private fun open(settings: ConversationSettings): LiteRtLmConversation {
        check(!closed) { "the engine is closed" }
        // With two the engine fails at a later turn of the first, or goes on with the other's adapter (0.18.1).
        check(conversations.isEmpty()) { "another conversation is open" }
        val sidecar = settings.adapter ?: adapters?.empty
        if (sidecar?.isFile == false) throw EngineFailure.ModelMissing(sidecar.path)
        if (adapters != null) makeWay(adapters)
        val messages = messagesBefore(settings)
        val sampling = NativeSampling(settings.sampling)
        val conversation = Native.openConversation(
            engine = handle,
            messages = messages?.let(::utf8),
            constrained = settings.answerFormat != null,
            sidecar = sidecar?.path?.encodeToByteArray(),
            promptTemplate = settings.promptTemplate?.let(::utf8),
            topK = sampling.topK,
            topP = sampling.topP,
            temperature = sampling.temperature,
            seed = sampling.seed,
        )
        if (conversation == 0L) throw lastFailure()
        return LiteRtLmConversation(this, conversation, settings.answerFormat).also { conversations += it }
    }

    /**
     * The engine never gives back the adapter inputs of a conversation, whichever sidecar fills them (0.18.1): 15 MB each at
     * the 270M shape with adapters of every projection. Only a new engine is rid of them.
     */
    private fun makeWay(adapters: AdapterSupport) {
        if (leftBehind + adapters.bytes > MOST_LEFT_BEHIND) closeNative()
        leftBehind += adapters.bytes
    }

    private fun closeNative() {
        if (native != 0L) Native.closeEngine(native)
        native = 0L
        leftBehind = 0L
    }

    /** Tokens of single ASCII bytes, side by side in the vocabulary; none when the tokenizer does not fall back to bytes. */
    private fun asciiByteIds(): List<Int> {
        val first = tokenize("\u0001").singleOrNull() ?: return emptyList()
        val second = tokenize("\u0002").singleOrNull()
        return if (second == first + 1) List(ASCII) { first - 1 + it } else emptyList()
    }

    private companion object {
        const val ASCII = 128
        const val MOST_LEFT_BEHIND = 200_000_000L
    }
}

/** Sampling in the engine's terms; [topK] 0 stands for the file's own. */
private class NativeSampling(sampling: Sampling?) {
    private val given = sampling as? Sampling.TopP
    val topK: Int = given?.topK ?: if (sampling == Sampling.Greedy) 1 else 0
    val topP: Float = given?.topP ?: 1f
    val temperature: Float = given?.temperature ?: 1f
    val seed: Int = given?.seed ?: 0
}

/** Text for the engine, whose interface would end it at a NUL character. */
internal fun utf8(text: String): ByteArray {
    if ('\u0000' in text) throw EngineFailure.Other("a text must not contain the NUL character")
    return text.encodeToByteArray()
}
