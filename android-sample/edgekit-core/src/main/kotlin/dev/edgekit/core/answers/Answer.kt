package dev.edgekit.core.answers

import dev.edgekit.core.AnswerFormat
import dev.edgekit.core.InternalEdgekitApi
import dev.edgekit.core.bundle.Calling
import dev.edgekit.core.calls.Asked
import dev.edgekit.core.calls.Settled
import dev.edgekit.core.calls.ask
import dev.edgekit.core.calls.looksLikeCall
import dev.edgekit.core.calls.readCalls
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/** Starts an activity with the action [intent] when every field of [fields] has that text in the answer. */
public data class Action(val fields: Map<String, String>, val intent: String)

/** An answer as it is shown. */
public sealed interface Answer {
    public data class Plain(val text: String) : Answer

    /** JSON that is not whole yet. */
    public data class Unfinished(val text: String) : Answer

    public data class Label(val text: String) : Answer

    /** @property action the button, null when no rule of the bundle holds */
    public data class Card(val fields: List<Field>, val action: Action?) : Answer

    /** @property text what the model says besides */
    public data class Calls(val asked: List<Asked>, val text: String) : Answer

    /** A call that cannot be read; [problem] says why, in English. */
    public data class Garbled(val text: String, val problem: String) : Answer
}

/**
 * A line of a card.
 *
 * @property name as a person writes it
 * @property value null for the heading of an object inside the answer
 * @property depth how many objects it lies inside
 */
public data class Field(val name: String, val value: String?, val depth: Int = 0)

/** Intents of other kinds could reach any app with data that a model made up. */
public const val ALLOWED_INTENTS: String = "android.settings."

/** Reads an answer in the format that it was asked for. [ended] is false while more text may follow. */
@InternalEdgekitApi
public fun readAnswer(text: String, format: AnswerFormat?, actions: List<Action>, ended: Boolean): Answer = when (format) {
    null -> Answer.Plain(text)
    is AnswerFormat.Regex -> if (ended) Answer.Label(text.trim()) else Answer.Plain(text)
    is AnswerFormat.JsonSchema -> when (val value = if (ended || mayBeWhole(text)) wholeJson(text) else null) {
        null -> if (ended) Answer.Plain(text) else Answer.Unfinished(text)
        is JSONObject -> Answer.Card(fields(value), actions.firstOrNull { it.holds(value) })
        is JSONArray -> Answer.Card(items(value), null)
        // A number may go on.
        else -> if (ended) Answer.Label(value.toString()) else Answer.Unfinished(text)
    }
}

/** Reads an answer of a model that may call; [settled] are the calls that were decided on. */
@InternalEdgekitApi
public fun readCallingAnswer(text: String, calling: Calling, settled: Map<Int, Settled>, ended: Boolean): Answer {
    // Half a call is nothing to read.
    if (!ended) return if (looksLikeCall(text)) Answer.Unfinished("") else Answer.Plain(text)
    val said = readCalls(text, calling.dialect)
    return when {
        said.problem != null -> Answer.Garbled(text, said.problem)
        said.calls.isEmpty() -> Answer.Plain(said.text)
        else -> Answer.Calls(ask(said, calling, settled), said.text)
    }
}

/** Half an object is not parsed at every token to find that out. */
private fun mayBeWhole(text: String) = text.trimEnd().lastOrNull().let { it != null && it in "}]" } || text.trimStart().firstOrNull() !in listOf('{', '[')

/** The value that a text consists of, null when it is cut short or followed by something else. */
private fun wholeJson(text: String): Any? = try {
    val tokens = JSONTokener(text)
    tokens.nextValue().takeIf { it != JSONObject.NULL && tokens.nextClean() == END && startsLikeJson(text, it) }
} catch (_: JSONException) {
    null
}

/** JSONTokener takes a bare word for a string. */
private fun startsLikeJson(text: String, value: Any) = value !is String || text.trimStart().startsWith('"')

private const val END = '\u0000'

private fun fields(value: JSONObject, depth: Int = 0): List<Field> =
    value.keys().asSequence().toList().flatMap { lines(it, value.get(it), depth) }

private fun items(value: JSONArray, depth: Int = 0): List<Field> =
    (0 until value.length()).flatMap { lines("${it + 1}", value.get(it), depth) }

private fun lines(key: String, value: Any, depth: Int): List<Field> {
    val name = readable(key)
    return when {
        value is JSONObject -> listOf(Field(name, null, depth)) + fields(value, depth + 1)
        value is JSONArray && value.holdsObjects() -> listOf(Field(name, null, depth)) + items(value, depth + 1)
        value is JSONArray -> listOf(Field(name, (0 until value.length()).joinToString { shown(value.get(it)) }, depth))
        else -> listOf(Field(name, shown(value), depth))
    }
}

private fun JSONArray.holdsObjects() = (0 until length()).any { get(it) is JSONObject || get(it) is JSONArray }

private fun shown(value: Any) = if (value == JSONObject.NULL) "–" else value.toString()

/** `screen_timeout` as "Screen timeout". */
public fun readable(key: String): String = key.replace('_', ' ').trim().replaceFirstChar { it.titlecase() }

private fun Action.holds(answer: JSONObject) =
    intent.startsWith(ALLOWED_INTENTS) && fields.all { (name, text) -> answer.opt(name)?.toString() == text }
