"""Kotlin for an app of one's own: a class over the official LiteRT-LM artifact, with a bundle's names and values.

The API is that of litertlm-android 0.18 (its Config.kt and Conversation.kt). The artifact is on Google's Maven
repository only: this project's tests compile what is written here against its signatures, not against the artifact.
Releases 0.15 and 0.16 abort at a `SuppressTokensConfig`, by LiteRT-LM's issue 3229.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from edgekit.bundle.manifest import SamplerUse
from edgekit.packaging.source import Source
from edgekit.runtime.library import engine_version

ARTIFACT: Final = "com.google.ai.edge.litertlm:litertlm-android"
KOTLIN_NEEDED: Final = "2.4"
"""Older compilers cannot read the artifact's metadata."""

KEEP_RULES: Final = f"""\
# The engine's native code looks up these classes by name. The artifact was reported to bring no rules of its own.
-keep class {ARTIFACT.split(":")[0]}.** {{ *; }}
"""
"""For R8, which would remove or rename them in a release build: the app would abort at its first conversation."""

_WIDTH: Final = 100

HARD_KEYWORDS: Final = frozenset(
    "as break class continue do else false for fun if in interface is null object package return super this throw true "
    "try typealias typeof val var when while".split()
)


def coordinates() -> str:
    """The artifact in the version of the engine that the bundle was checked with."""
    return f"{ARTIFACT}:{engine_version()}"


def class_name(name: str) -> str:
    """A Kotlin class name from a bundle's: settings-navigator → SettingsNavigator."""
    joined = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name) if word)
    return joined if joined[:1].isalpha() else f"Model{joined}"


def string(text: str) -> str:
    """A Kotlin string literal on one line."""
    quoted = json.dumps(text, ensure_ascii=False).replace("$", "\\$")
    # Kotlin knows \b, \t, \n, \r and \uXXXX, and not JSON's \f.
    return quoted.replace("\\f", "\\u000c")


def model_class(source: Source, *, copies: bool) -> str:
    """The class as a Kotlin file.

    copies: whether the model lies in the APK's assets and is copied out; otherwise open() takes the file.
    """
    name = class_name(source.name)
    opening = _OPEN_COPIED if copies else _OPEN_FILE
    constants = "\n".join(f"        {line}" for line in _constants(source))
    return _TEMPLATE.format(
        coordinates=coordinates(),
        kotlin=KOTLIN_NEEDED,
        imports="\n".join(f"import {line}" for line in _imports(source, copies=copies)),
        name=name,
        title=_comment(source.task.title),
        stops=_stops(source),
        opening=opening.format(name=name),
        constants=constants,
        configuration=_configuration(source),
        sending=_sending(source),
    )


def _comment(text: str) -> str:
    return " ".join(text.split()).replace("*/", "* /")


def _imports(source: Source, *, copies: bool) -> list[str]:
    base = "com.google.ai.edge.litertlm"
    names = [
        "Backend",
        "ConversationConfig",
        "Engine",
        "EngineConfig",
        "Message",
        "MessageCallback",
        "SamplerConfig",
    ]
    if source.task.system_prompt is not None:
        names.append("Contents")
    if source.manifest.answer is not None:
        names.append("ResponseFormat")
        if source.asked.suppressed:
            names.append("SuppressTokensConfig")
    lines = [f"{base}.{name}" for name in names]
    lines += ["android.content.Context", "java.io.File"]
    if copies:
        lines.append("java.security.MessageDigest")
    coroutines = (
        "CompletableDeferred Dispatchers NonCancellable channels.Channel flow.Flow flow.emitAll flow.flow"
    )
    lines += [f"kotlinx.coroutines.{name}" for name in f"{coroutines} flow.flowOn withContext".split()]
    return sorted(lines)


def _constants(source: Source) -> list[str]:
    manifest = source.manifest
    lines = [
        f"const val MODEL_FILE = {string(manifest.model.file)}",
        f"const val MODEL_BYTES = {manifest.model.size:_}L",
        f"const val MODEL_SHA256 = {string(manifest.model.sha256)}",
        "/** The most tokens of prompts and answers together; a longer prompt aborts natively, check before. */",
        f"const val MAX_TOKENS = {manifest.kv_length}",
    ]
    if source.task.system_prompt is not None:
        lines.append(f"private const val SYSTEM_PROMPT = {string(source.task.system_prompt)}")
    answer = manifest.answer
    if answer is not None:
        lines += [
            "/** What every answer is held to. */",
            f"private val FORMAT = {_response_format(answer['kind'], answer)}",
        ]
    if answer is not None and source.asked.suppressed:
        lines += [
            "/**",
            " * Under a format only the first stop token may end an answer: the others would pass as text, and so",
            " * would the tokens of single ASCII bytes.",
            " */",
            f"private val SUPPRESSED = SuppressTokensConfig({_ids(source.asked.suppressed)})",
        ]
    return lines


