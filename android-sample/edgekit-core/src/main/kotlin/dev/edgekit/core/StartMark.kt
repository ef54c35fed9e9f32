package dev.edgekit.core

import java.io.File
import java.io.IOException

/**
 * Remembers starts of the engine that never ended: a model that takes the process with it would do so again at each launch.
 *
 * One may be the user's doing, who swept the app away; it takes two in a row.
 */
internal class StartMark(directory: File, identity: String) {
    private val file = File(directory, identity)

    /** Throws [EngineFailure.Died] when it died before, unless [anyway]. */
    fun begin(anyway: Boolean) {
        val before = if (anyway) 0 else count()
        if (before >= ENOUGH) throw EngineFailure.Died("the process ended $before times while the engine was starting")
        write(before + 1)
    }

    /** Nothing is left of a start that ended, well or not. */
    fun end() {
        file.delete()
    }

    private fun count(): Int = try {
        if (file.isFile) file.readText().trim().toIntOrNull() ?: 0 else 0
    } catch (_: IOException) {
        0
    }

    private fun write(count: Int) {
        try {
            file.parentFile?.mkdirs()
            file.writeText("$count")
        } catch (_: IOException) {
            // A disk that is full must not keep the model closed.
        }
    }

    private companion object {
        const val ENOUGH = 2
    }
}
