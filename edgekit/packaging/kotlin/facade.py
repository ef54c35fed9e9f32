"""Kotlin for a bundle: a class over `edgekit-core` that answers in types of the bundle's own.

From an answer schema come data classes, from labels an enum, from tools an interface. What makes a question safe (one
engine in a process, one answer at a time, a limit that is kept, a conversation that ends) is the core's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from textwrap import indent
from typing import Any, Final

from edgekit.packaging.core import KOTLIN_NEEDED, core_coordinates
from edgekit.packaging.kotlin.names import class_name, member_names, type_names
from edgekit.packaging.kotlin.tools import tools_interface
from edgekit.packaging.kotlin.types import (
    HIDDEN,
    Member,
    Types,
    data_class,
    declared,
    enum_class,
    growing_arguments,
)
from edgekit.packaging.offer import Task
from edgekit.packaging.source import Source
from edgekit.quoting import kotlin_comment, kotlin_package, kotlin_string

YOUR_PACKAGE: Final = "com.example.model"
"""Of what is copied into an app's sources, where it gets the app's own."""

_LABEL: Final = re.compile(r"[^\\^$.|?*+()\[\]{}]+")
_OWN: Final = HIDDEN | {"Answer", "Label"}
_CORE: Final = "dev.edgekit.core"


@dataclass(frozen=True)
class Facade:
    """Generated Kotlin. name: of the class. assets: where it looks for the bundle unless told, if
    anywhere. text: of its file.

    readme: what a README says of it.
    """

    package: str
    name: str
    assets: str | None
    text: str
    readme: str

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.kt"

    @property
    def path(self) -> str:
        """The same below a folder of sources."""
        return f"{self.package.replace('.', '/')}/{self.file}"


def facade_of(source: Source, package: str, *, assets: str | None) -> Facade:
    """Write the class for a bundle. package: of its files.

    assets: the bundle's folder below an app's assets, None for one that comes otherwise.
    """
    name = class_name(source.name)
    name = f"{name}Model" if name in _OWN else name
    several = len(source.offer.tasks) > 1
    taken = {*_OWN, name}
    names = type_names([task.id for task in source.offer.tasks], taken) if several else {}
    parts = [_task(source, task, {*taken, *names.values()}) for task in source.offer.tasks]
    if several:
        body = "\n\n".join(
            _nested(task, names[task.id], part) for task, part in zip(source.offer.tasks, parts, strict=True)
        )
        path = f"model.{_property(names[source.task.id])}"
    else:
        body = indent(parts[0].body, " " * 4)
        path = "model"
    text = _FILE.format(
        core=core_coordinates(),
        kotlin=KOTLIN_NEEDED,
        package=kotlin_package(package),
        imports="\n".join(f"import {line}" for line in _imports(parts)),
        title=kotlin_comment(source.offer.title if several else source.task.title),
        name=name,
        body=body,
        opening=_ELSEWHERE.format(name=name)
        if assets is None
        else _IN_ASSETS.format(name=name, assets=kotlin_string(assets)),
    )
    opened = f"{name}.open(context{'' if assets is not None else ', source'})"
    tools = f"{name}.{names[source.task.id]}.Tools" if several else f"{name}.Tools"
    return Facade(
        package, name, assets, text, _readme(source, opened, path, tools if parts[0].calls else None)
    )


def _readme(source: Source, opened: str, path: str, tools: str | None) -> str:
    """How it is used.

    opened: how it is opened. path: of what answers the first task. tools: the interface's name, if it may call some.
    """
    question = kotlin_string(source.task.examples[0] if source.task.examples else "Hello")
    told = (
        f"`{tools}` has a function for each tool: write them. What the model calls is called there, and it\n"
        "goes on with what they return.\n\n"
        if tools
        else ""
    )
    model = source.manifest.model
    asked = f"{path}.ask({question}{', tools' if tools else ''})"
    return f"""\
