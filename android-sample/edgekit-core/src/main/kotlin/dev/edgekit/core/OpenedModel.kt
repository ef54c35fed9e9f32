package dev.edgekit.core

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.BenchmarkUpdate
import dev.edgekit.core.tasks.greedily
import dev.edgekit.core.tasks.selfTest
import dev.edgekit.core.tasks.settingsOf
import dev.edgekit.core.tasks.toJson
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * @param starter starts the engine again after a benchmark
 * @param runner the app's package, which a benchmark's result names
 */
internal class OpenedModel(
    private val bundle: Bundle,
    chosen: ChosenEngine,
    private val starter: suspend () -> ChosenEngine,
    private val benchmark: Benchmark,
    private val runner: String,
    private val slot: EngineSlot.Holder,
) : Model {
    override val info = infoOf(bundle)
    override val backend: Backend = chosen.backend
    override val fallback: String? = chosen.reason

    /** Held while the engine answers: it has one conversation at a time. */
    private val oneAtATime = Mutex()

    /** What follows is read and written under [oneAtATime]. Null when it did not start again after a benchmark. */
    private var engine: Engine? = chosen.engine
    private var conversation: Conversation? = null
    private var speaker: Any? = null

    private val ended = CompletableDeferred<Unit>()

    override fun session(task: String?, sampling: Sampling?): Session {
        if (ended.isCompleted) throw EdgekitFailure.Closed(info.name)
        val chosen = taskOf(task)
        val info = info.tasks.first { it.id == chosen.id }
        return TaskSession(this, bundle, chosen, info, sampling)
    }

    override fun selfTest(task: String?): Flow<GoldenResult> {
        val chosen = taskOf(task)
        val settings = bundle.settingsOf(chosen).copy(sampling = Sampling.Greedy)
        return selfTest(chosen) { prompt -> untilClosed { conversing(Any(), true, { settings }) { it.greedily(prompt) } } }
            .map { all -> all.last().run { GoldenResult(golden.prompt, golden.answer, answer, failure) } }
            .flowOn(Dispatchers.IO)
    }

    override suspend fun benchmark(plan: BenchmarkPlan, task: String?, onStep: (BenchmarkProgress) -> Unit): BenchmarkReport {
        val chosen = taskOf(task)
        return untilClosed {
            oneAtATime.withLock {
                closeEngine()
                try {
                    measured(plan, chosen, onStep)
                } finally {
                    withContext(NonCancellable) { if (!ended.isCompleted) engine = starter().engine }
                }
            }
        }
    }

    private suspend fun measured(plan: BenchmarkPlan, task: Task, onStep: (BenchmarkProgress) -> Unit): BenchmarkReport {
        var report: BenchmarkReport? = null
        benchmark.run(bundle, task, backend, plan).collect { update ->
            when (update) {
                is BenchmarkUpdate.Progress -> onStep(BenchmarkProgress(update.step, update.done, update.of))
                is BenchmarkUpdate.Finished -> report = update.result.run {
                    val medians = listOf(timeToFirstToken, prefillSpeed, decodeSpeed).map { it.median }
                    BenchmarkReport(coldStart, warmStart, medians[0], medians[1], medians[2], peakMemory, toJson(runner))
                }
            }
        }
        return checkNotNull(report)
    }

    /**
     * Lends the engine's conversation to [block].
     *
     * @param who speaks in it: another than before gets a new one
     * @param renewed the one that there is is not to be gone on with
     * @param settings of a new one
     */
    suspend fun <T> conversing(who: Any, renewed: Boolean, settings: () -> ConversationSettings, block: suspend (Conversation) -> T): T =
        oneAtATime.withLock {
            if (ended.isCompleted) throw EdgekitFailure.Closed(info.name)
            val running = engine ?: starter().engine.also { engine = it }
            val kept = conversation.takeIf { speaker === who && !renewed }
            block(kept ?: replaced(running, who, settings()))
        }

    /** Runs [block], which the end of the model ends with [EdgekitFailure.Closed]. */
    suspend fun <T> untilClosed(block: suspend () -> T): T = endedBy(ended, info.name, block)

    override fun close() {
        slot.isEnding = true
        if (!ended.complete(Unit)) return
        ending.launch {
            oneAtATime.withLock { closeEngine() }
            EngineSlot.leave(slot)
        }
    }

    private fun replaced(running: Engine, who: Any, settings: ConversationSettings): Conversation {
        conversation?.close()
        conversation = null
        return running.converse(settings).also {
            conversation = it
            speaker = who
        }
    }

    private fun closeEngine() {
        conversation = null
        speaker = null
        engine?.close()
        engine = null
    }

    private fun taskOf(id: String?): Task {
        val task = if (id == null) bundle.usable.firstOrNull() ?: bundle.tasks.first() else bundle.tasks.find { it.id == id }
        requireNotNull(task) { "${info.name} has no task $id, but ${bundle.tasks.joinToString { it.id }}" }
        bundle.failureOf(task)?.let { throw it }
        return task
    }

    private companion object {
        /** Ends engines, for which nobody waits. */
        val ending = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    }
}

/** Runs [block] and ends it when [signal] comes, with [EdgekitFailure.Closed]. */
internal suspend fun <T> endedBy(signal: CompletableDeferred<Unit>, what: String, block: suspend () -> T): T = coroutineScope {
    val watch = launch(start = CoroutineStart.UNDISPATCHED) {
        signal.await()
        throw EdgekitFailure.Closed(what)
    }
    block().also { watch.cancel() }
}
