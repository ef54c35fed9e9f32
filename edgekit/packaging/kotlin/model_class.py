"""Kotlin for an app of one's own: a class over the official LiteRT-LM artifact, with a bundle's names and values.

Releases 0.15 and 0.16 abort at a `SuppressTokensConfig`, by LiteRT-LM's issue 3229. `ConversationConfig.loraConfig` and
`.chatTemplate` are handed to the same native functions as the Python API's, with which sidecars were tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekit.bundle.directory import EMPTY_SIDECAR_NAME
from edgekit.bundle.manifest import ModelFile
from edgekit.packaging.kotlin.artifact import (
    KOTLIN_NEEDED,
    coordinates,
    response_format,
    sampler_config,
)
from edgekit.packaging.kotlin.template import (
    CHECK_SIDECARS,
    CLASS,
    COPY_SIDECARS,
    DIRECTORY,
    OPEN_COPIED,
    OPEN_FILE,
    SIDECAR_BESIDE,
    SIDECAR_COPIED,
    indented,
)
from edgekit.packaging.offer import Task
from edgekit.packaging.source import Source
from edgekit.quoting import kotlin_comment, kotlin_string, markdown


def class_name(name: str) -> str:
    """A Kotlin class name from a bundle's: settings-navigator → SettingsNavigator."""
    joined = "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name) if word)
    return joined if joined[:1].isalpha() else f"Model{joined}"


def entry_name(task: Task) -> str:
    """A task's name in the generated enum: support-triage → SUPPORT_TRIAGE."""
    name = task.id.upper().replace("-", "_")
    return name if name[:1].isalpha() else f"_{name}"


def call(source: Source, prompt: str) -> str:
    """How the generated class is asked: answer("…"), or answer(Name.Task.SENTIMENT, "…") where there are several."""
    if not _several(source):
        return f"answer({kotlin_string(prompt)})"
    return f"answer({class_name(source.name)}.Task.{entry_name(source.task)}, {kotlin_string(prompt)})"


def adapters_told(source: Source) -> str:
    """What a README says of sidecars, for who opens conversations otherwise; nothing of a bundle that needs none."""
    files = [(task, source.sidecar_of(task)) for task in source.offer.tasks]
    rows = [
        f"| {markdown(task.title)} | `{task.id}` | `{file.file}` | {file.size:,} |\n"
        for task, file in files
        if file is not None
    ]
    if not rows:
        return ""
    return f"""
| task | id | sidecar in `assets/edgekit` | bytes |
| --- | --- | --- | --- |
{"".join(rows)}
The model is opened once for whatever it does. Where code of yours opens a conversation, it must give one of these files
(`ConversationConfig.loraConfig`): without any the engine leaves the model's adapter inputs as the memory was, and
answers with noise. `{EMPTY_SIDECAR_NAME}` is for the model as it is.
"""


def model_class(source: Source, *, copies: bool) -> str:
    """The class as a Kotlin file; with an enum of the tasks where there are several.

    copies: whether model and sidecars lie in the APK's assets and are copied out; otherwise open() takes the model's
    file, and sidecars lie beside it as in the assets.
    """
    name, several, sidecars = class_name(source.name), _several(source), _has_sidecars(source)
    return CLASS.format(
        coordinates=coordinates(),
        kotlin=KOTLIN_NEEDED,
        imports="\n".join(f"import {line}" for line in _imports(source, copies=copies)),
        name=name,
        title=kotlin_comment(source.offer.title if several else source.task.title),
        stops=_stops(source),
        state="private val engine: Engine, private val directory: File"
        if sidecars
        else "private val engine: Engine",
        tasks=indented(_enum(source), 4) if several else "",
        sidecar=(SIDECAR_COPIED if copies else SIDECAR_BESIDE) if sidecars else "",
        question="task: Task, prompt: String" if several else "prompt: String",
        configuration=indented("\n".join(_configuration(source)), 16),
        sending=",\n                ".join(_sending(source)),
        constants=indented("\n".join(_constants(source)), 8),
        opening=_opening(name, copies=copies, sidecars=sidecars),
    )


