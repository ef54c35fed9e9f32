package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import java.io.File
import kotlinx.coroutines.flow.FlowCollector

private const val RECORD = ".checked"

/**
 * Whether a finished file is there. One that has changed since it was checked, or whose check was not recorded
 * before the process ended, is checked again.
 */
internal suspend fun FlowCollector<InstallState>.isReady(file: File, expected: BundleFile): Boolean {
    if (file.length() != expected.size) return false
    if (isRecorded(file, expected.sha256)) return true
    val digest = digestOf(file) { emit(InstallState.Checking(it, expected.size)) }
    return (digest == expected.sha256).also { if (it) recordCheck(file, digest) }
}

/** Throws [BundleFailure.Corrupt] unless a file is the one that its manifest describes. */
internal fun checkSame(expected: BundleFile, size: Long, sha256: String) {
    if (size != expected.size) throw BundleFailure.Corrupt(expected.name, "$size bytes instead of ${expected.size}")
    if (sha256 != expected.sha256) {
        throw BundleFailure.Corrupt(expected.name, "its SHA-256 is $sha256 instead of ${expected.sha256}")
    }
}

/** Remembers that a file has a digest, as long as it is not written to. */
internal fun recordCheck(file: File, sha256: String) = writeWhole(recordOf(file), record(file, sha256))

internal fun isRecorded(file: File, sha256: String): Boolean {
    val record = recordOf(file)
    return file.isFile && record.isFile && record.readText() == record(file, sha256)
}

private fun recordOf(file: File) = File(file.path + RECORD)

private fun record(file: File, sha256: String) = "$sha256 ${file.length()} ${file.lastModified()}"
