package dev.edgekit.core

/** How the next token is chosen. */
public sealed interface Sampling {
    /** Always the likeliest. */
    public data object Greedy : Sampling

    /** At random among the [topK] likeliest, of which only so many count as have the probability [topP] together. */
    public data class TopP(
        public val temperature: Float,
        public val topK: Int,
        public val topP: Float,
        public val seed: Int? = null,
    ) : Sampling
}
