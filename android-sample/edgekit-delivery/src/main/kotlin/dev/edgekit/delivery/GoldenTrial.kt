package dev.edgekit.delivery

import android.content.Context
import dev.edgekit.core.BundleFailure
import dev.edgekit.core.BundleSource
import dev.edgekit.core.Edgekit
import dev.edgekit.core.EdgekitFailure
import dev.edgekit.core.EngineFailure
import dev.edgekit.core.GoldenResult
import dev.edgekit.core.Model
import dev.edgekit.core.OpenOptions
import dev.edgekit.core.TaskInfo
import java.io.File
import kotlinx.coroutines.flow.collect

/** Opens a bundle in the engine of the process, and asks the golden answers of all its tasks. */
internal class GoldenTrial(private val context: Context, private val publicKey: String) : Trial {
    override suspend fun run(bundle: File, mustAgree: Double, progress: suspend (Int, Int) -> Unit) {
        val (same, asked) = try {
            // The store counts how often the process ended.
            val options = OpenOptions(signer = publicKey, afterCrash = true)
            Edgekit.open(context, BundleSource.Folder(bundle), options).use { compared(it, progress) }
        } catch (failure: EdgekitFailure) {
            throw judged(failure)
        }
        if (same < mustAgree * asked) throw DeliveryFailure.Differs(same, asked)
    }

    /** How many answers are the same, and how many were asked for. */
    private suspend fun compared(model: Model, progress: suspend (Int, Int) -> Unit): Pair<Int, Int> {
        val tasks = model.info.tasks
        tasks.firstNotNullOfOrNull(TaskInfo::failure)?.let { throw it }
        val total = tasks.sumOf { it.goldens }
        val done = mutableListOf<GoldenResult>()
        progress(0, total)
        for (task in tasks) {
            model.selfTest(task.id).collect { result ->
                result.failure?.takeIf(::isOfTheMoment)?.let { throw it }
                done += result
                progress(done.size, total)
            }
        }
        return done.count { it.same } to total
    }
}

/** What a failure says of the bundle. */
internal fun judged(failure: EdgekitFailure): DeliveryFailure = when {
    failure is EngineFailure.RuntimeTooOld || failure is BundleFailure.Unreadable -> DeliveryFailure.NeedsNewerApp(failure)
    isOfTheMoment(failure) -> DeliveryFailure.NotNow(failure)
    else -> DeliveryFailure.DoesNotOpen(failure)
}

private fun isOfTheMoment(failure: EdgekitFailure): Boolean = when (failure) {
    is EdgekitFailure.Busy, is EdgekitFailure.Closed, is EdgekitFailure.NotEnoughMemory -> true
    is EngineFailure.OutOfMemory -> true
    is BundleFailure.NoSpace, is BundleFailure.Other -> true
    else -> false
}
