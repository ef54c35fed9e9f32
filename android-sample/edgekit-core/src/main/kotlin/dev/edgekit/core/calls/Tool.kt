package dev.edgekit.core.calls

/** What a model can ask an app for. */
public data class Tool(val name: String, val description: String, val parameters: List<Parameter>)

/** @property required a call without it cannot be carried out */
public data class Parameter(val name: String, val description: String, val kind: ParameterKind, val required: Boolean)

/** What a parameter takes. */
public sealed interface ParameterKind {
    public data object Text : ParameterKind

    /** A date with a time of day, in no time zone but the phone's: `2026-03-05T10:00:00`. */
    public data object DateTime : ParameterKind

    public data class Number(val whole: Boolean, val minimum: Double?, val maximum: Double?) : ParameterKind

    public data object Flag : ParameterKind

    public data class Choice(val values: List<String>) : ParameterKind

    /** A list or an object, as JSON. */
    public data object Json : ParameterKind
}
