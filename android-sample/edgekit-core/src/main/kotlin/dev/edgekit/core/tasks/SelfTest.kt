package dev.edgekit.core.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.Sampling
import dev.edgekit.core.bundle.Golden
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.Piece
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.fold

/**
 * What this device says to a golden prompt.
 *
 * @property answer null when the engine failed, of which [failure] tells
 */
@InternalEdgekitApi
public data class Comparison(val golden: Golden, val answer: String?, val failure: EngineFailure? = null) {
    val same: Boolean get() = answer == golden.answer
}

/** Asks every golden prompt of a task greedily, each in a conversation of its own; emits the comparisons so far after each. */
@InternalEdgekitApi
public fun selfTest(model: OpenModel, task: Task, dispatcher: CoroutineDispatcher = Dispatchers.IO): Flow<List<Comparison>> {
    val settings = model.bundle.settingsOf(task).copy(sampling = Sampling.Greedy)
    return selfTest(task) { prompt -> model.converseBriefly(task, settings) { it.greedily(prompt) } }.flowOn(dispatcher)
}

/** @param ask answers a prompt greedily, in a conversation of its own */
internal fun selfTest(task: Task, ask: suspend (String) -> String): Flow<List<Comparison>> = flow {
    val done = mutableListOf<Comparison>()
    for (golden in task.golden) {
        done += try {
            Comparison(golden, ask(golden.prompt))
        } catch (failure: EngineFailure) {
            Comparison(golden, null, failure)
        } catch (failure: IllegalStateException) {
            if (failure is CancellationException) throw failure
            Comparison(golden, null, EngineFailure.Other(failure.message ?: failure.toString(), failure))
        }
        emit(done.toList())
    }
}

/** The answer to a prompt, in a conversation that is set to be greedy. */
internal suspend fun Conversation.greedily(prompt: String): String =
    send(prompt).filterIsInstance<Piece.Text>().fold(StringBuilder()) { text, piece -> text.append(piece.text) }.toString()
