package dev.edgekit.core

/**
 * What a model takes of a device's memory at most, in bytes; reckoned from its manifest.
 *
 * @property weights files of which the whole is read again and again
 * @property context the cache of a conversation that has filled its context
 * @property working what the engine needs besides
 */
public class MemoryNeed(public val weights: Long, public val context: Long, public val working: Long) {
    public val total: Long get() = weights + context + working
}