```kotlin
val model = {opened}  // once, in a coroutine; seconds
{asked}.onSuccess {{ answer -> … }}.onFailure {{ failure -> … }}
{path}.stream({question}).collect {{ part -> … }}
model.close()
```

{told}`{model.file}` has {model.size:,} bytes. Context: {source.manifest.kv_length:,} tokens, question and answer
together; a longer question fails, and so does one after `close()`.
"""


@dataclass(frozen=True)
class _Part:
    """What answers a task: functions and the classes that they answer with. calls: whether it may call tools."""

    body: str
    calls: bool = False


def _task(source: Source, task: Task, taken: set[str]) -> _Part:
    part = _asking(source, task, taken)
    # Null means the first that can be used; one that is alone needs no name.
    named = kotlin_string(task.id) if len(source.offer.tasks) > 1 else "null"
    return replace(part, body=part.body.replace("(TASK, ", f"({named}, "))


def _asking(source: Source, task: Task, taken: set[str]) -> _Part:
    calling = source.manifest.calling
    if task.adapter is None and calling is not None:
        return _Part(f"{_CALLING}\n\n{tools_interface(calling)}", calls=True)
    answer = source.manifest_of(task).answer
    if answer is None:
        return _Part(_TEXT)
    if answer["kind"] == "regex":
        return _Part(_of_labels(answer["regex"]))
    return _Part(_of_schema(answer["schema"], taken))


def _of_labels(regex: str) -> str:
    labels = labels_of(regex)
    if labels is None:
        return _TEXT
    return f"{_typed('Label', 'Label.of(text.trim())')}\n\n{enum_class('Label', labels, 'What it answers.')}"


def labels_of(regex: str) -> tuple[str, ...] | None:
    """The labels that an expression lists, as in (positive|negative); None for one that says more than that."""
    inner = regex.strip()
    if wrapped := re.fullmatch(r"\((?:\?:)?(.*)\)", inner, re.DOTALL):
        inner = wrapped[1]
    labels = inner.split("|")
    return tuple(labels) if all(_LABEL.fullmatch(label) for label in labels) else None


def _of_schema(schema: Mapping[str, Any], taken: set[str]) -> str:
    types = Types(schema, taken - {"Answer"})
    title = str(schema.get("title") or schema.get("description") or "")
    if schema.get("type") == "object" and schema.get("properties"):
        types.taken.add("Answer")
        members = types.members(schema)
        classes = [data_class("Answer", members, title), _partial(members), *types.written]
        return "\n\n".join((_STREAMED.format(read="Answer.of(wholeJson(text))"), *classes))
    kind = types.of(schema, "Answer")
    read = kind.reading("wholeJson(text)")
    return "\n\n".join((_typed(kind.written, read), *types.written))


def _typed(kind: str, read: str) -> str:
    return _WHOLE.format(kind=kind, read=read)


def _partial(members: list[Member]) -> str:
    growing = [Member(one.key, one.name, one.type, "") for one in members]
    written, answer = member_names(["written", "answer"], {one.name for one in members}).values()
    return _PARTIAL.format(
        written=written,
        answer=answer,
        declared=declared(growing, growing=True),
        arguments=indent("\n".join(growing_arguments(growing)), " " * 16),
    )


def _nested(task: Task, name: str, part: _Part) -> str:
    return f"""\
    /** {kotlin_comment(task.title)}. */
    public val {_property(name)}: {name} = {name}(model)

    /** {kotlin_comment(task.title)}. */
    public class {name} internal constructor(private val model: Model) {{
{indent(part.body, " " * 8)}
    }}"""


def _property(name: str) -> str:
    return name[:1].lower() + name[1:]


def _imports(parts: list[_Part]) -> Iterator[str]:
    text = "\n".join(part.body for part in parts)
    names = ["BundleSource", "Edgekit", "Model", "OpenOptions", "typed.prepared"]
    names += [
        f"typed.{name}"
        for name in ("carryOut", "grow", "partialJson", "typed", "wholeJson")
        if f"{name}(" in text
    ]
    lines = ["android.content.Context", *(f"{_CORE}.{name}" for name in names)]
    return iter(sorted([*lines, "kotlinx.coroutines.flow.Flow"]))


_FILE: Final = """\
// Written by edgekit package, for {core} and Kotlin {kotlin} or newer.
package {package}

