package dev.edgekit.core.answers

import dev.edgekit.core.AnswerFormat
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

    /**
     * @property action the button, null when no rule of the bundle holds
     * @property sentence all of it in one line; null where no such line can be made
     */
    public data class Card(val fields: List<Field>, val action: Action?, val sentence: String? = null) : Answer

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
 * @property isComing [value] is what there is of it so far, empty for nothing
 */
public data class Field(val name: String, val value: String?, val depth: Int = 0, val isComing: Boolean = false)

/** Intents of other kinds could reach any app with data that a model made up. */
public const val ALLOWED_INTENTS: String = "android.settings."

/** Reads the answers of a task; a JSON object is a card from its first token on, which fills. */
internal class AnswerReader(private val format: AnswerFormat?, private val actions: List<Action>) {
    private val labels = Labels.of((format as? AnswerFormat.JsonSchema)?.schema)

    /** [ended] is false while more text may follow. */
    fun read(text: String, ended: Boolean): Answer = when (format) {
        null -> Answer.Plain(text)
        is AnswerFormat.Regex -> if (ended) Answer.Label(text.trim()) else Answer.Plain(text)
        is AnswerFormat.JsonSchema -> if (ended) whole(text) else partial(text)
    }

    private fun whole(text: String): Answer = when (val value = wholeJson(text)) {
        null -> Answer.Plain(text)
        is JSONObject -> card(value)
        is JSONArray -> Answer.Card(items(value, labels.items), null)
        else -> Answer.Label(labels.shown(value))
    }

    private fun partial(text: String): Answer {
        val begun = partialObject(text) ?: return Answer.Unfinished(text)
        if (begun.isWhole) return card(begun.value)
        val there = fields(begun.value, labels)
        val last = if (begun.inString) listOfNotNull(there.lastOrNull()?.let { coming(it, begun.value) }) else emptyList()
        val missing = labels.required.filterNot(begun.value::has).map { Field(labels.nameOf(it), "", isComing = true) }
        return Answer.Card(there.dropLast(last.size) + last + missing, null, labels.sentence(begun.value).takeIf { !begun.inString })
    }

    /** The last value, whose text has not ended: one of a few is not shown before it is clear which. */
    private fun coming(field: Field, value: JSONObject): Field {
        val key = value.keys().asSequence().last()
        val choices = labels.property(key)
        val text = if (choices.isChoice) (value.opt(key) as? String)?.let(choices::onlyChoice)?.let(choices::shown).orEmpty() else field.value
        return field.copy(value = text, isComing = true)
    }

    private fun card(value: JSONObject) = Answer.Card(fields(value, labels), actions.firstOrNull { it.holds(value) }, labels.sentence(value))
}

/** Reads an answer of a model that may call; [settled] are the calls that were decided on. */
internal fun readCallingAnswer(text: String, calling: Calling, settled: Map<Int, Settled>, ended: Boolean): Answer {
    // Half a call is nothing to read.
    if (!ended) return if (looksLikeCall(text)) Answer.Unfinished("") else Answer.Plain(text)
    val said = readCalls(text, calling.dialect)
    return when {
        said.problem != null -> Answer.Garbled(text, said.problem)
        said.calls.isEmpty() -> Answer.Plain(said.text)
        else -> Answer.Calls(ask(said, calling, settled), said.text)
    }
}

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

private fun fields(value: JSONObject, labels: Labels, depth: Int = 0): List<Field> =
    value.keys().asSequence().toList().flatMap { lines(labels.nameOf(it), value.get(it), labels.property(it), depth) }

private fun items(value: JSONArray, labels: Labels, depth: Int = 0): List<Field> =
    (0 until value.length()).flatMap { lines("${it + 1}", value.get(it), labels, depth) }

private fun lines(name: String, value: Any, labels: Labels, depth: Int): List<Field> = when {
    value is JSONObject -> listOf(Field(name, null, depth)) + fields(value, labels, depth + 1)
    value is JSONArray && value.holdsObjects() -> listOf(Field(name, null, depth)) + items(value, labels.items, depth + 1)
    value is JSONArray -> listOf(Field(name, (0 until value.length()).joinToString { labels.items.shown(value.get(it)) }, depth))
    else -> listOf(Field(name, labels.shown(value), depth))
}

private fun JSONArray.holdsObjects() = (0 until length()).any { get(it) is JSONObject || get(it) is JSONArray }

/** `screen_timeout` as "Screen timeout". */
public fun readable(key: String): String = key.replace('_', ' ').trim().replaceFirstChar { it.titlecase() }

private fun Action.holds(answer: JSONObject) =
    intent.startsWith(ALLOWED_INTENTS) && fields.all { (name, text) -> answer.opt(name)?.toString() == text }
