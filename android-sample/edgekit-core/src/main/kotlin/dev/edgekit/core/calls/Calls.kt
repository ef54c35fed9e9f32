package dev.edgekit.core.calls

import dev.edgekit.core.bundle.Dialect
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/**
 * What a model asks the app for.
 *
 * @property arguments texts, numbers, booleans, lists and objects as JSON has them
 */
public data class Call(val name: String, val arguments: Map<String, Any>)

/**
 * An answer of a model that may call.
 *
 * @property text what it says besides
 * @property problem what is wrong with a call that cannot be read; then there are none
 */
public data class Said(val calls: List<Call>, val text: String, val problem: String? = null)

/** Reads an answer that has ended. */
internal fun readCalls(text: String, dialect: Dialect): Said = try {
    when (dialect) {
        Dialect.FUNCTION_GEMMA -> readFunctionGemma(text)
        Dialect.JSON -> readJsonCalls(text)
    }
} catch (malformed: MalformedCall) {
    Said(emptyList(), text, malformed.message)
}

/** Whether an answer that streams is on the way to a call. */
internal fun looksLikeCall(text: String): Boolean = text.trimStart().firstOrNull() in listOf('{', '[', '<')

internal class MalformedCall(message: String) : Exception(message)

/** `{"name": …, "arguments": {…}}`, a list of such, alone or fenced; other JSON is an answer in words. */
private fun readJsonCalls(text: String): Said {
    val trimmed = text.trim()
    val inner = FENCED.matchEntire(trimmed)?.groupValues?.get(1) ?: trimmed
    if (inner.firstOrNull() !in listOf('{', '[')) return Said(emptyList(), trimmed)
    return try {
        val calls = when (val value = wholeValue(inner)) {
            is JSONObject -> listOf(callOf(value))
            is JSONArray -> List(value.length()) { callOf(value.get(it)) }
            else -> throw MalformedCall("not a call")
        }
        Said(calls, if (calls.isEmpty()) trimmed else "")
    } catch (other: MalformedCall) {
        if ("\"name\"" in inner && "\"arguments\"" in inner) throw other
        Said(emptyList(), trimmed)
    }
}

private val FENCED = Regex("""```(?:json|tool_call)?\s*(.*?)\s*```""", RegexOption.DOT_MATCHES_ALL)

private fun wholeValue(text: String): Any = try {
    val tokens = JSONTokener(text)
    val value = tokens.nextValue()
    if (tokens.nextClean() != '\u0000') throw MalformedCall("something follows the call")
    value
} catch (broken: JSONException) {
    throw MalformedCall("not valid JSON: ${broken.message}")
} catch (deep: StackOverflowError) {
    throw MalformedCall("nested too deeply")
}

private fun callOf(value: Any): Call {
    val json = value as? JSONObject ?: throw MalformedCall("a call is an object")
    val name = json.opt("name") as? String ?: throw MalformedCall("a call has no name")
    val arguments = json.opt("arguments") as? JSONObject ?: throw MalformedCall("the arguments of $name are no object")
    return Call(name, plain(arguments))
}

/** Without what is null: it says no more than what is missing. */
private fun plain(json: JSONObject): Map<String, Any> =
    json.keys().asSequence().filterNot(json::isNull).associateWith { plainValue(json.get(it)) }

internal fun plainValue(value: Any): Any = when (value) {
    is JSONObject -> plain(value)
    is JSONArray -> List(value.length()) { plainValue(value.get(it)) }
    else -> value
}

/** Back into JSON. */
internal fun jsonOf(value: Any): Any = when (value) {
    is Map<*, *> -> JSONObject().apply { value.forEach { (key, inner) -> put(key as String, jsonOf(inner!!)) } }
    is List<*> -> JSONArray(value.map { jsonOf(it!!) })
    else -> value
}
