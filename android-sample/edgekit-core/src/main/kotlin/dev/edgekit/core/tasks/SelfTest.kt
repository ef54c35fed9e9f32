package dev.edgekit.core.tasks

import dev.edgekit.core.bundle.Golden
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.EngineFailure
import dev.edgekit.core.engine.Piece
import dev.edgekit.core.engine.Sampling
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
data class Comparison(val golden: Golden, val answer: String?, val failure: EngineFailure? = null) {
    val same: Boolean get() = answer == golden.answer
}

/** Asks every golden prompt of a task greedily, each in a conversation of its own; emits the comparisons so far after each. */
fun selfTest(model: OpenModel, task: Task, dispatcher: CoroutineDispatcher = Dispatchers.IO): Flow<List<Comparison>> = flow {
    val done = mutableListOf<Comparison>()
    for (golden in task.golden) {
        done += try {
            Comparison(golden, greedyAnswer(model, task, golden.prompt))
        } catch (failure: EngineFailure) {
            Comparison(golden, null, failure)
        } catch (failure: IllegalStateException) {
            if (failure is CancellationException) throw failure
            Comparison(golden, null, EngineFailure.Other(failure.message ?: failure.toString(), failure))
        }
        emit(done.toList())
    }
}.flowOn(dispatcher)

private suspend fun greedyAnswer(model: OpenModel, task: Task, prompt: String): String {
    val settings = model.bundle.settingsOf(task).copy(sampling = Sampling.Greedy)
    return model.converseBriefly(task, settings) { conversation ->
        conversation.send(prompt).filterIsInstance<Piece.Text>().fold(StringBuilder()) { text, piece -> text.append(piece.text) }
    }.toString()
}
