package dev.edgekit.core.typed

import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.Model
import dev.edgekit.core.Reply
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.calls.CallResult
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn

/**
 * Asks in a conversation of its own, and reads the whole answer. For the classes that `edgekit package` writes, as all of
 * this package is.
 *
 * @param task as in [Model.session]
 * @param read throws for an answer that it cannot read, which then is an [EdgekitFailure.Unreadable]
 */
public suspend fun <T> Model.typed(task: String?, question: String, read: (text: String) -> T): Result<T> = resultOf {
    val text = session(task).use { it.answer(question) }
    reading(text) { read(text) }
}

/** Opens the conversation of the first question, so that it is answered at once; where that fails, the question tells. */
public suspend fun Model.prepared(): Model = also {
    try {
        session().use { it.prepare() }
    } catch (_: EdgekitFailure) {
        // As said.
    } catch (cancelled: CancellationException) {
        // Nobody is given the model.
        close()
        throw cancelled
    }
}

/**
 * Asks when the flow is collected, in a conversation of its own, and reads what there is of the answer at each piece of it.
 *
 * @param task as in [Model.session]
 * @param read is told whether the text is whole; off the collector's thread
 */
public fun <T> Model.grow(task: String?, question: String, read: (text: String, whole: Boolean) -> T): Flow<T> = flow {
    session(task).use { session ->
        session.ask(question).collect { reply -> emit(reading(reply.text) { read(reply.text, reply is Reply.Complete) }) }
    }
}.flowOn(Dispatchers.Default)

/**
 * Asks in a conversation of its own, has [call] do what the model calls, and tells the model what came of it, until it
 * answers in words.
 *
 * @param task as in [Model.session]
 * @param call is given a tool's name and arguments, in the answer's order; what it throws ends the conversation
 */
public suspend fun Model.carryOut(
    task: String?,
    question: String,
    call: suspend (name: String, arguments: Map<String, Any?>) -> Map<String, Any?>,
): Result<String> = resultOf {
    session(task).use { session ->
        var text = session.answer(question)
        repeat(MOST_ROUNDS) {
            val asked = when (val said = session.read(text, isWhole = true)) {
                is Answer.Calls -> said.asked
                is Answer.Garbled -> throw EdgekitFailure.Unreadable(text, IllegalArgumentException(said.problem))
                is Answer.Plain -> return@resultOf said.text
                else -> return@resultOf text
            }
            val results = asked.map { (one, filled) ->
                CallResult(one.name, if (filled == null) NO_SUCH_TOOL else call(one.name, one.arguments))
            }
            text = session.results(results).filterIsInstance<Reply.Complete>().first().text
        }
        throw EdgekitFailure.Unreadable(text, IllegalArgumentException("the model called in $MOST_ROUNDS answers, and answered in none"))
    }
}

private const val MOST_ROUNDS = 8
private val NO_SUCH_TOOL = mapOf("reason" to "there is no such tool", "status" to "error")

private inline fun <T> reading(text: String, read: () -> T): T = try {
    read()
} catch (failure: RuntimeException) {
    throw EdgekitFailure.Unreadable(text, failure)
}

private suspend fun <T> resultOf(block: suspend () -> T): Result<T> = try {
    Result.success(block())
} catch (cancelled: CancellationException) {
    throw cancelled
} catch (failure: Exception) {
    Result.failure(failure)
}
