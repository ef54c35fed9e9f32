package dev.edgekit.core

import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.ChosenEngine
import dev.edgekit.core.engine.Conversation
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.tasks.Benchmark
import dev.edgekit.core.tasks.BenchmarkResult
import dev.edgekit.core.tasks.BenchmarkUpdate
import dev.edgekit.core.tasks.greedily
import dev.edgekit.core.tasks.selfTest
import dev.edgekit.core.tasks.settingsOf
import dev.edgekit.core.tasks.toCsv
import dev.edgekit.core.tasks.toJson
import java.io.File
import kotlin.time.measureTimedValue
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.flowOn
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
    override val info: ModelInfo,
    chosen: ChosenEngine,
    private val starter: suspend () -> ChosenEngine,
    private val benchmark: Benchmark,
    private val runner: String,
    private val slot: EngineSlot.Holder,
) : Model {
    override val backend: Backend = chosen.backend
    override val fallback: String? = chosen.reason
    override val runtimeVersion: String = chosen.engine.runtimeVersion

    private val _lastSwitch = MutableStateFlow<AdapterSwitch?>(null)
    override val lastSwitch: StateFlow<AdapterSwitch?> = _lastSwitch.asStateFlow()

    /** Held while the engine answers: it has one conversation at a time. */
    private val oneAtATime = Mutex()

    /** What follows is read and written under [oneAtATime]. Null when it did not start again after a benchmark. */
    private var engine: Engine? = chosen.engine
    private var conversation: Conversation? = null
    private var speaker: Any? = null

    /** Of [conversation] while nobody has said anything in it: it is for whoever wants one like it. */
    private var unused: ConversationSettings? = null

    /** What the engine was last asked to apply. */
    private var applied: Applied? = null

    private val ended = CompletableDeferred<Unit>()

    override fun session(task: String?, sampling: Sampling?, history: List<Message>): Session {
        if (ended.isCompleted) throw EdgekitFailure.Closed(info.name)
        val chosen = taskOf(task)
        return TaskSession(this, bundle, chosen, checkNotNull(info.task(chosen.id)), sampling, history)
    }

    override fun selfTest(task: String?): Flow<GoldenResult> {
        val chosen = taskOf(task)
        val settings = bundle.settingsOf(chosen).copy(sampling = Sampling.Greedy)
        return selfTest(chosen) { prompt -> untilClosed { conversing(Any(), true, chosen.id, { settings }) { it.greedily(prompt) } } }
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
                is BenchmarkUpdate.Finished -> report = reportOf(update.result)
            }
        }
        return checkNotNull(report)
    }

    private fun reportOf(result: BenchmarkResult) = result.run {
        BenchmarkReport(
            model = info.name,
            backend = backend,
            plan = plan,
            coldStart = coldStart,
            warmStart = warmStart,
            timeToFirstToken = timeToFirstToken,
            prefillSpeed = prefillSpeed,
            decodeSpeed = decodeSpeed,
            switchTime = switchTime,
            peakMemory = peakMemory,
            isOwnPeak = ownPeak,
            json = toJson(runner),
            csv = toCsv(),
        )
    }

    /**
     * Lends the engine's conversation to [block].
     *
     * @param who speaks in it: another than before gets a new one, or the one that was prepared
     * @param renewed the one that there is is not to be gone on with
     * @param task that it is about
     * @param settings of a new one
     */
    suspend fun <T> conversing(
        who: Any,
        renewed: Boolean,
        task: String,
        settings: () -> ConversationSettings,
        block: suspend (Conversation) -> T,
    ): T =
        oneAtATime.withLock {
            if (ended.isCompleted) throw EdgekitFailure.Closed(info.name)
            val running = engine ?: starter().engine.also { engine = it }
            val kept = conversation.takeIf { speaker === who && !renewed }
            val found = kept ?: settings().let { wanted ->
                conversation.takeIf { unused == wanted } ?: replaced(running, task, wanted)
            }
            speaker = who
            unused = null
            block(found)
        }

    /**
     * Opens a conversation before anybody speaks in it.
     *
     * @param wanted is told who spoke last
     */
    suspend fun prepare(task: String, settings: ConversationSettings, wanted: (speaker: Any?) -> Boolean) = oneAtATime.withLock {
        val running = engine
        if (running == null || ended.isCompleted || unused == settings || !wanted(speaker)) return@withLock
        speaker = null
        replaced(running, task, settings)
        unused = settings
    }

    /** Runs [block] when its caller is through, unless the model ends before; whatever fails in it, the next question tells. */
    fun afterwards(block: suspend () -> Unit) {
        background.launch {
            try {
                untilClosed(block)
            } catch (failure: Exception) {
                if (failure is CancellationException) throw failure
            }
        }
    }

    /** Runs [block], which the end of the model ends with [EdgekitFailure.Closed]. */
    suspend fun <T> untilClosed(block: suspend () -> T): T = endedBy(ended, info.name, block)

    override fun close() {
        slot.isEnding = true
        if (!ended.complete(Unit)) return
        background.launch {
            oneAtATime.withLock { closeEngine() }
            EngineSlot.leave(slot)
        }
    }

    private fun replaced(running: Engine, task: String, settings: ConversationSettings): Conversation {
        val (opened, time) = measureTimedValue {
            conversation?.close()
            conversation = null
            unused = null
            running.converse(settings)
        }
        conversation = opened
        val before = applied
        applied = Applied(settings.adapter)
        if (before != null && before != applied) _lastSwitch.value = AdapterSwitch(task, time.inWholeMicroseconds / 1e6)
        return opened
    }

    private fun closeEngine() {
        conversation?.close()
        conversation = null
        speaker = null
        unused = null
        applied = null
        engine?.close()
        engine = null
    }

    private fun taskOf(id: String?): Task {
        val task = if (id == null) bundle.usable.firstOrNull() ?: bundle.tasks.first() else bundle.tasks.find { it.id == id }
        requireNotNull(task) { "${info.name} has no task $id, but ${bundle.tasks.joinToString { it.id }}" }
        bundle.failureOf(task)?.let { throw it }
        return task
    }

    /** @property adapter null for the model alone */
    private data class Applied(val adapter: File?)

    private companion object {
        /** Does that for which nobody waits. */
        val background = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    }
}

/** A model of an engine that there is already, beside the one that [Edgekit] has a place for: for tests. */
@InternalEdgekitApi
public fun modelOf(bundle: Bundle, chosen: ChosenEngine, benchmark: Benchmark): Model =
    OpenedModel(bundle, infoOf(bundle), chosen, { chosen }, benchmark, "test", EngineSlot.Holder(bundle.title))

/** Runs [block] and ends it when [signal] comes, with [EdgekitFailure.Closed]. */
internal suspend fun <T> endedBy(signal: CompletableDeferred<Unit>, what: String, block: suspend () -> T): T = coroutineScope {
    val watch = launch(start = CoroutineStart.UNDISPATCHED) {
        signal.await()
        throw EdgekitFailure.Closed(what)
    }
    block().also { watch.cancel() }
}
