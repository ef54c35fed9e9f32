package dev.edgekit.core.calls

import java.time.DateTimeException
import java.time.LocalDateTime
import java.time.OffsetDateTime
import java.time.ZoneId
import java.time.temporal.ChronoUnit
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/**
 * An argument as its user edits it.
 *
 * @property text what stands in its field; empty leaves the argument out
 */
public data class Slot(val parameter: Parameter, val text: String) {
    val problem: SlotProblem?
        get() = when {
            text.isBlank() -> SlotProblem.MISSING.takeIf { parameter.required }
            valueOf(this) == null -> problemOf(parameter.kind)
            else -> null
        }
}

public enum class SlotProblem { MISSING, NO_NUMBER, OUT_OF_RANGE, NO_CHOICE, NO_DATE, NO_JSON }

/** A call of a known tool: a slot for each parameter, in the tool's order. [extra] are arguments that the tool does not have. */
public data class Filled(val tool: Tool, val slots: List<Slot>, val extra: List<String>) {
    val isReady: Boolean get() = slots.all { it.problem == null }

    /** The call as it was edited. */
    public fun call(): Call = Call(tool.name, slots.mapNotNull { slot -> valueOf(slot)?.let { slot.parameter.name to it } }.toMap())

    public fun with(name: String, text: String): Filled =
        copy(slots = slots.map { if (it.parameter.name == name) it.copy(text = text) else it })
}

/** Null for a call of a tool that there is not. */
public fun fill(call: Call, tools: List<Tool>): Filled? {
    val tool = tools.find { it.name == call.name } ?: return null
    val slots = tool.parameters.map { Slot(it, call.arguments[it.name]?.let { value -> written(value, it.kind) }.orEmpty()) }
    return Filled(tool, slots, call.arguments.keys.filter { name -> tool.parameters.none { it.name == name } })
}

/** The moment of a text such as `2026-03-05T10:00:00`; one with a time zone is moved to the phone's. */
public fun momentOf(text: String): LocalDateTime? {
    val iso = text.trim().replace(' ', 'T').let { if ('T' in it) it else "${it}T00:00" }
    return try {
        LocalDateTime.parse(iso)
    } catch (_: DateTimeException) {
        try {
            OffsetDateTime.parse(iso).atZoneSameInstant(ZoneId.systemDefault()).toLocalDateTime()
        } catch (_: DateTimeException) {
            null
        }
    }
}

/** As the tools take a moment: to the second, always with its seconds. */
public fun isoOf(moment: LocalDateTime): String = moment.truncatedTo(ChronoUnit.SECONDS).toString().let { if (it.length == SHORT) "$it:00" else it }

/** `2026-03-05T10:00`. */
private const val SHORT = 16

private fun written(value: Any, kind: ParameterKind): String = when {
    kind == ParameterKind.DateTime -> value.toString().let { said -> momentOf(said)?.let(::isoOf) ?: said }
    kind is ParameterKind.Number && kind.whole && value is Double && value == Math.rint(value) -> value.toLong().toString()
    else -> jsonOf(value).toString()
}

/** Null when a slot's text is no value of its kind. */
private fun valueOf(slot: Slot): Any? {
    val text = slot.text.trim()
    if (text.isEmpty()) return null
    return when (val kind = slot.parameter.kind) {
        ParameterKind.Text -> text
        ParameterKind.DateTime -> momentOf(text)?.let(::isoOf)
        is ParameterKind.Number -> number(text, kind)
        ParameterKind.Flag -> text.toBooleanStrictOrNull()
        is ParameterKind.Choice -> text.takeIf { it in kind.values }
        ParameterKind.Json -> json(text)
    }
}

private fun number(text: String, kind: ParameterKind.Number): Any? {
    val value: Number = (if (kind.whole) text.toLongOrNull() else text.replace(',', '.').toDoubleOrNull()) ?: return null
    val fits = value.toDouble() >= (kind.minimum ?: -Double.MAX_VALUE) && value.toDouble() <= (kind.maximum ?: Double.MAX_VALUE)
    return value.takeIf { fits }
}

private fun json(text: String): Any? = try {
    JSONTokener(text).nextValue().takeIf { it is JSONObject || it is JSONArray }?.let(::plainValue)
} catch (_: JSONException) {
    null
}

private fun Slot.problemOf(kind: ParameterKind): SlotProblem = when (kind) {
    is ParameterKind.Number -> if (number(text.trim(), kind.copy(minimum = null, maximum = null)) == null) SlotProblem.NO_NUMBER else SlotProblem.OUT_OF_RANGE
    ParameterKind.DateTime -> SlotProblem.NO_DATE
    ParameterKind.Json -> SlotProblem.NO_JSON
    else -> SlotProblem.NO_CHOICE
}