def _several(source: Source) -> bool:
    return len(source.offer.tasks) > 1


def _has_sidecars(source: Source) -> bool:
    """Whether conversations need sidecars: all of a base's, or none."""
    return source.sidecar_of(source.task) is not None


def _has_format(source: Source) -> bool:
    return any(_answer_of(source, task) is not None for task in source.offer.tasks)


def _has_system_prompt(source: Source) -> bool:
    return any(_system_prompt_of(source, task) is not None for task in source.offer.tasks)


def _answer_of(source: Source, task: Task) -> Mapping[str, Any] | None:
    """What a task's answers are held to: its format, or that of the base's calls."""
    answer, calling = source.manifest_of(task).answer, source.manifest.calling
    if answer is None and task.adapter is None and calling is not None and calling.format is not None:
        return {"kind": "regex", "regex": calling.format}
    return answer


def _system_prompt_of(source: Source, task: Task) -> str | None:
    """What stands before a task's questions: what it says itself, and the tools."""
    calling = source.manifest.calling
    if task.adapter is not None or calling is None:
        return task.system_prompt
    first = calling.first(task.system_prompt)
    return None if first is None else str(first["content"])


def _has_template(source: Source) -> bool:
    return any(_template_of(source, task) is not None for task in source.offer.tasks)


def _template_of(source: Source, task: Task) -> str | None:
    return None if task.adapter is None else source.adapters[task.adapter].manifest.chat_template


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
    if _has_sidecars(source):
        names.append("LoraConfig")
    if _has_system_prompt(source):
        names.append("Contents")
    if _has_format(source):
        names.append("ResponseFormat")
        if source.suppressed:
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


def _stops(source: Source) -> str:
    stops = [f"{stop.text or '?'} ({', '.join(map(str, stop.ids))})" for stop in source.manifest.stop_tokens]
    return kotlin_comment(", ".join(stops))


# ---------------------------------------- values: of one task constants, of several an enum


def _enum(source: Source) -> str:
    kinds = [
        ("sidecar", "Sidecar", _has_sidecars(source)),
        ("sampler", "SamplerConfig", True),
        ("systemPrompt", "String?", _has_system_prompt(source)),
        ("chatTemplate", "String?", _has_template(source)),
        ("format", "ResponseFormat?", _has_format(source)),
    ]
    wanted = [name for name, _, is_wanted in kinds if is_wanted]
    declared = "\n".join(f"    internal val {name}: {kind}," for name, kind, _ in kinds if name in wanted)
    entries = "\n\n".join(indented(_entry(source, task, wanted), 4) for task in source.offer.tasks)
    return f"""\

/** What it does. Each task has an adapter on the one base: another task takes another conversation, and no loading. */
enum class Task(
{declared}
) {{
{entries}
}}
"""


def _entry(source: Source, task: Task, wanted: list[str]) -> str:
    manifest, file, answer = source.manifest_of(task), source.sidecar_of(task), _answer_of(source, task)
    values = {
        "sidecar": "null" if file is None else sidecar(file),
        "sampler": sampler_config(manifest.sampler),
        "systemPrompt": string_or_null(_system_prompt_of(source, task)),
        "chatTemplate": string_or_null(_template_of(source, task)),
        "format": "null" if answer is None else response_format(answer),
    }
    arguments = "\n".join(f"{name} = {values[name]}," for name in wanted)
    return f"/** {kotlin_comment(task.title)}. */\n{entry_name(task)}(\n{indented(arguments, 4)}\n),"


