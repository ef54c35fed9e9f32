package dev.edgekit.sample.bundle

import java.io.File
import kotlinx.coroutines.flow.FlowCollector

private const val RECORD = ".checked"

/**
 * Whether a finished model file is there. One that has changed since it was checked, or whose check was not recorded
 * before the process ended, is checked again.
 */
internal suspend fun FlowCollector<InstallState>.isReady(model: File, expected: ModelFile): Boolean {
    if (model.length() != expected.size) return false
    if (isRecorded(model, expected.sha256)) return true
    val digest = digestOf(model) { emit(InstallState.Checking(it, expected.size)) }
    return (digest == expected.sha256).also { if (it) recordCheck(model, digest) }
}

/** Throws [BundleFailure.Corrupt] unless a model file is the one that the manifest describes. */
internal fun checkSame(expected: ModelFile, size: Long, sha256: String) {
    if (size != expected.size) throw BundleFailure.Corrupt(expected.name, "$size bytes instead of ${expected.size}")
    if (sha256 != expected.sha256) {
        throw BundleFailure.Corrupt(expected.name, "its SHA-256 is $sha256 instead of ${expected.sha256}")
    }
}

/** Remembers that a file has a digest, as long as it is not written to. */
internal fun recordCheck(model: File, sha256: String) = writeWhole(recordOf(model), record(model, sha256))

internal fun isRecorded(model: File, sha256: String): Boolean {
    val record = recordOf(model)
    return model.isFile && record.isFile && record.readText() == record(model, sha256)
}

private fun recordOf(model: File) = File(model.path + RECORD)

private fun record(model: File, sha256: String) = "$sha256 ${model.length()} ${model.lastModified()}"
