package dev.edgekit.core

import java.io.File
import java.io.IOException

/**
 * Remembers starts of the engine that never ended: a model that takes the process with it would do so again at each launch.
 *
 * @param wasClosed whether the process of that time, milliseconds since 1970, was closed and did not fail; null for unknown:
 *   then it takes two starts in a row
 */
internal class StartMark(directory: File, identity: String, private val wasClosed: (since: Long) -> Boolean?) {
    private val file = File(directory, identity)

    /** Throws [EngineFailure.Died] when it died before, until it is begun [anyway]. */
    fun begin(anyway: Boolean) {
        val before = if (anyway) 0 else unended()
        write(minOf(before + 1, DEAD))
        if (before >= DEAD) throw EngineFailure.Died("the process ended while the engine was starting")
    }

    /** Nothing is left of a start that ended, well or not. */
    fun end() {
        file.delete()
    }

    /** Starts before that did not end and are the engine's fault as far as is known, or [DEAD]. */
    private fun unended(): Int {
        val count = read()
        if (count == 0 || count >= DEAD) return count
        return when (wasClosed(file.lastModified())) {
            true -> count - 1
            false -> DEAD
            null -> if (count >= IN_A_ROW) DEAD else count
        }
    }

    private fun read(): Int = try {
        if (file.isFile) file.readText().trim().toIntOrNull() ?: 0 else 0
    } catch (_: IOException) {
        0
    }

    private fun write(count: Int) {
        try {
            file.parentFile?.mkdirs()
            file.outputStream().use {
                it.write("$count".encodeToByteArray())
                it.fd.sync()
            }
        } catch (_: IOException) {
            // A disk that is full must not keep the model closed.
        }
    }

    private companion object {
        const val IN_A_ROW = 2
        const val DEAD = 3
    }
}
