package dev.edgekit.core

import dev.edgekit.core.answers.Answer
import dev.edgekit.core.answers.AnswerReader
import dev.edgekit.core.answers.readCallingAnswer
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.calls.CallResult
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.resultMessage
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Piece
import dev.edgekit.core.engine.StopReason
import dev.edgekit.core.engine.TurnStats
import dev.edgekit.core.tasks.callingOf
import dev.edgekit.core.tasks.settingsOf
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.ProducerScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

internal class TaskSession(
    private val model: OpenedModel,
    bundle: Bundle,
    private val asked: Task,
    override val task: TaskInfo,
    sampling: Sampling?,
    history: List<Message>,
) : Session {
    private val settings: ConversationSettings = bundle.settingsOf(asked).run { if (sampling == null) this else copy(sampling = sampling) }
    private val calling = bundle.callingOf(asked)
    private val reader by lazy { AnswerReader(task.format, asked.actions) }
    private val ended = CompletableDeferred<Unit>()

    /** Held while an answer is under way; what follows is written under it. */
    private val oneAtATime = Mutex()

    @Volatile
    override var history: List<Message> = history
        private set

    @Volatile
    override var contextUsed: Int = 0
        private set

    /** The engine's conversation is not what was said: an answer was cut off in it. */
    private var isOutdated = false

    override suspend fun prepare() = model.untilClosed {
        endedBy(ended, "the session of ${task.id}") {
            oneAtATime.withLock {
                if (ended.isCompleted) throw EdgekitFailure.Closed("the session of ${task.id}")
                val before = if (task.oneTurn) emptyList() else history
                model.prepare(task.id, settings.copy(history = before)) { task.oneTurn || isOutdated || it !== this }
            }
        }
    }

    override fun ask(text: String): Flow<Reply> = replies(standsAlone = task.oneTurn) { Message(Role.USER, text) }

    override fun results(results: List<CallResult>): Flow<Reply> = replies(standsAlone = false) {
        check(history.isNotEmpty()) { "nothing was asked before" }
        resultMessage(results, checkNotNull(calling) { "the model calls nothing in the task ${task.id}" }.dialect)
    }

    override suspend fun answer(text: String): String = ask(text).filterIsInstance<Reply.Complete>().first().text

    override fun read(text: String, isWhole: Boolean, settled: Map<Int, Settled>): Answer =
        if (calling == null) reader.read(text, isWhole) else readCallingAnswer(text, calling, settled, isWhole)

    override suspend fun reset() = oneAtATime.withLock {
        history = emptyList()
        contextUsed = 0
        isOutdated = true
    }

    override fun close() {
        ended.complete(Unit)
    }

    /** The answer is produced apart from its collector, who may ask again before it has taken all of it. */
    private fun replies(standsAlone: Boolean, message: () -> Message): Flow<Reply> = channelFlow {
        model.untilClosed {
            endedBy(ended, "the session of ${task.id}") { oneAtATime.withLock { answer(message(), standsAlone) } }
        }
    }.buffer(Channel.UNLIMITED).flowOn(Dispatchers.IO)

    private suspend fun ProducerScope<Reply>.answer(message: Message, standsAlone: Boolean) {
        if (ended.isCompleted) throw EdgekitFailure.Closed("the session of ${task.id}")
        val text = StringBuilder()
        var done: TurnStats? = null
        val before = if (standsAlone) emptyList() else history
        val renewed = isOutdated || standsAlone
        isOutdated = true
        try {
            model.conversing(this@TaskSession, renewed, task.id, { settings.copy(history = before) }) { conversation ->
                try {
                    conversation.send(message).collect { piece ->
                        when (piece) {
                            is Piece.Text -> trySend(Reply.Partial(text.append(piece.text).toString(), piece.text))
                            is Piece.Done -> done = piece.stats
                        }
                    }
                } finally {
                    used(conversation)?.let { contextUsed = it }
                }
            }
            isOutdated = done == null
        } catch (failure: EngineFailure.PromptTooLong) {
            // Nothing was fed.
            isOutdated = standsAlone
            throw failure
        } finally {
            // The model is to see what was shown, also of an answer that was cut off.
            if (done != null || text.isNotEmpty()) history = before + message + Message(Role.MODEL, text.toString())
        }
        val stats = checkNotNull(done) { "the engine ended an answer without its figures" }
        trySend(Reply.Complete(text.toString(), finishOf(stats), figuresOf(stats)))
        prepareNext(text.toString())
    }

    /** What was called goes on in the conversation in which it was: only behind an answer that ends the turn. */
    private fun prepareNext(answer: String) {
        if (!task.oneTurn || settings.answerFormat == null || read(answer, isWhole = true) is Answer.Calls) return
        model.afterwards { model.prepare(task.id, settings.copy(history = emptyList())) { it === this } }
    }
}

/** Null where the conversation is closed already. */
private fun used(conversation: Conversation): Int? = try {
    conversation.tokenCount
} catch (_: IllegalStateException) {
    null
}

private fun finishOf(stats: TurnStats) = if (stats.stopReason == StopReason.CONTEXT_FULL) Finish.CONTEXT_FULL else Finish.END

private fun figuresOf(stats: TurnStats) =
    Figures(stats.promptTokens, stats.generatedTokens, stats.timeToFirstToken, stats.prefillSpeed, stats.decodeSpeed)
