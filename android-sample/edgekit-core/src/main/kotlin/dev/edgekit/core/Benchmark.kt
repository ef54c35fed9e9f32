package dev.edgekit.core

/**
 * How to measure.
 *
 * @property prefill tokens of the prompt
 * @property decode tokens of the output
 * @property warmup runs before those that count
 */
public data class BenchmarkPlan(
    public val prefill: Int = 256,
    public val decode: Int = 256,
    public val runs: Int = 3,
    public val warmup: Int = 1,
) {
    /** Two starts and the runs. */
    public val steps: Int get() = 2 + warmup + runs
}

/** What a benchmark is doing. */
public enum class BenchmarkStep { COLD_START, WARM_START, WARM_UP, RUN, SWITCH }

/** @property done steps that are behind, out of [of] */
public class BenchmarkProgress(public val step: BenchmarkStep, public val done: Int, public val of: Int)

/**
 * What was measured, of the runs that count; times in seconds, speeds in tokens per second, memory in bytes.
 *
 * @property model the bundle's name
 * @property coldStart without the engine's cache, [warmStart] with it
 * @property switchTime from the model alone to the task's adapter; null where it has none
 * @property peakMemory the most that the process held; null when the system does not tell
 * @property isOwnPeak the peak is of this benchmark; else of all that the process did since it began
 * @property json for `edgekit bench --on app=FILE`
 * @property csv a line for each run, those that warmed up included
 */
public class BenchmarkReport(
    public val model: String,
    public val backend: Backend,
    public val plan: BenchmarkPlan,
    public val coldStart: Double,
    public val warmStart: Double,
    public val timeToFirstToken: Spread,
    public val prefillSpeed: Spread,
    public val decodeSpeed: Spread,
    public val switchTime: Spread?,
    public val peakMemory: Long?,
    public val isOwnPeak: Boolean,
    public val json: String,
    public val csv: String,
)

/** @property values in the order in which they were measured, at least one */
public data class Spread(public val values: List<Double>) {
    public val minimum: Double get() = values.min()
    public val maximum: Double get() = values.max()
    public val median: Double
        get() {
            val sorted = values.sorted()
            val middle = sorted.size / 2
            return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
        }
}
