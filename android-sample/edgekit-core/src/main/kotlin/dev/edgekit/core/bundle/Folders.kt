package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import java.io.File
import java.io.IOException
import kotlinx.coroutines.flow.FlowCollector

/** Checks the bundle in a directory, file by file, and leaves it where it is. */
internal suspend fun FlowCollector<InstallState>.bundleInFolder(folder: File, signer: Signer?): Bundle {
    val texts = SignedTexts(folder, signer)
    val manifest = parseManifest(texts.of(MANIFEST) ?: throw BundleFailure.Missing(MANIFEST))
    val model = checked(File(folder, manifest.model.name), manifest.model)
    manifest.adapters?.empty?.let { checked(File(folder, it.name), it) }
    val offer = texts.of(TASKS)?.let(::parseTasks) ?: genericOffer(manifest.name, manifest.examples)
    val adapters = installAdapters(offer) { name ->
        val adapter = fittingAdapter(name, texts.of(ADAPTER_MANIFEST, name), manifest)
        val sidecar = checked(File(folder, adapterPath(name, adapter.sidecar.name)), adapter.sidecar)
        InstalledAdapter.Usable(adapter, sidecar, texts.of(NOTICE, name))
    }
    return Bundle(model, manifest, offer.title, offer.tasks, adapters, texts.of(NOTICE)).orFailureOfOnlyTask()
}

private suspend fun FlowCollector<InstallState>.checked(file: File, expected: BundleFile): File {
    if (!file.isFile) throw BundleFailure.Missing(expected.name)
    if (file.length() == expected.size && isRecorded(file, expected.sha256)) return file
    val digest = digestOf(file) { emit(InstallState.Checking(it, expected.size)) }
    checkSame(expected, file.length(), digest)
    try {
        recordCheck(file, digest)
    } catch (_: IOException) {
        // In a directory that only is to be read it is checked at every start.
    }
    return file
}
