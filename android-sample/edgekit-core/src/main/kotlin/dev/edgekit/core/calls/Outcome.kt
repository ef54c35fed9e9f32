package dev.edgekit.core.calls

/** What became of a call. */
public enum class Outcome {
    /** The phone did it. */
    DONE,

    /** Another app was opened, which has what it needs. */
    HANDED_OVER,

    /** Its user did not want it. */
    SKIPPED,

    /** No app on this phone can do it. */
    NO_APP,

    /** The phone has no such part, or something else is using it. */
    UNAVAILABLE,

    /** The system does not let this app do it. */
    FORBIDDEN,
}
