package dev.edgekit.core

import dev.edgekit.core.answers.Answer
import dev.edgekit.core.answers.readAnswer
import dev.edgekit.core.answers.readCallingAnswer
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.calls.CallResult
import dev.edgekit.core.calls.resultMessage
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Message
import dev.edgekit.core.engine.Piece
import dev.edgekit.core.engine.Role
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
) : Session {
    private val settings: ConversationSettings = bundle.settingsOf(asked).run { if (sampling == null) this else copy(sampling = sampling) }
    private val calling = bundle.callingOf(asked)
    private val ended = CompletableDeferred<Unit>()

    /** Held while an answer is under way; what follows is read and written under it. */
    private val oneAtATime = Mutex()
    private var said = emptyList<Message>()

    /** The engine's conversation is not what was said: an answer was cut off in it. */
    private var isOutdated = false

    override fun ask(text: String): Flow<Reply> = replies {
        if (task.oneTurn) {
            said = emptyList()
            isOutdated = true
        }
        Message(Role.USER, text)
    }

    override fun results(results: List<CallResult>): Flow<Reply> = replies {
        check(said.isNotEmpty()) { "nothing was asked before" }
        resultMessage(results, checkNotNull(calling) { "the model calls nothing in the task ${task.id}" }.dialect)
    }

    override suspend fun answer(text: String): String = ask(text).filterIsInstance<Reply.Complete>().first().text

    override fun read(text: String, isWhole: Boolean): Answer =
        if (calling == null) readAnswer(text, task.format, asked.actions, isWhole) else readCallingAnswer(text, calling, emptyMap(), isWhole)

    override suspend fun reset() = oneAtATime.withLock {
        said = emptyList()
        isOutdated = true
    }

    override fun close() {
        ended.complete(Unit)
    }

    /** The answer is produced apart from its collector, who may ask again before it has taken all of it. */
    private fun replies(message: () -> Message): Flow<Reply> = channelFlow {
        model.untilClosed {
            endedBy(ended, "the session of ${task.id}") { oneAtATime.withLock { answer(message()) } }
        }
    }.buffer(Channel.UNLIMITED).flowOn(Dispatchers.IO)

    private suspend fun ProducerScope<Reply>.answer(message: Message) {
        if (ended.isCompleted) throw EdgekitFailure.Closed("the session of ${task.id}")
        val text = StringBuilder()
        var done: TurnStats? = null
        val renewed = isOutdated
        isOutdated = true
        model.conversing(this@TaskSession, renewed, { settings.copy(history = said) }) { conversation ->
            conversation.send(message).collect { piece ->
                when (piece) {
                    is Piece.Text -> trySend(Reply.Partial(text.append(piece.text).toString(), piece.text))
                    is Piece.Done -> done = piece.stats
                }
            }
        }
        val stats = checkNotNull(done) { "the engine ended an answer without its figures" }
        said = said + message + Message(Role.MODEL, text.toString())
        isOutdated = false
        trySend(Reply.Complete(text.toString(), finishOf(stats), figuresOf(stats)))
    }
}

private fun finishOf(stats: TurnStats) = if (stats.stopReason == StopReason.CONTEXT_FULL) Finish.CONTEXT_FULL else Finish.END

private fun figuresOf(stats: TurnStats) =
    Figures(stats.promptTokens, stats.generatedTokens, stats.timeToFirstToken, stats.prefillSpeed, stats.decodeSpeed)
