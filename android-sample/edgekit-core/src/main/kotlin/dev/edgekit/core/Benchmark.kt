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
 * What was measured: medians of the runs that count; times in seconds, speeds in tokens per second, memory in bytes.
 *
 * @property coldStart without the engine's cache, [warmStart] with it
 * @property peakMemory the most that the process held; null when the system does not tell
 * @property json for `edgekit bench --on app=FILE`
 */
public class BenchmarkReport(
    public val coldStart: Double,
    public val warmStart: Double,
    public val timeToFirstToken: Double,
    public val prefillSpeed: Double,
    public val decodeSpeed: Double,
    public val peakMemory: Long?,
    public val json: String,
)
