package dev.edgekit.sample.tasks

import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.Figures
import dev.edgekit.core.Finish
import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.Sampling
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.settledFrom
import dev.edgekit.core.calls.toJson
import org.json.JSONArray
import org.json.JSONObject

/**
 * A prompt and its answer.
 *
 * @property prompt null where the model was told what came of its calls
 * @property ending null while the answer streams
 * @property settled what became of the calls in the answer, by their places
 */
data class Turn(
    val prompt: String?,
    val answer: String = "",
    val ending: Ending? = null,
    val settled: Map<Int, Settled> = emptyMap(),
)

sealed interface Ending {
    data class Finished(val finish: Finish, val figures: Figures) : Ending

    data object Stopped : Ending

    data class Failed(val failure: EdgekitFailure) : Ending
}

/**
 * All of a conversation that outlives the process.
 *
 * @property model what it was held with; another model does not take it up
 * @property sampling null takes the model file's own
 * @property contextUsed tokens of the context that were taken at the end of the last turn
 * @property history of the session: what the model saw of it
 */
data class Transcript(
    val model: String,
    val turns: List<Turn> = emptyList(),
    val sampling: Sampling? = null,
    val contextUsed: Int = 0,
    val history: List<Message> = emptyList(),
) {
    fun toJson(): String = JSONObject()
        .put("model", model)
        .put("turns", JSONArray(turns.map { it.toJson() }))
        .putOpt("sampling", sampling?.toJson())
        .put("context_used", contextUsed)
        .put("history", JSONArray(history.map { JSONObject().put("role", it.role.name).put("text", it.text) }))
        .toString()

    companion object {
        fun fromJson(text: String): Transcript {
            val json = JSONObject(text)
            return Transcript(
                model = json.getString("model"),
                turns = json.getJSONArray("turns").objects().map(::turn),
                sampling = json.optJSONObject("sampling")?.let(::sampling),
                contextUsed = json.getInt("context_used"),
                history = json.getJSONArray("history").objects().map { Message(Role.valueOf(it.getString("role")), it.getString("text")) },
            )
        }
    }
}

private fun JSONArray.objects() = List(length()) { getJSONObject(it) }

private fun Turn.toJson() = JSONObject()
    .putOpt("prompt", prompt)
    .put("answer", answer)
    .putOpt("finished", (ending as? Ending.Finished)?.toJson())
    .putOpt("settled", settled.takeIf { it.isNotEmpty() }?.toJson())

/** An answer that was cut off when the process died counts as stopped, as does a failed one: its reason was of then. */
private fun turn(json: JSONObject) = Turn(
    prompt = if (json.has("prompt")) json.getString("prompt") else null,
    answer = json.getString("answer"),
    ending = json.optJSONObject("finished")?.let(::finished) ?: Ending.Stopped,
    settled = json.optJSONArray("settled")?.let(::settledFrom).orEmpty(),
)

private fun Ending.Finished.toJson() = JSONObject()
    .put("finish", finish.name)
    .put("prompt_tokens", figures.promptTokens)
    .put("answer_tokens", figures.answerTokens)
    .put("ttft", figures.timeToFirstToken)
    .put("prefill_tps", figures.prefillSpeed)
    .put("decode_tps", figures.decodeSpeed)

private fun finished(json: JSONObject) = Ending.Finished(
    Finish.valueOf(json.getString("finish")),
    Figures(
        promptTokens = json.getInt("prompt_tokens"),
        answerTokens = json.getInt("answer_tokens"),
        timeToFirstToken = json.getDouble("ttft"),
        prefillSpeed = json.getDouble("prefill_tps"),
        decodeSpeed = json.getDouble("decode_tps"),
    ),
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
