package dev.edgekit.core

import dev.edgekit.core.answers.Answer
import dev.edgekit.core.calls.CallResult
import dev.edgekit.core.calls.Settled
import java.io.Closeable
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.StateFlow

/**
 * An open model, with the one engine of the process. Keep it as long as the app asks it, in the application rather than in an
 * activity; from any thread.
 */
public interface Model : Closeable {
    /** What the bundle says of itself. */
    public val info: ModelInfo

    /** What computes; the CPU also where the GPU was wished for and did not answer alike. */
    public val backend: Backend

    /** Why the GPU is not used although it was wished for, in English; null otherwise. */
    public val fallback: String?

    /** The release of LiteRT-LM that computes, such as 0.18.1. */
    public val runtimeVersion: String

    /** The latest change from one adapter to another, or to the model alone; null while there was none. */
    public val lastSwitch: StateFlow<AdapterSwitch?>

    /**
     * A conversation. There can be any number: the engine answers one at a time, in the order in which they were asked.
     *
     * @param task of [ModelInfo.tasks]; null for the first that can be used
     * @param sampling in place of the task's own
     * @param history takes a conversation up again: the [Session.history] of an earlier one with the same model and task
     * @throws IllegalArgumentException when there is no such task
     * @throws BundleFailure when the task's adapter cannot be used
     * @throws EdgekitFailure.Closed
     */
    public fun session(task: String? = null, sampling: Sampling? = null, history: List<Message> = emptyList()): Session

    /**
     * Asks the prompts whose answers the desktop gave when the bundle was made, each in a conversation of its own, and
     * emits how the answers compare. It waits for answers that are under way.
     *
     * @param task as in [session]
     */
    public fun selfTest(task: String? = null): Flow<GoldenResult>

    /**
     * Measures this device. The engine is closed meanwhile, and opened again: asks wait.
     *
     * @param task as in [session]: what is measured is the model with the task's adapter
     * @param onStep is told which step begins
     * @throws EdgekitFailure
     */
    public suspend fun benchmark(plan: BenchmarkPlan = BenchmarkPlan(), task: String? = null, onStep: (BenchmarkProgress) -> Unit = {}): BenchmarkReport

    /**
     * Ends answers that are under way, which fail with [EdgekitFailure.Closed], and gives the engine back. Returns at once:
     * the engine ends on a thread of its own, for which the next [Edgekit.open] waits.
     */
    override fun close()
}

/** @property seconds from the end of one conversation to having the next, which is about [task] */
public class AdapterSwitch(public val task: String, public val seconds: Double)

/**
 * A conversation about one task.
 *
 * Where the task takes one turn ([TaskInfo.oneTurn]) each [ask] stands alone; else the model sees what was said before.
 * Whatever asks while an answer is under way waits for its end.
 */
public interface Session : Closeable {
    /** What it is about. */
    public val task: TaskInfo

    /** What was said, as the model sees it. Of an answer that was cut off it has what there was. */
    public val history: List<Message>

    /** Tokens of [ModelInfo.contextTokens] that were taken when the last answer ended; 0 before. */
    public val contextUsed: Int

    /**
     * Opens the engine's conversation for the next [ask], which then answers at once. With an answer format that takes seconds
     * where the vocabulary is large: call it when somebody is about to ask, as when a screen opens. After an answer of a
     * task that takes one turn and has a format, the next conversation is opened by itself. Waits while the engine answers.
     *
     * @throws EdgekitFailure
     */
    public suspend fun prepare()

    /**
     * Asks when the flow is collected, anew each time; a [Reply.Partial] for each piece of the answer, [Reply.Complete] at the
     * end. Cancelling the collector stops the engine. A slow collector does not hold it up.
     *
     * The flow fails with [EngineFailure.PromptTooLong] before anything is fed, and otherwise with an [EdgekitFailure].
     */
    public fun ask(text: String): Flow<Reply>

    /** The whole answer. Throws as [ask] fails. */
    public suspend fun answer(text: String): String

    /**
     * Goes on with what came of the calls in the last answer, in the same turn: their results in the calls' order. As [ask]
     * otherwise. Fails with [IllegalStateException] when nothing was asked before.
     */
    public fun results(results: List<CallResult>): Flow<Reply>

    /**
     * Reads an answer in the form that the task's answers have.
     *
     * @param isWhole false while more may follow
     * @param settled calls of the answer that were decided on, by their places
     */
    public fun read(text: String, isWhole: Boolean, settled: Map<Int, Settled> = emptyMap()): Answer

    /** Forgets what was said. */
    public suspend fun reset()

    /** Ends the answer under way, which fails with [EdgekitFailure.Closed]. The model stays open. */
    override fun close()
}

/** What comes of a question. */
public sealed interface Reply {
    /** The answer so far. */
    public val text: String

    /** More may follow. [piece] is what came last. */
    public class Partial(override val text: String, public val piece: String) : Reply

    /** The whole answer. */
    public class Complete(override val text: String, public val finish: Finish, public val figures: Figures) : Reply
}

/** Why an answer ended. */
public enum class Finish {
    /** The model said all that it had to say. */
    END,

    /** The context is full: what the model still had to say is missing. */
    CONTEXT_FULL,
}

/** An answer in figures; times in seconds, speeds in tokens per second. */
public data class Figures(
    public val promptTokens: Int,
    public val answerTokens: Int,
    public val timeToFirstToken: Double,
    public val prefillSpeed: Double,
    public val decodeSpeed: Double,
)

/**
 * What this device answers to a prompt whose answer is known.
 *
 * @property answer null when it failed, of which [failure] tells
 */
public class GoldenResult(
    public val prompt: String,
    public val expected: String,
    public val answer: String?,
    public val failure: EdgekitFailure?,
) {
    /** Whether the device answers as the desktop does. */
    public val same: Boolean get() = answer == expected
}
