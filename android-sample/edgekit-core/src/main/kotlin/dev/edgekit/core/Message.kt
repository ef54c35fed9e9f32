package dev.edgekit.core

/** Who said something. */
public enum class Role {
    USER,
    MODEL,

    /** Brings the results of what the model called, in the same turn. */
    TOOL,
}

/** What was said in a conversation, to take it up again. */
public data class Message(public val role: Role, public val text: String)
