package dev.edgekit.core.tasks

import dev.edgekit.core.Backend
import java.util.Locale
import org.json.JSONArray
import org.json.JSONObject

/** The result in the schema of `edgekit bench`, version 1, for `edgekit bench --import`. What is not known is null. */
internal fun BenchmarkResult.toJson(runner: String): String = JSONObject()
    .put("schema_version", 1)
    .put("target", device.model)
    .put("device", deviceJson())
    .put("bundle", bundleJson())
    .put("engine", JSONObject().put("name", "LiteRT-LM").put("version", runtimeVersion).put("runner", runner))
    .put("plan", planJson())
    .put("cases", JSONArray().put(caseJson()))
    .put("check", JSONObject.NULL)
    .put("notes", JSONArray(notes()))
    .put("began", began.toString())
    .put("tool", JSONObject.NULL)
    .toString(2)

/** One line for each run, those that warmed up included; times in seconds, speeds in tokens per second, memory in bytes. */
internal fun BenchmarkResult.toCsv(): String {
    val head = "model,backend,run,warmup,prefill_tokens,decode_tokens,ttft,prefill_tps,decode_tps,rss_peak,init_cold,init_warm"
    val lines = runs.mapIndexed { index, run ->
        val figures = run.figures
        listOf(
            quoted(bundle.model.name), backend.key, index + 1, run.warmup, figures.prefillTokens, figures.decodeTokens,
            figures.timeToFirstToken.plain(), figures.prefillSpeed.plain(), figures.decodeSpeed.plain(), run.peakMemory ?: "",
            coldStart.plain(), warmStart.plain(),
        ).joinToString(",")
    }
    return (listOf(head) + lines).joinToString("\n", postfix = "\n")
}

private fun quoted(text: String) = if (text.any { it in ",\"\n" }) "\"${text.replace("\"", "\"\"")}\"" else text

/** With a point, whatever the language of the phone. */
private fun Double.plain() = "%.6f".format(Locale.ROOT, this)

private val Backend.key get() = name.lowercase(Locale.ROOT)

private fun BenchmarkResult.deviceJson() = JSONObject()
    .put("kind", "android")
    .put("name", device.model)
    .put("model", device.model)
    .put("soc", orNull(device.soc))
    .put("os", device.os)
    .put("abi", orNull(device.abi))
    .put("cores", device.cores)
    .put("clusters", JSONArray(device.clusters.map { it.toJson() }))
    .put("ram_bytes", orNull(device.ramBytes))
    .put("governor", orNull(device.governor))
    .put("before", before.toJson())
    .put("after", after.toJson())

private fun Cluster.toJson() = JSONObject().put("cpus", JSONArray(cpus)).put("max_mhz", orNull(maxMhz))

private fun Conditions.toJson() = JSONObject()
    .put("battery_percent", orNull(batteryPercent))
    .put("charging", orNull(charging))
    .put("temperature_c", orNull(temperature))
    .put("thermal_status", orNull(thermalStatus))
    .put("cpu_mhz", JSONObject.NULL)
    .put("load", JSONObject.NULL)

private fun BenchmarkResult.bundleJson() = JSONObject()
    .put("name", bundle.manifest?.name ?: bundle.model.nameWithoutExtension)
    .put("file", bundle.model.name)
    .put("size", bundle.model.length())
    .put("sha256", orNull(bundle.manifest?.model?.sha256))
    .put("recipe", orNull(bundle.manifest?.recipe))
    .put("kv_length", orNull(bundle.manifest?.contextTokens))

/** What the schema has no place for. */
private fun BenchmarkResult.notes(): List<String> {
    val memory = "the peak memory is of all that the app did since it began: this phone does not let it be reset".takeUnless { ownPeak }
    val adapter = bundle.adapterOf(task)?.manifest ?: return listOfNotNull(memory)
    val switch = checkNotNull(switchTime).median
    return listOfNotNull(
        memory,
        "with the adapter ${adapter.name}, ${adapter.sidecar.size} bytes, SHA-256 ${adapter.sidecar.sha256}",
        "switching to it took ${switch.plain()} s, the median of ${switches.size}",
    )
}

private fun BenchmarkResult.planJson() = JSONObject()
    .put("prefill", JSONArray(listOf(plan.prefill)))
    .put("decode", JSONArray(listOf(plan.decode)))
    .put("depth", JSONArray(listOf(0)))
    .put("threads", JSONArray(listOf(JSONObject.NULL)))
    .put("backend", JSONArray(listOf(backend.key)))
    .put("warmup", plan.warmup)
    .put("runs", plan.runs)
    .put("kv_length", bundle.contextTokens)
    .put("cold", false)

private fun BenchmarkResult.caseJson() = JSONObject()
    .put("case", caseKeyJson())
    .put("inits", JSONArray(listOf(init(true, coldStart), init(false, warmStart))))
    .put("runs", JSONArray(runs.map { it.toJson() }))
    .put("failure", JSONObject.NULL)
    .put("cache_bytes", cacheBytes)

private fun BenchmarkResult.caseKeyJson() = JSONObject()
    .put("backend", backend.key)
    .put("threads", JSONObject.NULL)
    .put("prefill", plan.prefill)
    .put("decode", plan.decode)
    .put("depth", 0)

private fun init(cold: Boolean, seconds: Double) = JSONObject().put("cold", cold).put("seconds", seconds)

private fun BenchmarkRun.toJson() = JSONObject()
    .put("warmup", warmup)
    .put("prefill_tokens", figures.prefillTokens)
    .put("decode_tokens", figures.decodeTokens)
    .put("ttft", finite(figures.timeToFirstToken))
    .put("total", finite(figures.total))
    .put("stamps", JSONArray(figures.stamps))
    .put("prefill_tps", finite(figures.prefillSpeed))
    .put("decode_tps", finite(figures.decodeSpeed))
    .put("engine_ttft", finite(figures.engineTimeToFirstToken))
    .put("rss_peak", orNull(peakMemory))

/** A speed over no time at all is none. */
private fun finite(value: Double): Any = if (value.isFinite()) value else JSONObject.NULL

private fun orNull(value: Any?): Any = value ?: JSONObject.NULL
