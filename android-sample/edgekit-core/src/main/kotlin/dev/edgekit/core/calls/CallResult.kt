package dev.edgekit.core.calls

import dev.edgekit.core.Message
import dev.edgekit.core.Role
import dev.edgekit.core.bundle.Dialect
import org.json.JSONObject

/**
 * What came of a call.
 *
 * @property name of the tool
 * @property values texts, numbers, booleans, null, lists and maps of such
 */
public class CallResult(public val name: String, public val values: Map<String, Any?>)

/** Results as the model was trained to read them: in its own turn, or as a message of its user. As `edgekit.calling` writes them. */
internal fun resultMessage(results: List<CallResult>, dialect: Dialect): Message = when (dialect) {
    Dialect.FUNCTION_GEMMA -> Message(Role.TOOL, results.joinToString("", transform = ::gemmaResult))
    Dialect.JSON -> Message(Role.USER, results.joinToString("\n") { json(mapOf("name" to it.name, "result" to it.values)) })
}

private fun gemmaResult(result: CallResult) =
    "<start_function_response>response:${result.name}${gemma(result.values)}<end_function_response>"

/** By the keys' alphabet, as the template sorts them. */
private fun gemma(value: Any?): String = when (value) {
    is String -> "<escape>$value<escape>"
    is Map<*, *> -> value.entries.sortedBy { it.key.toString().lowercase() }.joinToString(",", "{", "}") { (key, inner) -> "$key:${gemma(inner)}" }
    is Iterable<*> -> value.joinToString(",", "[", "]", transform = ::gemma)
    else -> scalar(value)
}

/** With the spaces that Python's json writes, as the training data has them. */
private fun json(value: Any?): String = when (value) {
    is String -> quoted(value)
    is Map<*, *> -> value.entries.joinToString(", ", "{", "}") { (key, inner) -> "${quoted(key.toString())}: ${json(inner)}" }
    is Iterable<*> -> value.joinToString(", ", "[", "]", transform = ::json)
    else -> scalar(value)
}

private fun scalar(value: Any?): String = when (value) {
    null, is Boolean, is Number -> value.toString()
    else -> throw IllegalArgumentException("a result holds texts, numbers, booleans, lists and maps, not ${value::class.java.name}")
}

/** Android's own escapes a slash as well, which Python does not. */
private fun quoted(text: String): String = JSONObject.quote(text).replace("\\/", "/")
