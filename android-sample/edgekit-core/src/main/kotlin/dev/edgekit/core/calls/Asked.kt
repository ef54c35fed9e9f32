package dev.edgekit.core.calls

import dev.edgekit.core.bundle.Calling
import org.json.JSONArray
import org.json.JSONObject

/** A call that was decided on, with its arguments as they were at the end. */
public data class Settled(val call: Call, val outcome: Outcome)

/**
 * A call as it is shown.
 *
 * @property filled null for a tool that there is not
 * @property settled null while nothing was decided
 */
public data class Asked(val call: Call, val filled: Filled?, val settled: Settled?)

/** What a model asks for in an answer, in the answer's order. [settled] by the calls' places. */
internal fun ask(said: Said, calling: Calling, settled: Map<Int, Settled>): List<Asked> = said.calls.mapIndexed { index, call ->
    val done = settled[index]
    Asked(call, fill(done?.call ?: call, calling.tools), done)
}

/**
 * What [dev.edgekit.core.Session.results] tells the model of an answer's calls; null while one was not decided on. A tool
 * that there is not is answered at once.
 */
public fun resultsOf(asked: List<Asked>): List<CallResult>? = asked.map { (call, filled, settled) ->
    CallResult(call.name, if (filled == null) error("there is no such tool") else resultOf(settled ?: return null))
}

/** What the model is told of a call: words without quotes, by their keys in the order of the alphabet. */
private fun resultOf(settled: Settled): Map<String, String> = when (settled.outcome) {
    Outcome.DONE -> mapOf("status" to "done")
    Outcome.HANDED_OVER -> mapOf("status" to "opened")
    Outcome.SKIPPED -> mapOf("status" to "declined")
    Outcome.NO_APP -> error("no app on this phone can do it")
    Outcome.UNAVAILABLE -> error("the phone cannot do it")
    Outcome.FORBIDDEN -> error("the system does not allow it")
}

private fun error(reason: String) = mapOf("reason" to reason, "status" to "error")

/** What was decided on, by the calls' places, for an app that keeps it; [settledFrom] reads it. */
public fun Map<Int, Settled>.toJson(): JSONArray = JSONArray(
    entries.map { (index, settled) ->
        JSONObject()
            .put("index", index)
            .put("name", settled.call.name)
            .put("arguments", jsonOf(settled.call.arguments))
            .put("outcome", settled.outcome.name)
    },
)

/** What [toJson] wrote. */
public fun settledFrom(json: JSONArray): Map<Int, Settled> = (0 until json.length()).map(json::getJSONObject).associate {
    @Suppress("UNCHECKED_CAST")
    val arguments = plainValue(it.getJSONObject("arguments")) as Map<String, Any>
    it.getInt("index") to Settled(Call(it.getString("name"), arguments), Outcome.valueOf(it.getString("outcome")))
}
