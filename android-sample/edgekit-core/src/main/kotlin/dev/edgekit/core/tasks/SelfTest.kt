package dev.edgekit.core.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.GoldenResult
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.Piece
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.fold

/**
 * Asks every golden prompt of a task, and emits how each answer compares.
 *
 * @param ask answers a prompt greedily, in a conversation of its own
 */
internal fun selfTest(task: Task, ask: suspend (String) -> String): Flow<GoldenResult> = flow {
    for ((prompt, expected) in task.golden) {
        val result = try {
            GoldenResult(prompt, expected, ask(prompt), null)
        } catch (failure: EngineFailure) {
            GoldenResult(prompt, expected, null, failure)
        } catch (failure: IllegalStateException) {
            if (failure is CancellationException) throw failure
            GoldenResult(prompt, expected, null, EngineFailure.Other(failure.message ?: failure.toString(), failure))
        }
        emit(result)
    }
}

/** The answer to a prompt, in a conversation that is set to be greedy. */
internal suspend fun Conversation.greedily(prompt: String): String =
    send(prompt).filterIsInstance<Piece.Text>().fold(StringBuilder()) { text, piece -> text.append(piece.text) }.toString()
