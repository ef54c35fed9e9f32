package dev.edgekit.sample

@Deprecated("for the test")
fun outdated() = 1

/** The compiler warns of the call: with warnings as errors this does not compile. */
fun caller() = outdated()
