"""Kotlin that reads calls, in both dialects, with nothing but the standard library."""

from typing import Final

READER: Final = """\
/** A call as the model wrote it, in FunctionGemma's tokens or as JSON. */
class ModelCall(val name: String, val arguments: Map<String, Any?>) {
    companion object {
        /** The calls in what the model said; throws IllegalArgumentException for one that cannot be read. */
        fun allIn(said: String): List<ModelCall> {
            if (BEGIN in said) {
                return said.split(BEGIN).drop(1).map { Reader(it.substringBefore(END, "")).call() }
            }
            val text = said.trim()
            if (!text.startsWith("{\\"name\\"") && !text.startsWith("[{\\"name\\"")) return emptyList()
            val read = Reader(text).whole()
            return (read as? List<*> ?: listOf(read)).map { one ->
                val values = one as? Map<*, *>
                val name = values?.get("name") as? String
                val arguments = values?.get("arguments") as? Map<*, *>
                require(name != null && arguments != null) { "no call: $text" }
                ModelCall(name, arguments.entries.associate { (key, value) -> key as String to value })
            }
        }

        private const val BEGIN = "<start_function_call>"
        private const val END = "<end_function_call>"
    }

    private class Reader(private val text: String) {
        private var at = 0

        fun call(): ModelCall {
            expect("call:")
            val name = name()
            val arguments = values()
            require(at == text.length) { "something behind the arguments: $text" }
            return ModelCall(name, arguments)
        }

        fun whole(): Any? = value().also { require(at == text.length) { "something behind the call: $text" } }

        private fun value(): Any? {
            if (takes("<escape>")) {
                val end = text.indexOf("<escape>", at)
                require(end >= 0) { "a text without its end: $text" }
                return text.substring(at, end).also { at = end + "<escape>".length }
            }
            if (text.startsWith("\\"", at)) return quoted()
            if (text.startsWith("{", at)) return values()
            if (takes("[")) return list()
            if (takes("true")) return true
            if (takes("false")) return false
            if (takes("null")) return null
            val number = NUMBER.matchAt(text, at)?.value
            requireNotNull(number) { "no value at $at: $text" }
            at += number.length
            return number.toLongOrNull() ?: number.toDouble()
        }

        private fun values(): Map<String, Any?> {
            expect("{")
            val found = LinkedHashMap<String, Any?>()
            if (takes("}")) return found
            do {
                space()
                val key = if (text.startsWith("\\"", at)) quoted() else name()
                expect(":")
                space()
                found[key] = value()
                space()
            } while (takes(","))
            expect("}")
            return found
        }

        private fun list(): List<Any?> {
            val found = ArrayList<Any?>()
            if (takes("]")) return found
            do {
                space()
                found += value()
                space()
            } while (takes(","))
            expect("]")
            return found
        }

        private fun quoted(): String {
            expect("\\"")
            val found = StringBuilder()
            while (!takes("\\"")) {
                require(at < text.length) { "a text without its end: $text" }
                val letter = text[at++]
                if (letter != '\\\\') {
                    found.append(letter)
                    continue
                }
                require(at < text.length) { "a text without its end: $text" }
                when (val escaped = text[at++]) {
                    'n' -> found.append('\\n')
                    't' -> found.append('\\t')
                    'r' -> found.append('\\r')
                    'b' -> found.append('\\b')
                    'f' -> found.append('\\u000c')
                    'u' -> {
                        require(at + 4 <= text.length) { "a text without its end: $text" }
                        found.append(text.substring(at, at + 4).toInt(16).toChar())
                        at += 4
                    }
                    else -> found.append(escaped)
                }
            }
            return found.toString()
        }

        private fun name(): String {
            val found = NAME.matchAt(text, at)?.value
            requireNotNull(found) { "no name at $at: $text" }
            at += found.length
            return found
        }

        private fun space() {
            while (at < text.length && text[at].isWhitespace()) at++
        }

        private fun takes(what: String): Boolean = text.startsWith(what, at).also { if (it) at += what.length }

        private fun expect(what: String) = require(takes(what)) { "no $what at $at: $text" }

        private companion object {
            val NAME = Regex("[A-Za-z_][A-Za-z0-9_.-]*")
            val NUMBER = Regex("-?[0-9]+(\\\\.[0-9]+)?([eE][+-]?[0-9]+)?")
        }
    }
}
"""
