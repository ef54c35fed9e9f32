package dev.edgekit.core.engine

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Semaphore
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ProducerScope
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch

// The engine's numbers of answer formats.
private const val NO_FORMAT = 0
private const val REGEX = 1
private const val JSON_SCHEMA = 2

/** The engine ends an answer with these in two cases that are no failures. */
private const val CANCELLED = "CANCELLED"
private const val FULL = "Max number of tokens reached"

internal class LiteRtLmConversation(
    private val engine: LiteRtLmEngine,
    private val handle: Long,
    private val format: AnswerFormat?,
) : Conversation {
    /** Held while an answer is under way. */
    private val answering = Semaphore(1)

    private var closed = false

    /** The engine has none of it any more. */
    private val gone = CountDownLatch(1)

    /** The answer under way has ended, and its figures are being read. */
    @Volatile
    private var ended = true

    /** An answer was told to stop. */
    @Volatile
    private var stopped = false

    override val tokenCount: Int get() = open { Native.tokenCount(handle) }

    override fun promptTokens(text: String): Int = tokensOf(Message(Role.USER, text))

    private fun tokensOf(message: Message): Int = open {
        val start = if (engine.hasStartToken && Native.tokenCount(handle) == 0) 1 else 0
        start + engine.tokenize(render(message)).size
    }

    override fun send(message: Message): Flow<Piece> =
        channelFlow { answer(message) }.buffer(Channel.UNLIMITED).flowOn(Dispatchers.IO)

    /** Stops an answer under way and waits for the engine, which would crash without; as does who closes it meanwhile. */
    override fun close() {
        val isFirst = synchronized(this) {
            val wasOpen = !closed
            closed = true
            if (wasOpen && answering.availablePermits() == 0) stop()
            wasOpen
        }
        if (!isFirst) return gone.await()
        answering.acquireUninterruptibly()
        Native.closeConversation(handle)
        engine.forget(this)
        gone.countDown()
    }

    /** The text that sending this one would feed, by the file's template. */
    fun render(text: String): String = render(Message(Role.USER, text))

    private fun render(message: Message): String = open {
        (Native.render(handle, asSent(message)) ?: throw lastFailure()).decodeToString()
    }

    /** Feeds a prompt of exactly so many tokens and generates exactly so many, whatever they say. */
    fun measure(prefillTokens: Int, decodeTokens: Int): Measurement {
        begin(Message(Role.USER, promptOf(prefillTokens)), engine.stopIds.toIntArray(), decodeTokens)
        try {
            while (Native.receive(handle) != null) continue
            failure()?.let { throw it }
            val stamps = Native.stamps(handle)
            val figures = figures()
            return Measurement(
                prefillTokens = figures.fed,
                decodeTokens = figures.generated,
                timeToFirstToken = stamps.first(),
                total = stamps.last(),
                stamps = stamps.dropLast(1),
                prefillSpeed = figures.prefillSpeed,
                decodeSpeed = figures.decodeSpeed,
                engineTimeToFirstToken = figures.timeToFirstToken,
            )
        } finally {
            answering.release()
        }
    }

    private suspend fun ProducerScope<Piece>.answer(message: Message) {
        check(!stopped) { "an answer was stopped: the engine takes nothing more in this conversation" }
        val before = tokenCount
        checkRoom(message, before)
        val suppressed = if (format == null) null else engine.suppressedInFormats
        begin(message, suppressed, maxOutput = 0)
        try {
            receiveAll()
            failure()?.let { throw it }
            send(Piece.Done(stats(before)))
        } finally {
            answering.release()
        }
    }

    /** Passes the pieces on until the engine has ended, which it does soon when this is cancelled. */
    private suspend fun ProducerScope<Piece>.receiveAll() = coroutineScope {
        val stopper = launch(start = CoroutineStart.UNDISPATCHED) {
            try {
                awaitCancellation()
            } finally {
                if (!ended) stop()
            }
        }
        while (true) {
            val piece = Native.receive(handle) ?: break
            trySend(Piece.Text(textOf(piece)))
        }
        ended = true
        stopper.cancel()
    }

    private fun stop() {
        stopped = true
        Native.cancel(handle)
    }

    private fun checkRoom(message: Message, used: Int) {
        val tokens = tokensOf(message)
        val room = engine.maxTokens - used - 1 // one at least is for the answer
        if (tokens > room) throw EngineFailure.PromptTooLong(tokens, room.coerceAtLeast(0))
    }

    @Synchronized
    private fun begin(message: Message, suppressed: IntArray?, maxOutput: Int) {
        check(!closed) { "the conversation is closed" }
        val sent = asSent(message)
        check(answering.tryAcquire()) { "an answer is under way" }
        ended = false
        val began = Native.send(
            conversation = handle,
            message = sent,
            kind = when (format) {
                null -> NO_FORMAT
                is AnswerFormat.Regex -> REGEX
                is AnswerFormat.JsonSchema -> JSON_SCHEMA
            },
            constraint = when (format) {
                null -> null
                is AnswerFormat.Regex -> utf8(format.pattern)
                is AnswerFormat.JsonSchema -> utf8(format.schema)
            },
            suppressed = suppressed?.takeIf { it.isNotEmpty() },
            maxOutput = maxOutput,
        )
        if (!began) {
            answering.release()
            throw lastFailure()
        }
    }

    /** Why the last answer ended, null when there is nothing to complain of. */
    private fun failure(): EngineFailure? {
        val error = Native.streamError(handle)?.decodeToString() ?: return null
        return when {
            FULL in error -> null
            CANCELLED in error -> EngineFailure.Other("the conversation was closed in the middle of an answer")
            else -> failureOf(error)
        }
    }

    private fun stats(before: Int): TurnStats {
        val figures = figures()
        val after = Native.tokenCount(handle)
        return TurnStats(
            promptTokens = after - before - figures.generated,
            generatedTokens = figures.generated,
            timeToFirstToken = Native.stamps(handle).first(),
            prefillSpeed = figures.prefillSpeed,
            decodeSpeed = figures.decodeSpeed,
            stopReason = if (after >= engine.maxTokens) StopReason.CONTEXT_FULL else StopReason.END_OF_TURN,
        )
    }

    private fun figures() = Figures(Native.figures(handle) ?: throw EngineFailure.Other("the engine kept no figures"))

    /** A text that makes a prompt of so many tokens, the template's and the start token included. */
    private fun promptOf(tokens: Int): String {
        for (word in WORDS) {
            var count = tokens
            repeat(ATTEMPTS) {
                val text = word.repeat(count.coerceAtLeast(0))
                val excess = promptTokens(text) - tokens
                if (excess == 0) return text
                count -= excess
            }
        }
        throw EngineFailure.Other("no prompt of $tokens tokens can be made")
    }

    @Synchronized
    private fun <T> open(block: () -> T): T {
        check(!closed) { "the conversation is closed" }
        return block()
    }

    private companion object {
        /** Of each, most tokenizers make one token however often it is repeated. */
        val WORDS = listOf(" the", " a", "1", "a", ".")
        const val ATTEMPTS = 4
    }
}

/** The engine's figures of a turn, in the shim's order. */
private class Figures(values: DoubleArray) {
    val fed = values[0].toInt()
    val generated = values[1].toInt()
    val prefillSpeed = values[2]
    val decodeSpeed = values[3]
    val timeToFirstToken = values[4]
}
