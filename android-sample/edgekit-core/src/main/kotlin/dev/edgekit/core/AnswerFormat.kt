package dev.edgekit.core

/** What every answer is held to while it is decoded. */
public sealed interface AnswerFormat {
    /** A JSON schema. */
    public data class JsonSchema(public val schema: String) : AnswerFormat

    /** A regular expression. */
    public data class Regex(public val pattern: String) : AnswerFormat {
        /** The answers that there are, where the pattern only lists them as `(calm|angry)` does; else null. */
        public val labels: List<String>?
            get() {
                val listed = pattern.removePrefix("(?:").removePrefix("(").removeSuffix(")").split('|')
                return listed.takeIf { labels -> labels.all { it.isNotEmpty() && it.none(SIGNS::contains) } }
            }
    }
}

/** What means something else in a regular expression than itself. */
private const val SIGNS = """\.[]{}()*+?^$"""
