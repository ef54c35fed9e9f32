"""The pieces of the class that `model_class` puts together, for `str.format` unless they have no field."""

from __future__ import annotations

from typing import Final

CLASS: Final = """\
// Written by edgekit package for {coordinates}
// (Kotlin {kotlin} or newer). The bundle's manifest and tasks lie beside the model: edgekit.json, tasks.json.
package com.example.model // yours

{imports}

/**
 * {title}.
 *
 * Thread-safe as long as one question is asked at a time. The bundle ends an answer itself, at: {stops}.
 */
class {name} private constructor({state}) : AutoCloseable {{
{tasks}{sidecar}
    /** Answers a question in a conversation of its own, in pieces. Cancelling stops the decoding, and waits for it. */
    fun answer({question}): Flow<String> = flow {{
        val configuration =
            ConversationConfig(
{configuration}
            )
        engine.createConversation(configuration).use {{ conversation ->
            val pieces = Channel<String>(Channel.UNLIMITED)
            val ended = CompletableDeferred<Unit>()
            val listener = object : MessageCallback {{
                override fun onMessage(message: Message) {{
                    pieces.trySend(message.toString())
                }}

                override fun onDone() = end(null)

                override fun onError(throwable: Throwable) = end(throwable)

                private fun end(cause: Throwable?) {{
                    pieces.close(cause)
                    ended.complete(Unit)
                }}
            }}
            conversation.sendMessageAsync(
                {sending},
            )
            try {{
                emitAll(pieces)
            }} finally {{
                // Cancelling the artifact's own Flow leaves it decoding, and what decodes must not be closed.
                if (!ended.isCompleted) conversation.cancelProcess()
                withContext(NonCancellable) {{ ended.await() }}
            }}
        }}
    }}.flowOn(Dispatchers.IO)

    /** Close it when no answer is being collected. */
    override fun close() = engine.close()

    companion object {{
{constants}

{opening}
    }}
}}
"""

SIDECAR_BESIDE: Final = """\

    /** An adapter's file, under its path in the assets. */
    internal class Sidecar(val path: String, val bytes: Long, val sha256: String) {
        fun at(directory: File) = File(directory, path)
    }
"""

SIDECAR_COPIED: Final = """\

    /** An adapter's file, under its path in the assets. */
    internal class Sidecar(val path: String, val bytes: Long, val sha256: String) {
        fun at(directory: File) = File(directory, "$sha256.lora.tflite")
    }
"""

DIRECTORY: Final = "                val directory = checkNotNull(model.absoluteFile.parentFile)\n"

CHECK_SIDECARS: Final = """\
                for (sidecar in SIDECARS) {
                    val file = sidecar.at(directory)
                    check(file.length() == sidecar.bytes) { "$file is not the adapter of this build" }
                }
"""

COPY_SIDECARS: Final = """\
            for (sidecar in SIDECARS) {
                copy(context, sidecar.path, sidecar.at(directory), sidecar.bytes, sidecar.sha256)
            }
"""

CONFIGURED: Final = """\
                val configuration =
                    EngineConfig(
                        modelPath = model.path,
                        backend = Backend.CPU(),
                        maxNumTokens = MAX_TOKENS,
                        cacheDir = context.cacheDir.path,
                    )
                {made}
            }}"""

OPEN_FILE: Final = (
    """\
        /** Opens the model file{beside}; takes seconds, and never the main thread. */
        suspend fun open(context: Context, model: File): {name} =
            withContext(Dispatchers.IO) {{
                check(model.length() == MODEL_BYTES) {{ "$model is not the model of this build" }}
{directory}{checked}"""
    + CONFIGURED
)

OPEN_COPIED: Final = (
    """\
        /** {files} once and opens it; takes seconds, and never the main thread. */
        suspend fun open(context: Context): {name} =
            withContext(Dispatchers.IO) {{
                val model = copyOut(context)
{directory}"""
    + CONFIGURED
    + """

        /** The engine maps real files: assets are copied out at the first start. Gives the model. */
        private fun copyOut(context: Context): File {{
            val directory = File(context.noBackupFilesDir, "edgekit").apply {{ mkdirs() }}
            val model = File(directory, "$MODEL_SHA256.litertlm")
            val kept = {kept}
            directory.listFiles()?.filterNot {{ it in kept }}?.forEach(File::delete) // of an older build
            copy(context, MODEL_FILE, model, MODEL_BYTES, MODEL_SHA256)
{copied}            return model
        }}

        private fun copy(context: Context, asset: String, place: File, bytes: Long, sha256: String) {{
            if (place.length() == bytes) return
            val part = File(place.path + ".part")
            val digest = MessageDigest.getInstance("SHA-256")
            context.assets.open("edgekit/$asset").use {{ stream ->
                part.outputStream().use {{ file ->
                    val buffer = ByteArray(1 shl 20)
                    while (true) {{
                        val count = stream.read(buffer)
                        if (count < 0) break
                        digest.update(buffer, 0, count)
                        file.write(buffer, 0, count)
                    }}
                    file.fd.sync()
                }}
            }}
            val found = digest.digest().joinToString("") {{ "%02x".format(it) }}
            check(found == sha256) {{ "$asset in this app is damaged" }}
            check(part.renameTo(place)) {{ "$part cannot be renamed" }}
        }}"""
)


def indented(text: str, width: int) -> str:
    """A text with each of its lines moved to the right, by a number of spaces."""
    return "\n".join(f"{' ' * width}{line}" if line else "" for line in text.split("\n"))
