package dev.edgekit.core.calls


private const val BEGIN = "<start_function_call>"
private const val END = "<end_function_call>"
private const val RESPONSE = "<start_function_response>"
private const val QUOTE = "<escape>"
private const val PREFIX = "call:"
private const val DEEPEST = 32

/** `<start_function_call>call:NAME{key:<escape>text<escape>,other:3}<end_function_call>`, any number, words around them. */
internal fun readFunctionGemma(text: String): Said {
    val calls = mutableListOf<Call>()
    val words = StringBuilder()
    var rest = text
    while (true) {
        val begin = rest.indexOf(BEGIN)
        if (begin < 0) break
        words.append(rest, 0, begin)
        val body = rest.substring(begin + BEGIN.length)
        val end = body.indexOf(END)
        if (end < 0) throw MalformedCall("the call does not end")
        calls += CallReader(body.substring(0, end)).call()
        rest = body.substring(end + END.length)
    }
    words.append(rest)
    val said = words.toString().replace(RESPONSE, "").replace("<end_of_turn>", "").trim()
    if (END in said || said.startsWith(PREFIX)) throw MalformedCall("the call does not begin with $BEGIN")
    return Said(calls, said)
}

/** Reads one call, between its fences. */
private class CallReader(private val text: String) {
    private var at = 0

    fun call(): Call {
        if (!take(PREFIX)) malformed("it does not begin with $PREFIX")
        val name = until("{").trim().ifEmpty { malformed("it has no name") }
        val arguments = if (at < text.length) members(1) else emptyMap()
        if (at < text.length) malformed("something follows it")
        return Call(name, arguments)
    }

    private fun members(depth: Int): Map<String, Any> {
        val members = linkedMapOf<String, Any>()
        val seen = mutableSetOf<String>()
        list('{', '}', depth) {
            val key = if (take(QUOTE)) until(QUOTE).also { take(QUOTE) } else until(":").trim()
            if (key.isEmpty() || !take(":")) malformed("a name of an argument is missing")
            if (!seen.add(key)) malformed("$key is there twice")
            value(depth)?.let { members[key] = it }
        }
        return members
    }

    /** Null for null. */
    private fun value(depth: Int): Any? = when {
        take(QUOTE) -> until(QUOTE).also { if (!take(QUOTE)) malformed("a text does not end") }
        at < text.length && text[at] == '{' -> members(depth + 1)
        at < text.length && text[at] == '[' -> mutableListOf<Any>().also { items ->
            list('[', ']', depth + 1) { value(depth + 1)?.let(items::add) }
        }
        else -> scalar(until(",", "}", "]").trim())
    }

    private fun scalar(word: String): Any? = when (word) {
        "true" -> true
        "false" -> false
        "null" -> null
        else -> word.toLongOrNull() ?: word.toDoubleOrNull()?.takeIf { it.isFinite() } ?: malformed("“$word” is no value")
    }

    private fun list(open: Char, close: Char, depth: Int, item: () -> Unit) {
        if (depth > DEEPEST) malformed("nested too deeply")
        if (!take(open.toString())) malformed("$open is missing")
        if (take(close.toString())) return
        do item() while (take(","))
        if (!take(close.toString())) malformed("$close is missing")
    }

    private fun take(what: String): Boolean = text.startsWith(what, at).also { if (it) at += what.length }

    /** What stands before the first of some ends, or before the end of all. */
    private fun until(vararg ends: String): String {
        val end = ends.map { text.indexOf(it, at) }.filter { it >= 0 }.minOrNull() ?: text.length
        return text.substring(at, end).also { at = end }
    }

    private fun malformed(why: String): Nothing = throw MalformedCall("a call cannot be read: $why")
}
