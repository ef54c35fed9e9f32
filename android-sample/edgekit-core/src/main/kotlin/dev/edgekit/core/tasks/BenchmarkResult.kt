package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import dev.edgekit.core.BenchmarkPlan
import dev.edgekit.core.Spread
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Task
import dev.edgekit.core.engine.Measurement
import java.time.Instant

/** @property peakMemory bytes that the process has held at most so far, null when the system does not tell */
internal data class BenchmarkRun(val warmup: Boolean, val figures: Measurement, val peakMemory: Long?)

/**
 * What was measured; starts and switches in seconds.
 *
 * @property switches to the adapter of [task]; none when it has none
 * @property ownPeak the peak memory is of this benchmark, not of all that the process did before
 * @property cacheBytes what the engine keeps for the next start
 */
internal data class BenchmarkResult(
    val bundle: Bundle,
    val task: Task,
    val backend: Backend,
    val plan: BenchmarkPlan,
    val runtimeVersion: String,
    val device: DeviceInfo,
    val before: Conditions,
    val after: Conditions,
    val coldStart: Double,
    val warmStart: Double,
    val runs: List<BenchmarkRun>,
    val ownPeak: Boolean,
    val switches: List<Double>,
    val cacheBytes: Long,
    val began: Instant,
) {
    /** The runs that count. */
    val measured: List<BenchmarkRun> get() = runs.filterNot { it.warmup }

    val timeToFirstToken: Spread get() = spread { it.timeToFirstToken }
    val prefillSpeed: Spread get() = spread { it.prefillSpeed }
    val decodeSpeed: Spread get() = spread { it.decodeSpeed }
    val switchTime: Spread? get() = if (switches.isEmpty()) null else Spread(switches)
    val peakMemory: Long? get() = runs.mapNotNull { it.peakMemory }.maxOrNull()

    private fun spread(figure: (Measurement) -> Double) = Spread(measured.map { figure(it.figures) })
}
