package dev.edgekit.sample.tasks

import java.io.File

/** The model took the app with it when it was opened last: a crash of the engine, or too little memory. */
class EndedWhileOpening(name: String) : Exception("the app ended while $name was being opened")

/**
 * A file that is there while a model is being opened. If the process ends meanwhile, the next one finds it, and does not
 * open the model again by itself.
 *
 * @param wasClosed whether the process of that time, milliseconds since 1970, was closed and did not fail; null for unknown
 */
class OpeningMark(private val file: File, private val wasClosed: (since: Long) -> Boolean?) {
    /** Whether the model with this identity took the process before with it. Asked once: its user may try again. */
    fun takeSuspicion(identity: String): Boolean {
        val since = file.lastModified()
        val before = if (file.isFile) file.readText() else return false
        file.delete()
        return before == identity && wasClosed(since) != true
    }

    fun begin(identity: String) {
        file.parentFile?.mkdirs()
        file.outputStream().use {
            it.write(identity.encodeToByteArray())
            it.fd.sync()
        }
    }

    fun end() {
        file.delete()
    }
}