def _constants(source: Source) -> Iterator[str]:
    model = source.manifest.model
    yield f"const val MODEL_FILE = {kotlin_string(model.file)}"
    yield f"const val MODEL_BYTES = {model.size:_}L"
    yield f"const val MODEL_SHA256 = {kotlin_string(model.sha256)}"
    yield "/** The most tokens of prompts and answers together; a longer prompt aborts natively, check before. */"
    yield f"const val MAX_TOKENS = {source.manifest.kv_length}"
    if _several(source):
        if _has_sidecars(source):
            yield "private val SIDECARS = Task.entries.map { it.sidecar }"
    else:
        yield from _task_constants(source, source.task)
    if _has_format(source) and source.suppressed:
        yield "/**"
        yield " * Under a format only the first stop token may end an answer: the others would pass as text, and so"
        yield " * would the tokens of single ASCII bytes."
        yield " */"
        yield f"private val SUPPRESSED = SuppressTokensConfig({ids(source.suppressed)})"


def _task_constants(source: Source, task: Task) -> Iterator[str]:
    file, answer, template = (
        source.sidecar_of(task),
        _answer_of(source, task),
        _template_of(source, task),
    )
    if file is not None:
        yield f"private val SIDECAR = {sidecar(file)}"
        yield "private val SIDECARS = listOf(SIDECAR)"
    if (said := _system_prompt_of(source, task)) is not None:
        yield f"private const val SYSTEM_PROMPT = {kotlin_string(said)}"
    if template is not None:
        yield f"private const val CHAT_TEMPLATE = {kotlin_string(template)}"
    if answer is not None:
        yield "/** What every answer is held to. */"
        yield f"private val FORMAT = {response_format(answer)}"


def _configuration(source: Source) -> Iterator[str]:
    several = _several(source)
    if _has_system_prompt(source):
        said = "task.systemPrompt?.let { Contents.of(it) }" if several else "Contents.of(SYSTEM_PROMPT)"
        yield f"systemInstruction = {said},"
    sampler = "task.sampler" if several else sampler_config(source.manifest_of(source.task).sampler)
    yield f"samplerConfig = {sampler},"
    if _has_sidecars(source):
        yield "// Always: without one the engine would leave the base's adapter inputs as the memory was."
        yield f"loraConfig = LoraConfig(loraPath = {'task.sidecar' if several else 'SIDECAR'}.at(directory).path),"
    if _has_format(source):
        yield f"enableResponseFormat = {'task.format != null' if several else 'true'},"
    if _has_template(source):
        yield f"chatTemplate = {'task.chatTemplate' if several else 'CHAT_TEMPLATE'},"


def _sending(source: Source) -> Iterator[str]:
    several = _several(source)
    yield "Message.user(prompt)"
    yield "listener"
    if _has_format(source):
        if source.suppressed:
            suppressed = "SUPPRESSED.takeIf { task.format != null }" if several else "SUPPRESSED"
            yield f"suppressTokensConfig = {suppressed}"
        yield f"responseFormat = {'task.format' if several else 'FORMAT'}"


def _opening(name: str, *, copies: bool, sidecars: bool) -> str:
    template = OPEN_COPIED if copies else OPEN_FILE
    return template.format(
        name=name,
        files="Copies the model and its adapters out of the assets"
        if sidecars
        else "Copies the model out of the assets",
        directory=DIRECTORY if sidecars else "",
        made=f"{name}(Engine(configuration).also {{ it.initialize() }}{', directory' if sidecars else ''})",
        beside="; its adapters lie beside it as in the assets" if sidecars else "",
        checked=CHECK_SIDECARS if sidecars else "",
        kept="SIDECARS.map { it.at(directory) } + model" if sidecars else "listOf(model)",
        copied=COPY_SIDECARS if sidecars else "",
    )


def string_or_null(text: str | None) -> str:
    """A Kotlin string literal, null for None."""
    return "null" if text is None else kotlin_string(text)


def ids(numbers: Sequence[int]) -> str:
    """Ids as a list, stretches as ranges."""
    stretches: list[list[int]] = []
    for number in sorted(set(numbers)):
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return " + ".join(
        f"listOf({first})" if first == last else f"({first}..{last}).toList()" for first, last in stretches
    )


def sidecar(file: ModelFile) -> str:
    """A sidecar as the generated class's Sidecar, on several lines."""
    return f"Sidecar(\n    {kotlin_string(file.file)},\n    {file.size:_}L,\n    {kotlin_string(file.sha256)},\n)"