{imports}

/**
 * {title}.
 *
 * Each question is a conversation of its own. A process has one model open at a time, and a model answers one question
 * at a time: others wait. Call it on any thread. Close it when nobody needs it; what is asked afterwards fails.
 */
public class {name} private constructor(
    /** What is open, for conversations of several turns, figures, the self-test and a benchmark. */
    public val model: Model,
) : AutoCloseable {{
{body}

    override fun close() {{
        model.close()
    }}

    public companion object {{
{opening}
    }}
}}
"""

_IN_ASSETS: Final = """\
        /** The bundle's folder among the app's assets; its terms, which must stay with it, lie there as `NOTICE`. */
        public const val ASSETS: String = {assets}

        /**
         * Opens the bundle, which takes seconds; at the first start it is copied out of the app and checked.
         *
         * Throws an EdgekitFailure.
         */
        public suspend fun open(
            context: Context,
            options: OpenOptions = OpenOptions(),
            source: BundleSource = BundleSource.Assets(ASSETS),
        ): {name} = {name}(Edgekit.open(context, source, options).prepared())"""

_ELSEWHERE: Final = """\
        /** Opens the bundle from where it lies, which takes seconds. Throws an EdgekitFailure. */
        public suspend fun open(
            context: Context,
            source: BundleSource,
            options: OpenOptions = OpenOptions(),
        ): {name} = {name}(Edgekit.open(context, source, options).prepared())"""

_ASK: Final = """\
/** Asks, and waits for the whole answer. What goes wrong is an EdgekitFailure. */
public suspend fun ask(question: String): Result<"""

_WHOLE: Final = (
    _ASK
    + """{kind}> = model.typed(TASK, question) {{ text -> {read} }}

/** The answer as text, while the model writes it. Cancelling stops the model. */
public fun stream(question: String): Flow<String> = model.grow(TASK, question) {{ text, _ -> text }}"""
)

_TEXT: Final = (
    _ASK
    + """String> = model.typed(TASK, question) { text -> text }

/** The answer so far, while the model writes it. Cancelling stops the model. */
public fun stream(question: String): Flow<String> = model.grow(TASK, question) { text, _ -> text }"""
)

_STREAMED: Final = (
    _ASK
    + """Answer> = model.typed(TASK, question) {{ text -> {read} }}

/** The answer while the model writes it: each field as soon as it is whole. Cancelling stops the model. */
public fun stream(question: String): Flow<Partial> =
    model.grow(TASK, question) {{ text, whole -> Partial.of(text, whole) }}"""
)

_PARTIAL: Final = """\
/** An answer that is being written; a field is null until the model has written it. */
public data class Partial(
    /** What the model has written. */
    public val {written}: String,
{declared}
    /** The whole answer, with the last of these. */
    public val {answer}: Answer?,
) {{
    internal companion object {{
        fun of(text: String, whole: Boolean): Partial {{
            val values = partialJson(text)
            return Partial(
                {written} = text,
{arguments}
                {answer} = if (whole) Answer.of(wholeJson(text)) else null,
            )
        }}
    }}
}}"""

_CALLING: Final = """\
/**
 * Asks. What the model calls is called in [tools], one after the other, and it goes on with what they return, until it
 * answers in words. What goes wrong is an EdgekitFailure, or what a tool threw.
 */
public suspend fun ask(question: String, tools: Tools): Result<String> =
    model.carryOut(TASK, question) { name, arguments -> tools.call(name, arguments) }

/** What the model writes, calls included, without carrying anything out. Cancelling stops the model. */
public fun stream(question: String): Flow<String> = model.grow(TASK, question) { text, _ -> text }"""
