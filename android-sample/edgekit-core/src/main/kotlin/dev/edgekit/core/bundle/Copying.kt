package dev.edgekit.core.bundle

import dev.edgekit.core.BundleFailure
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest
import kotlin.coroutines.coroutineContext
import kotlinx.coroutines.ensureActive

private const val BLOCK_BYTES = 1 shl 20

/** Between two reports of progress. */
private const val STEP_BYTES = 4L * BLOCK_BYTES

/**
 * Copies a stream into a new file and returns once it is on the disk. Returns the bytes written.
 *
 * @param what the stream is, for messages
 * @param expected bytes that will come, as far as is known
 * @param progress is called with the bytes written so far
 */
internal suspend fun copy(
    what: String,
    from: InputStream,
    to: File,
    disk: Disk,
    expected: Long,
    progress: suspend (Long) -> Unit,
): Long {
    var done = 0L
    writing(to, disk, expected) { disk.create(to) }.use { file ->
        from.forEachBlock(what) { block, count ->
            writing(to, disk, expected) { file.write(block, 0, count) }
            val reported = done / STEP_BYTES
            done += count
            if (done / STEP_BYTES > reported) progress(done)
        }
        writing(to, disk, expected) { file.sync() }
    }
    progress(done)
    return done
}

/** SHA-256 of a file, in hexadecimal. [progress] is called with the bytes read so far. */
internal suspend fun digestOf(file: File, progress: suspend (Long) -> Unit): String {
    val digest = MessageDigest.getInstance("SHA-256")
    var done = 0L
    file.inputStream().use { stream ->
        stream.forEachBlock(file.name) { block, count ->
            digest.update(block, 0, count)
            val reported = done / STEP_BYTES
            done += count
            if (done / STEP_BYTES > reported) progress(done)
        }
    }
    progress(done)
    return digest.digest().joinToString("") { "%02x".format(it) }
}

/** Writes a small file so that it is there whole or not at all. */
internal fun writeWhole(file: File, text: String) {
    val part = File(file.path + PART)
    FileOutputStream(part).use {
        it.write(text.encodeToByteArray())
        it.fd.sync()
    }
    part.moveTo(file)
}

/** What an unfinished file's name ends in. */
internal const val PART = ".part"

/** Throws [IOException]: unlike renaming in Java, it does not fail in silence. */
internal fun File.moveTo(target: File) {
    if (!renameTo(target)) throw IOException("$name cannot be renamed to ${target.name}")
}

/** Runs what writes a file, and says why it failed. */
private inline fun <T> writing(file: File, disk: Disk, needed: Long, block: () -> T): T = try {
    block()
} catch (error: IOException) {
    throw writeFailure(error, file, disk, needed)
}

private fun writeFailure(error: IOException, file: File, disk: Disk, needed: Long): BundleFailure {
    val reason = error.message.orEmpty()
    val isFull = "ENOSPC" in reason || "EDQUOT" in reason || "No space left" in reason
    val free = file.parentFile?.let(disk::free) ?: 0
    return if (isFull) BundleFailure.NoSpace(needed, free) else BundleFailure.Other("cannot write: $reason", error)
}

private fun FileOutputStream.sync() = fd.sync()

private suspend inline fun InputStream.forEachBlock(what: String, action: (ByteArray, Int) -> Unit) {
    val block = ByteArray(BLOCK_BYTES)
    while (true) {
        coroutineContext.ensureActive()
        val count = try {
            read(block)
        } catch (error: IOException) {
            throw BundleFailure.Corrupt(what, "cannot be read: ${error.message}")
        }
        if (count < 0) return
        action(block, count)
    }
}
