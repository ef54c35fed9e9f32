"""Answers that cannot be malformed: a JSON schema or a regular expression that the engine decodes under.

The engine's constrained decoding (LLGuidance) lets only those tokens through that can still lead to an allowed answer.
Here the format is read and checked as far as that goes without the engine; what LLGuidance makes of it, only the
engine can tell: `edgekit.runtime.ask.smoke`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from edgekit.errors import BundleError, CheckpointError, InputError
from edgekit.files.within import read_regular
from edgekit.records import documents
from edgekit.records.documents import parse_json_object
from edgekit.text import bounded

_GUIDANCE = "x-guidance"
_MAX_SCHEMA_BYTES = 1 << 20
_SHOWN = 3
_SETTLES_OTHERS = {"additionalProperties", "unevaluatedProperties", "patternProperties", "allOf", "$ref"}
_MOST_UNDECIDED = 2
"""Answers that may take all the time there is, before the rest is not asked any more."""


@dataclass(frozen=True)
class AnswerFormat:
    """What an answer may look like.

    kind: "json_schema" or "regex".
    source: the schema as JSON text, or the regular expression in the syntax of Rust's regex crate.
    """

    kind: Literal["json_schema", "regex"]
    source: str

    def to_manifest(self) -> dict[str, Any]:
        """Return what the manifest keeps: {"kind": "json_schema", "schema": {…}} or {"kind": "regex", "regex": "…"}."""
        if self.kind == "regex":
            return {"kind": "regex", "regex": self.source}
        return {"kind": "json_schema", "schema": json.loads(self.source)}

    @staticmethod
    def from_manifest(entry: Mapping[str, Any]) -> AnswerFormat:
        """Read what `to_manifest` wrote; raises BundleError for anything else."""
        kind = entry.get("kind")
        if kind == "regex" and isinstance(entry.get("regex"), str):
            return AnswerFormat("regex", entry["regex"])
        if kind == "json_schema" and isinstance(entry.get("schema"), dict):
            return AnswerFormat("json_schema", _dump(entry["schema"]))
        raise BundleError('key "answers" of the manifest is neither a JSON schema nor a regular expression')

    def literals(self) -> tuple[str, ...]:
        """Return the texts that the format spells out, such as the strings of an enum and names of properties."""
        if self.kind == "regex":
            return (self.source,)
        return tuple(dict.fromkeys(_literals(json.loads(self.source))))

    def notes(self) -> tuple[str, ...]:
        """Return what a user should know of the format: where an answer may have more than the schema names."""
        places = [] if self.kind == "regex" else _left_open(json.loads(self.source))
        if not places:
            return ()
        said = ", ".join(places[:_SHOWN]) + (", …" if len(places) > _SHOWN else "")
        return (
            "the answer schema allows more properties than it names, and a model may add them without end: "
            f'say "additionalProperties": false in {said}',
        )


def allowed(texts: Sequence[str], answers: AnswerFormat) -> list[bool]:
    """Whether each answer is one that the format allows.

    A schema or an expression comes with the bundle, and can take for ever: it is asked in a child, and what that cannot
    decide is not allowed.
    """

    def ask(some: Sequence[str]) -> list[bool] | None:
        try:
            found: list[bool] = bounded.templates.ask(
                "allowed", kind=answers.kind, source=answers.source, texts=[*some]
            )
        except (bounded.Failed, bounded.LimitExceeded):
            return None
        return found

    if (together := ask(texts)) is not None:
        return together
    verdicts: list[bool] = []
    undecided = 0
    for text in texts:
        one = ask([text]) if undecided < _MOST_UNDECIDED else None
        undecided += one is None
        verdicts += one or [False]
    return verdicts


def matches(text: str, kind: str, source: str) -> bool:
    """Whether one answer is allowed, in the child itself.

    A JSON schema is checked by the jsonschema package; without it, only that the answer is a JSON value. A reference
    leads nowhere but into the schema.
    """
    if kind == "regex":
        return re.fullmatch(source, text.strip()) is not None
    try:
        value = documents.loads(text)
    except ValueError:
        return False
    try:
        import jsonschema
        from jsonschema_specifications import REGISTRY
    except ImportError:
        return True
    return bool(jsonschema.Draft202012Validator(json.loads(source), registry=REGISTRY).is_valid(value))


def read_schema(path: Path) -> AnswerFormat:
    """Read `--answer-schema`: a file with a JSON schema that is an object.

    Unless the schema says otherwise, answers are written without free white space: a weak model would fill them with
    newlines. Raises InputError that names the file and what is wrong.
    """
    try:
        content = read_regular(path, _MAX_SCHEMA_BYTES)
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=path, remedy="pass the path of a JSON schema"
        ) from error
    if content is None:
        raise InputError(
            f"is larger than {_MAX_SCHEMA_BYTES >> 20} MiB", where=path, remedy="list fewer values"
        )
    try:
        schema = parse_json_object(content, where=path)
    except CheckpointError as error:
        raise InputError(error.message, where=path, remedy="write a JSON schema") from error
    guidance = schema.setdefault(_GUIDANCE, {})
    if not isinstance(guidance, dict):
        raise InputError(f'key "{_GUIDANCE}" is not an object', where=path)
    guidance.setdefault("whitespace_flexible", False)
    return AnswerFormat("json_schema", _dump(schema))


def parse_regex(pattern: str) -> AnswerFormat:
    """Parse `--answer-regex`; raises InputError for what is no regular expression or one that matches only nothing.

    Python's syntax and that of the engine's regex engine share all that a set of labels needs; the engine has no
    look-around and no back-references, and says so itself.
    """
    where = "--answer-regex"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        # Rust's \p{…} classes are not Python's.
        if "bad escape" not in str(error):
            raise InputError(f"{pattern!r} is not a regular expression: {error}", where=where) from error
        return AnswerFormat("regex", pattern)
    if not pattern or compiled.fullmatch(""):
        raise InputError(f"{pattern!r} allows an empty answer", where=where)
    return AnswerFormat("regex", pattern)


def parse_answer(schema: str | Path | None, regex: str | None) -> AnswerFormat | None:
    """Read whichever of `--answer-schema` and `--answer-regex` was given; raises InputError when both were."""
    if schema is not None and regex is not None:
        raise InputError(
            "a schema and a regular expression are given",
            where="--answer-schema, --answer-regex",
            remedy="leave one of them away",
        )
    if schema is not None:
        return read_schema(Path(schema))
    return None if regex is None else parse_regex(regex)


def _dump(schema: Mapping[str, Any]) -> str:
    # The order of properties is the order in which the answer has them: keep it.
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def _left_open(schema: object, place: str = "") -> list[str]:
    """Where a schema names properties of an object and does not say whether there may be others: as in JSON Schema."""
    if not isinstance(schema, dict):
        return []
    found = []
    if isinstance(schema.get("properties"), dict) and not _SETTLES_OTHERS & schema.keys():
        found.append(place or "its outermost object")
    for key in ("properties", "$defs", "definitions"):
        named = schema.get(key)
        for name, value in named.items() if isinstance(named, dict) else ():
            inner = name if key == "properties" else f"{key}.{name}"
            found += _left_open(value, f"{place}.{inner}" if place else inner)
    found += _left_open(schema.get("items"), f"{place}[]")
    for key in ("anyOf", "oneOf", "prefixItems"):
        choices = schema.get(key)
        for value in choices if isinstance(choices, list) else ():
            found += _left_open(value, f"{place}[]" if key == "prefixItems" else place)
    return list(dict.fromkeys(found))


def _literals(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [text for entry in schema for text in _literals(entry)]
    if not isinstance(schema, dict):
        return []
    texts: list[str] = []
    for key, value in schema.items():
        if key in ("enum", "const"):
            values = value if key == "enum" and isinstance(value, list) else [value]
            texts += [json.dumps(v, ensure_ascii=False) for v in values]
        elif key == "properties" and isinstance(value, dict):
            texts += [json.dumps(name, ensure_ascii=False) for name in value]
            texts += _literals(list(value.values()))
        elif key not in ("default", "examples", _GUIDANCE):
            texts += _literals(value)
    return texts
