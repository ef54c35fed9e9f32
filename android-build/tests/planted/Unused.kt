package dev.edgekit.sample

/** The compiler warns of [unused]: with warnings as errors this does not compile. */
fun unused(): Int {
    val unused = 1
    return 2
}
