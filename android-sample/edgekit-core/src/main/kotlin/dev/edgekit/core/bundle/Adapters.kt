package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import java.io.IOException

/** Where a file of an adapter lies, seen from the bundle. */
internal fun adapterPath(folder: String, file: String) = "$ADAPTERS/$folder/$file"

/**
 * Makes ready what the tasks ask for, each on its own: an adapter that cannot be used leaves the others alone.
 *
 * @param install makes the adapter of a folder ready; throws [BundleFailure] or [IOException]
 */
internal suspend fun installAdapters(
    offer: Offer,
    install: suspend (folder: String) -> InstalledAdapter.Usable,
): Map<String, InstalledAdapter> = offer.tasks.mapNotNull { it.adapter }.distinct().associateWith { folder ->
    try {
        install(folder)
    } catch (failure: BundleFailure) {
        InstalledAdapter.Refused(failure)
    } catch (error: IOException) {
        InstalledAdapter.Refused(BundleFailure.Other(error.message ?: "reading or writing failed", error))
    }
}

/**
 * Reads a folder's `adapter.json` and refuses what the model cannot take. The engine does not look: it would answer as if
 * there were no adapter, read weights of other shapes, or end the process.
 */
internal fun fittingAdapter(folder: String, text: String?, base: Manifest): AdapterManifest {
    val adapter = parseAdapter(folder, text ?: throw BundleFailure.Missing(adapterPath(folder, ADAPTER_MANIFEST)))
    val inputs = base.adapters ?: throw BundleFailure.NoAdapterInputs(adapter.name, base.name)
    if (adapter.base.modelSha256 != base.model.sha256) {
        val made = adapter.base.modelSha256
        throw BundleFailure.ForeignAdapter(adapter.name, adapter.base.name, "made for the model $made, here is ${base.model.sha256}")
    }
    if (adapter.rank != inputs.rank) {
        throw BundleFailure.UnfitAdapter(adapter.name, "its rank is ${adapter.rank}, the model takes ${inputs.rank}")
    }
    val untaken = adapter.targets - inputs.targets.toSet()
    if (untaken.isNotEmpty()) {
        throw BundleFailure.UnfitAdapter(adapter.name, "it changes ${untaken.joinToString()}, where the model takes no adapter")
    }
    return adapter
}

/** Without its only task a bundle is of no use: that is its own failure then. */
internal fun Bundle.orFailureOfOnlyTask(): Bundle = also { tasks.singleOrNull()?.let(::failureOf)?.let { throw it } }
