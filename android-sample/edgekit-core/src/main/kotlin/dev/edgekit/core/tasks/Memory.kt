package dev.edgekit.core.tasks

import android.app.ActivityManager
import android.content.Context
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.MemoryNeed
import dev.edgekit.core.bundle.Bundle
import dev.edgekit.core.bundle.Cache
import dev.edgekit.core.bundle.InstalledAdapter
import dev.edgekit.core.modelBytes

/** What a bundle takes that is opened with a context of so many tokens. */
internal fun Bundle.memoryNeed(contextTokens: Int): MemoryNeed = MemoryNeed(
    weights = modelBytes + (adapters.values.filterIsInstance<InstalledAdapter.Usable>().maxOfOrNull { it.manifest.sidecar.size } ?: 0),
    context = if (manifest?.isStatic == true) contextBytes(manifest.contextTokens) else contextBytes(contextTokens),
    working = WORKING_BYTES + (manifest?.adapters?.bytes ?: 0),
)

private fun Bundle.contextBytes(tokens: Int): Long {
    val cache = manifest?.cache ?: UNSAID
    val copies = when {
        manifest?.isStatic == true -> COPIES_OF_STATIC
        cache.isNarrow -> COPIES_OF_NARROW
        else -> COPIES
    }
    val attention = if (manifest?.isStatic == true) 0 else ATTENTION_BYTES + if (cache.isNarrow) WIDENED_BYTES else 0
    return ((cache.tokenBytes * tokens + cache.ringBytes) * copies).toLong() + attention * tokens
}

/** Throws [EdgekitFailure.NotEnoughMemory] where the need is above what is [available]; null: the system does not tell. */
internal fun Bundle.checkMemory(contextTokens: Int, available: Long?) {
    val need = memoryNeed(contextTokens)
    if (available != null && need.total > available) throw EdgekitFailure.NotEnoughMemory(need.total, available, fittingContext(available))
}

/** The largest context that fits; null when none does that is of any use. */
private fun Bundle.fittingContext(available: Long): Int? {
    val rest = available - memoryNeed(0).total
    val tokens = rest / (contextBytes(1) - contextBytes(0)) / STEP * STEP
    return tokens.toInt().takeIf { it >= STEP }
}

/**
 * Bytes that the system can give to this app; null when it does not say. It counts what it would take from the cache of files,
 * and not what it would gain by ending other apps. A device that is short of memory keeps its reserve.
 */
internal fun availableMemory(context: Context): Long? {
    val manager = context.getSystemService(ActivityManager::class.java) ?: return null
    val memory = ActivityManager.MemoryInfo().also(manager::getMemoryInfo)
    if (memory.totalMem <= 0 || memory.availMem <= 0) return null
    val reserve = if (memory.lowMemory || manager.isLowRamDevice) memory.threshold else 0
    return (memory.availMem - reserve).coerceAtLeast(0)
}

/** Of Gemma 3 270M, for a file that does not say: 18 layers, keys and values of 256 numbers. */
private val UNSAID = Cache(18L * 2 * 256 * Float.SIZE_BYTES)

/**
 * The engine makes a larger cache beside the one that is full. Measured with Gemma 3 270M in int8 (278 MB), whose context was
 * filled in pieces of 128 tokens: 465 MB of 1,024 tokens, 732 of 4,096, 909 of 8,192, 1,393 of 16,000; in a window 723 of
 * 16,000.
 */
private const val COPIES = 1.6

/** Likewise of an int8 cache: 994 MB of 16,000 tokens; in a window 681. */
private const val COPIES_OF_NARROW = 2.5

/** Measured are 637 MB of 4,096 tokens, reckoned 657. */
private const val COPIES_OF_STATIC = 1.25

/** A token's in the attention of 128 others from four heads, in float32: the products, their mask, the softmax. */
private const val ATTENTION_BYTES = 128L * 4 * 4 * 3

/** A token's keys and values of a layer, widened, and packed for the product. */
private const val WIDENED_BYTES = 2L * 256 * 4 * 2

/** The engine with its packed weights, the tokenizer, and what a format needs. */
private const val WORKING_BYTES = 190_000_000L

/** Contexts are offered in multiples of this. */
private const val STEP = 256
