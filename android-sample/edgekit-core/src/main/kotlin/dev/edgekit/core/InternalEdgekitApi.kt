package dev.edgekit.core

/** What edgekit's other libraries and its tests use of this one: it may change in any release, and is not in `api/edgekit-core.api`. */
@RequiresOptIn("This is not part of edgekit-core's interface and may change in any release.", RequiresOptIn.Level.ERROR)
@Retention(AnnotationRetention.BINARY)
@Target(
    AnnotationTarget.CLASS,
    AnnotationTarget.CONSTRUCTOR,
    AnnotationTarget.FUNCTION,
    AnnotationTarget.PROPERTY,
    AnnotationTarget.TYPEALIAS,
)
public annotation class InternalEdgekitApi
