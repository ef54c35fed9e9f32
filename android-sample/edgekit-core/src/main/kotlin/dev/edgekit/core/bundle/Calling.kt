package dev.edgekit.core.bundle

import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.calls.Parameter
import dev.edgekit.core.calls.ParameterKind
import dev.edgekit.core.calls.Tool

/** How a model writes calls. */
@InternalEdgekitApi
public enum class Dialect(internal val key: String) { FUNCTION_GEMMA("function_gemma"), JSON("json") }

/** Whether an answer may be a call, must be one, or must not. */
@InternalEdgekitApi
public enum class CallChoice(internal val key: String) { AUTO("auto"), REQUIRED("required"), NONE("none") }

/**
 * What a model can ask the app for.
 *
 * @property role of the first message, which carries the tools
 * @property system what stands in it before the tools, unless a task has a text of its own
 * @property declarations the tools as the model was trained to read them; empty where it was trained without
 * @property format a pattern that every answer is held to; null for none
 */
@InternalEdgekitApi
public data class Calling(
    val dialect: Dialect,
    val choice: CallChoice,
    val tools: List<Tool>,
    val role: String,
    val system: String,
    val declarations: String,
    val format: String?,
)

private val FIRST_ROLES = listOf("developer", "system")

private val TOOL_NAME = Regex("""[A-Za-z_][A-Za-z0-9_.\-]*""")

/** Descriptions of Mobile Actions say so, where other schemas have a format. */
private val DATE_TIME = Regex("""YYYY-MM-DDT?.?HH:MM""", RegexOption.IGNORE_CASE)

internal fun calling(json: StrictObject): Calling {
    val tools = json.objects("tools").map(::tool)
    if (tools.isEmpty()) json.wrong("tools", "a list of at least one tool")
    if (tools.distinctBy { it.name }.size < tools.size) json.wrong("tools", "a list of tools with different names")
    return Calling(
        dialect = json.oneOf("dialect", Dialect.entries) { it.key },
        choice = json.oneOf("choice", CallChoice.entries) { it.key },
        tools = tools,
        role = json.oneOf("role", FIRST_ROLES) { it },
        system = json.text("system"),
        declarations = json.text("declarations"),
        format = json.textOrNull("format"),
    )
}

private fun tool(json: StrictObject): Tool {
    val schema = json.at("parameters")
    val required = schema.texts("required")
    val properties = schema.atOrNull("properties")
    return Tool(
        name = json.text("name").also { if (!TOOL_NAME.matches(it)) json.wrong("name", "a name of letters, digits and _") },
        description = json.textOrNull("description").orEmpty(),
        parameters = properties?.keys().orEmpty().map { parameter(it, properties!!.at(it), required) },
    )
}

private fun parameter(name: String, json: StrictObject, required: List<String>): Parameter {
    val description = json.textOrNull("description").orEmpty()
    return Parameter(name, description, kind(json, description), name in required)
}

private fun kind(json: StrictObject, description: String): ParameterKind {
    val type = json.typeOrNull("type")
    return when {
        json.has("enum") && type in listOf(null, "string") -> ParameterKind.Choice(json.texts("enum"))
        type == "string" -> if (isDateTime(json, description)) ParameterKind.DateTime else ParameterKind.Text
        type == "integer" || type == "number" ->
            ParameterKind.Number(type == "integer", json.numberOrNull("minimum"), json.numberOrNull("maximum"))
        type == "boolean" -> ParameterKind.Flag
        else -> ParameterKind.Json
    }
}

private fun isDateTime(json: StrictObject, description: String) =
    json.textOrNull("format") == "date-time" || DATE_TIME.containsMatchIn(description)

private fun <T> StrictObject.oneOf(key: String, values: List<T>, name: (T) -> String): T =
    text(key).let { said -> values.find { name(it) == said } } ?: wrong(key, values.joinToString(" or ", transform = name))
