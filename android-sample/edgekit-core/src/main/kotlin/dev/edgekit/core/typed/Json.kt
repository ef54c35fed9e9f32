package dev.edgekit.core.typed

/**
 * Reads JSON into maps, lists, texts, Longs, Doubles, booleans and null.
 *
 * Throws IllegalArgumentException for what is no JSON value, or is followed by something else.
 */
public fun wholeJson(text: String): Any? = JsonReader(text).whole()

/** The fields of a JSON object that is still being written: those that are whole. */
public fun partialJson(text: String): Map<String, Any?> = JsonReader(text).fields()

private class JsonReader(private val text: String) {
    private var at = 0

    fun whole(): Any? {
        val value = value(0)
        space()
        require(at == text.length) { "something follows the JSON at $at" }
        return value
    }

    fun fields(): Map<String, Any?> {
        val found = LinkedHashMap<String, Any?>()
        try {
            space()
            if (at < text.length && text[at] == '{') values(found, 0)
        } catch (_: IllegalArgumentException) {
            // It ends in the middle; what was whole before is there.
        }
        return found
    }

    private fun value(depth: Int): Any? {
        require(depth < DEEPEST) { "the JSON is nested too deeply" }
        space()
        return when (val first = peek()) {
            '{' -> LinkedHashMap<String, Any?>().also { values(it, depth) }
            '[' -> list(depth)
            '"' -> quoted()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> if (first == '-' || first in '0'..'9') number() else throw unexpected()
        }
    }

    private fun values(into: MutableMap<String, Any?>, depth: Int) {
        at++
        space()
        if (takes('}')) return
        do {
            space()
            if (peek() != '"') throw unexpected()
            val key = quoted()
            space()
            if (!takes(':')) throw unexpected()
            val value = value(depth + 1)
            space()
            // A number may go on as long as nothing follows it.
            if (peek() != ',' && peek() != '}') throw unexpected()
            into[key] = value
        } while (takes(','))
        takes('}')
    }

    private fun list(depth: Int): List<Any?> {
        at++
        space()
        val found = ArrayList<Any?>()
        if (takes(']')) return found
        do {
            found += value(depth + 1)
            space()
        } while (takes(','))
        if (!takes(']')) throw unexpected()
        return found
    }

    private fun quoted(): String {
        at++
        val found = StringBuilder()
        while (true) {
            when (val letter = next()) {
                '"' -> return found.toString()
                '\\' -> found.append(escaped())
                else -> if (letter < ' ') throw unexpected() else found.append(letter)
            }
        }
    }

    private fun escaped(): Char = when (val letter = next()) {
        '"', '\\', '/' -> letter
        'b' -> '\b'
        'f' -> '\u000c'
        'n' -> '\n'
        'r' -> '\r'
        't' -> '\t'
        'u' -> String(CharArray(4) { next() }).toIntOrNull(16)?.toChar() ?: throw unexpected()
        else -> throw unexpected()
    }

    private fun number(): Any {
        val written = NUMBER.matchAt(text, at)?.value ?: throw unexpected()
        at += written.length
        return written.toLongOrNull() ?: written.toDouble()
    }

    private fun <T> word(written: String, value: T): T {
        for (letter in written) if (next() != letter) throw unexpected()
        return value
    }

    private fun space() {
        while (at < text.length && text[at] in " \t\n\r") at++
    }

    private fun peek(): Char = if (at < text.length) text[at] else throw IllegalArgumentException("the JSON is cut short")

    private fun next(): Char = peek().also { at++ }

    private fun takes(letter: Char): Boolean = (peek() == letter).also { if (it) at++ }

    private fun unexpected() = IllegalArgumentException("no JSON at $at")

    private companion object {
        const val DEEPEST = 64
        val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
    }
}
