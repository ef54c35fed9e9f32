package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BenchmarkPlan
import dev.edgekit.core.BenchmarkStep
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.ConversationSettings
import dev.edgekit.core.engine.Engine
import dev.edgekit.core.engine.EngineLoader
import dev.edgekit.core.engine.EngineSettings
import java.io.File
import java.time.Instant
import java.time.temporal.ChronoUnit
import kotlin.coroutines.coroutineContext
import kotlin.time.measureTimedValue
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn

internal sealed interface BenchmarkUpdate {
    /** @property done steps that are behind, out of [of] */
    data class Progress(val step: BenchmarkStep, val done: Int, val of: Int) : BenchmarkUpdate

    data class Finished(val result: BenchmarkResult) : BenchmarkUpdate
}

/**
 * Measures a bundle as `edgekit bench` does: a start without the engine's cache, one with it, runs to warm up, and runs,
 * with the adapter of a task where it has one. Then it switches to the adapter as often as there were runs.
 *
 * @property cache a directory of its own for the engine's cache; it is emptied before and removed afterwards
 * @property device tells of the phone and its state at this moment
 */
@InternalEdgekitApi
public class Benchmark(
    private val loader: EngineLoader,
    private val cache: File,
    private val device: Device,
    private val dispatcher: CoroutineDispatcher = Dispatchers.IO,
) {
    /** Opens engines of its own: no other may be open. Cancelling takes effect when the step under way has ended. */
    internal fun run(bundle: Bundle, task: Task, backend: Backend, plan: BenchmarkPlan): Flow<BenchmarkUpdate> = flow {
        val began = Instant.now().truncatedTo(ChronoUnit.SECONDS)
        val before = device.conditions()
        val adapter = bundle.adapterOf(task)?.sidecar
        val steps = plan.steps + if (adapter == null) 0 else 1
        var done = 0
        suspend fun step(step: BenchmarkStep) {
            coroutineContext.ensureActive()
            emit(BenchmarkUpdate.Progress(step, done++, steps))
        }
        val settings = EngineSettings(bundle.model, bundle.contextTokens, backend, cache, adapters = bundle.adapterSupport)
        val ownPeak = device.resetPeakMemory()
        try {
            cache.deleteRecursively()
            cache.mkdirs()
            step(BenchmarkStep.COLD_START)
            val cold = open(settings).also { it.first.close() }.second
            step(BenchmarkStep.WARM_START)
            val (engine, warm) = open(settings)
            val (runs, switches) = engine.use {
                val runs = (1..plan.warmup + plan.runs).map { number ->
                    val isWarmup = number <= plan.warmup
                    step(if (isWarmup) BenchmarkStep.WARM_UP else BenchmarkStep.RUN)
                    BenchmarkRun(isWarmup, it.measure(plan.prefill, plan.decode, adapter), device.peakMemory())
                }
                if (adapter != null) step(BenchmarkStep.SWITCH)
                runs to if (adapter == null) emptyList() else List(plan.runs) { _ -> switch(it, bundle.settingsOf(task)) }
            }
            val result = BenchmarkResult(
                bundle = bundle,
                task = task,
                backend = backend,
                plan = plan,
                runtimeVersion = engine.runtimeVersion,
                device = device.describe(),
                before = before,
                after = device.conditions(),
                coldStart = cold,
                warmStart = warm,
                runs = runs,
                ownPeak = ownPeak,
                switches = switches,
                cacheBytes = cache.walk().filter { it.isFile }.sumOf { it.length() },
                began = began,
            )
            emit(BenchmarkUpdate.Finished(result))
        } finally {
            cache.deleteRecursively()
        }
    }.flowOn(dispatcher)

    /** Seconds from the end of a conversation with the model alone to one with an adapter. */
    private fun switch(engine: Engine, to: ConversationSettings): Double {
        val before = engine.converse(ConversationSettings())
        val (conversation, time) = measureTimedValue {
            before.close()
            engine.converse(to)
        }
        conversation.close()
        return time.inWholeMicroseconds / 1e6
    }

    private fun open(settings: EngineSettings): Pair<Engine, Double> {
        val (engine, time) = measureTimedValue { loader.open(settings) }
        return engine to time.inWholeMicroseconds / 1e6
    }
}
