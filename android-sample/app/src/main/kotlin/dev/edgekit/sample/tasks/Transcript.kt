package dev.edgekit.sample.tasks

import dev.edgekit.core.EngineFailure
import dev.edgekit.core.Sampling
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.settledFrom
import dev.edgekit.core.calls.toJson
import dev.edgekit.core.engine.Message
import dev.edgekit.core.engine.Role
import dev.edgekit.core.engine.StopReason
import dev.edgekit.core.engine.TurnStats
import org.json.JSONArray
import org.json.JSONObject

/**
 * A prompt and its answer.
 *
 * @property results of what the model called before, which were sent instead of a prompt
 * @property ending null while the answer streams
 * @property settled what became of the calls in the answer, by their places
 */
data class Turn(
    val prompt: String,
    val answer: String = "",
    val ending: Ending? = null,
    val settled: Map<Int, Settled> = emptyMap(),
    val results: Message? = null,
)

sealed interface Ending {
    data class Finished(val stats: TurnStats) : Ending

    data object Stopped : Ending

    data class Failed(val failure: EngineFailure) : Ending
}

/**
 * All of a conversation that outlives the process.
 *
 * @property model what it was held with; another model does not take it up
 * @property sampling null takes the model file's own
 * @property contextUsed tokens in the KV cache at the end of the last turn
 */
data class Transcript(
    val model: String,
    val turns: List<Turn> = emptyList(),
    val sampling: Sampling? = null,
    val contextUsed: Int = 0,
) {
    /** The turns as the engine takes them up again. */
    val history: List<Message> get() = messages(turns)

    /** Of them, the last prompt and what followed it: what the model called, and what became of it. */
    val exchange: List<Message> get() = messages(turns.drop(turns.indexOfLast { it.results == null }.coerceAtLeast(0)))

    fun toJson(): String = JSONObject()
        .put("model", model)
        .put("turns", JSONArray(turns.map { it.toJson() }))
        .putOpt("sampling", sampling?.toJson())
        .put("context_used", contextUsed)
        .toString()

    companion object {
        fun fromJson(text: String): Transcript {
            val json = JSONObject(text)
            val turns = json.getJSONArray("turns")
            return Transcript(
                model = json.getString("model"),
                turns = (0 until turns.length()).map { turn(turns.getJSONObject(it)) },
                sampling = json.optJSONObject("sampling")?.let(::sampling),
                contextUsed = json.getInt("context_used"),
            )
        }
    }
}

private fun messages(turns: List<Turn>) = turns.filter { it.answer.isNotEmpty() }
    .flatMap { listOf(it.results ?: Message(Role.USER, it.prompt), Message(Role.MODEL, it.answer)) }

private fun Turn.toJson() = JSONObject()
    .put("prompt", prompt)
    .put("answer", answer)
    .putOpt("stats", (ending as? Ending.Finished)?.stats?.toJson())
    .putOpt("settled", settled.takeIf { it.isNotEmpty() }?.toJson())
    .putOpt("results", results?.let { JSONObject().put("role", it.role.name).put("text", it.text) })

/** An answer that was cut off when the process died counts as stopped, as does a failed one: its reason was of then. */
private fun turn(json: JSONObject) = Turn(
    prompt = json.getString("prompt"),
    answer = json.getString("answer"),
    ending = json.optJSONObject("stats")?.let { Ending.Finished(stats(it)) } ?: Ending.Stopped,
    settled = json.optJSONArray("settled")?.let(::settledFrom).orEmpty(),
    results = json.optJSONObject("results")?.let { Message(Role.valueOf(it.getString("role")), it.getString("text")) },
)

private fun TurnStats.toJson() = JSONObject()
    .put("prompt_tokens", promptTokens)
    .put("generated_tokens", generatedTokens)
    .put("ttft", timeToFirstToken)
    .put("prefill_tps", prefillSpeed)
    .put("decode_tps", decodeSpeed)
    .put("stop_reason", stopReason.name)

private fun stats(json: JSONObject) = TurnStats(
    promptTokens = json.getInt("prompt_tokens"),
    generatedTokens = json.getInt("generated_tokens"),
    timeToFirstToken = json.getDouble("ttft"),
    prefillSpeed = json.getDouble("prefill_tps"),
    decodeSpeed = json.getDouble("decode_tps"),
    stopReason = StopReason.valueOf(json.getString("stop_reason")),
)

private fun Sampling.toJson() = when (this) {
    Sampling.Greedy -> JSONObject().put("kind", "greedy")
    is Sampling.TopP -> JSONObject()
        .put("kind", "top_p")
        .put("temperature", temperature.toDouble())
        .put("top_k", topK)
        .put("top_p", topP.toDouble())
        .putOpt("seed", seed)
}

private fun sampling(json: JSONObject): Sampling = when (json.getString("kind")) {
    "greedy" -> Sampling.Greedy
    else -> Sampling.TopP(
        temperature = json.getDouble("temperature").toFloat(),
        topK = json.getInt("top_k"),
        topP = json.getDouble("top_p").toFloat(),
        seed = if (json.has("seed")) json.getInt("seed") else null,
    )
}
