package dev.edgekit.core.answers

import org.json.JSONException
import org.json.JSONObject
import org.json.JSONTokener

/**
 * A JSON object as far as it has come.
 *
 * @property isWhole it has ended
 * @property inString its last value is a text that has not ended
 */
internal class PartialObject(val value: JSONObject, val isWhole: Boolean, val inString: Boolean)

/** Reads what a text that begins with an object says so far; null for another text. */
internal fun partialObject(text: String): PartialObject? {
    if (text.trimStart().firstOrNull() != '{') return null
    val scan = Scan(text)
    return try {
        val value = JSONTokener(scan.closed()).nextValue() as? JSONObject ?: return null
        PartialObject(value, scan.isWhole, scan.inString)
    } catch (_: JSONException) {
        null
    }
}

/** Goes through JSON once, and remembers the last place at which it could have ended. */
private class Scan(private val text: String) {
    private val open = ArrayDeque<Char>()
    private var at = 0
    private var expectsValue = true

    /** What stands before, closed by [closers], is JSON. */
    private var safeEnd = 0
    private var closers = ""
    var inString = false
        private set
    var isWhole = false
        private set

    fun closed(): String {
        while (at < text.length && !isWhole && step()) continue
        if (isWhole && text.substring(at).isNotBlank()) throw JSONException("something follows")
        return text.substring(0, safeEnd) + closers
    }

    /** False where the text breaks off within something. */
    private fun step(): Boolean {
        when (val char = text[at]) {
            '{', '[' -> {
                if (open.size >= DEEPEST) throw JSONException("nested too deeply")
                open.addLast(char)
                expectsValue = char == '['
                at++
                safe()
            }
            '}', ']' -> {
                open.removeLastOrNull()
                at++
                safe()
                isWhole = open.isEmpty()
            }
            '"' -> return string()
            ':' -> skip(nextIsValue = true)
            ',' -> skip(nextIsValue = open.lastOrNull() == '[')
            else -> if (char.isWhitespace()) at++ else return word()
        }
        return true
    }

    private fun skip(nextIsValue: Boolean) {
        expectsValue = nextIsValue
        at++
    }

    private fun safe(suffix: String = "") {
        safeEnd = at
        closers = suffix + open.asReversed().joinToString("") { if (it == '{') "}" else "]" }
    }

    private fun string(): Boolean {
        var end = at + 1
        while (end < text.length && text[end] != '"') {
            val length = if (text[end] != '\\') 1 else if (text.getOrNull(end + 1) == 'u') UNICODE_ESCAPE else 2
            if (end + length > text.length) break
            end += length
        }
        val ended = text.getOrNull(end) == '"'
        val isValue = expectsValue
        at = if (ended) end + 1 else end
        if (isValue) safe(if (ended) "" else "\"")
        if (!ended) inString = isValue
        return ended
    }

    /** A number may go on as long as nothing follows it. */
    private fun word(): Boolean {
        while (at < text.length && text[at] !in ",]}" && !text[at].isWhitespace()) at++
        if (at < text.length && expectsValue) safe()
        return at < text.length
    }

    private companion object {
        /** Of a backslash, `u` and four digits. */
        const val UNICODE_ESCAPE = 6
        const val DEEPEST = 64
    }
}