def _response_format(kind: str, answer: object) -> str:
    assert isinstance(answer, dict)
    if kind == "regex":
        return f"ResponseFormat.regex({string(answer['regex'])})"
    schema = json.dumps(answer["schema"], ensure_ascii=False, separators=(",", ":"))
    pieces = [schema[start : start + _WIDTH] for start in range(0, len(schema), _WIDTH)]
    joined = " +\n                    ".join(string(piece) for piece in pieces)
    return f"ResponseFormat.json(\n                    {joined},\n        )"


def _ids(numbers: Sequence[int]) -> str:
    """Ids as Kotlin, stretches as ranges."""
    stretches: list[list[int]] = []
    for number in sorted(set(numbers)):
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return " + ".join(
        f"listOf({first})" if first == last else f"({first}..{last}).toList()" for first, last in stretches
    )


def _stops(source: Source) -> str:
    stops = [f"{stop.text or '?'} ({', '.join(map(str, stop.ids))})" for stop in source.manifest.stop_tokens]
    return _comment(", ".join(stops))


def _configuration(source: Source) -> str:
    lines = []
    if source.task.system_prompt is not None:
        lines.append("systemInstruction = Contents.of(SYSTEM_PROMPT),")
    lines.append(f"samplerConfig = {_sampler(source.manifest.sampler)},")
    if source.manifest.answer is not None:
        lines.append("enableResponseFormat = true,")
    return "\n".join(f"                {line}" for line in lines)


def _sampler(sampler: SamplerUse) -> str:
    if sampler.kind == "greedy":  # the best of one, whatever the others say
        return "SamplerConfig(topK = 1, topP = 1.0, temperature = 1.0)"
    return (
        f"SamplerConfig(topK = {sampler.top_k}, topP = {float(sampler.top_p or 0)}, "
        f"temperature = {float(sampler.temperature or 0)})"
    )


def _sending(source: Source) -> str:
    arguments = ["Message.user(prompt)", "listener"]
    if source.manifest.answer is not None:
        if source.asked.suppressed:
            arguments.append("suppressTokensConfig = SUPPRESSED")
        arguments.append("responseFormat = FORMAT")
    return ",\n                ".join(arguments)


_TEMPLATE: Final = """\
// Written by edgekit package for {coordinates}
// (Kotlin {kotlin} or newer). The bundle's manifest and task lie beside the model: edgekit.json, task.json.
package com.example.model // yours

{imports}

/**
 * {title}.
 *
 * Thread-safe as long as one question is asked at a time. The bundle ends an answer itself, at: {stops}.
 */
class {name} private constructor(private val engine: Engine) : AutoCloseable {{

    /** Answers a question in a conversation of its own, in pieces. Cancelling stops the decoding, and waits for it. */
    fun answer(prompt: String): Flow<String> = flow {{
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

_OPEN_FILE: Final = """\
        /** Opens the model file; takes seconds, and never the main thread. */
        suspend fun open(context: Context, model: File): {name} =
            withContext(Dispatchers.IO) {{
                check(model.length() == MODEL_BYTES) {{ "$model is not the model of this build" }}
                val configuration =
                    EngineConfig(
                        modelPath = model.path,
                        backend = Backend.CPU(),
                        maxNumTokens = MAX_TOKENS,
                        cacheDir = context.cacheDir.path,
                    )
                {name}(Engine(configuration).also {{ it.initialize() }})
            }}"""

_OPEN_COPIED: Final = (
    _OPEN_FILE.replace(
        "suspend fun open(context: Context, model: File)", "suspend fun open(context: Context)"
    )
    .replace(
        """                check(model.length() == MODEL_BYTES) {{ "$model is not the model of this build" }}
""",
        """                val model = copyOut(context)
""",
    )
    .replace("/** Opens the model file;", "/** Copies the model out of the assets once and opens it;")
    + """

        /** The engine maps a real file: an asset is copied out at the first start, checked, and renamed. */
        private fun copyOut(context: Context): File {{
            val directory = File(context.noBackupFilesDir, "edgekit").apply {{ mkdirs() }}
            val model = File(directory, "$MODEL_SHA256.litertlm")
            if (model.length() == MODEL_BYTES) return model
            directory.listFiles()?.forEach(File::delete) // an older model, and the engine's caches of it
            val part = File(directory, "part")
            val digest = MessageDigest.getInstance("SHA-256")
            context.assets.open("edgekit/$MODEL_FILE").use {{ asset ->
                part.outputStream().use {{ file ->
                    val buffer = ByteArray(1 shl 20)
                    while (true) {{
                        val count = asset.read(buffer)
                        if (count < 0) break
                        digest.update(buffer, 0, count)
                        file.write(buffer, 0, count)
                    }}
                    file.fd.sync()
                }}
            }}
            val found = digest.digest().joinToString("") {{ "%02x".format(it) }}
            check(found == MODEL_SHA256) {{ "the model in this app is damaged" }}
            check(part.renameTo(model)) {{ "$part cannot be renamed" }}
            return model
        }}"""
)
