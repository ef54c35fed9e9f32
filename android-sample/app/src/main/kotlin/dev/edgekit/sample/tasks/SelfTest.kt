package dev.edgekit.sample.tasks

import dev.edgekit.sample.bundle.Golden
import dev.edgekit.sample.engine.ConversationSettings
import dev.edgekit.sample.engine.EngineFailure
import dev.edgekit.sample.engine.Piece
import dev.edgekit.sample.engine.Sampling
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

/** Asks every golden prompt greedily, each in a conversation of its own; emits the comparisons so far after each. */
fun selfTest(model: OpenModel, dispatcher: CoroutineDispatcher = Dispatchers.IO): Flow<List<Comparison>> = flow {
    val done = mutableListOf<Comparison>()
    for (golden in model.bundle.task.golden) {
        done += try {
            Comparison(golden, greedyAnswer(model, golden.prompt))
        } catch (failure: EngineFailure) {
            Comparison(golden, null, failure)
        }
        emit(done.toList())
    }
}.flowOn(dispatcher)

private suspend fun greedyAnswer(model: OpenModel, prompt: String): String {
    val settings = ConversationSettings(
        systemPrompt = model.bundle.task.systemPrompt,
        sampling = Sampling.Greedy,
        answerFormat = model.bundle.manifest?.answerFormat,
    )
    return model.engine.converse(settings).use { conversation ->
        conversation.send(prompt).filterIsInstance<Piece.Text>().fold(StringBuilder()) { text, piece -> text.append(piece.text) }
    }.toString()
}
