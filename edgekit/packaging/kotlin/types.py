"""Kotlin types of JSON schemas: an object becomes a data class, texts to choose from an enum.

What a schema leaves open (anyOf, objects without properties, references in a circle) is `Any?`: as the JSON is read,
in Kotlin's own maps, lists, texts and numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import indent
from typing import Any, Final

from edgekit.packaging.kotlin.names import constant_names, member_names, type_names
from edgekit.quoting import kotlin_comment, kotlin_string

_SCALARS: Final = {"string": "String", "integer": "Long", "number": "Double", "boolean": "Boolean"}
_DEEPEST: Final = 12
_MOST_FIELDS: Final = 100
"""A JVM function has 255 slots for its parameters, of which a Double takes two."""

HIDDEN: Final = frozenset(
    "Any Array Boolean Companion Context Double Enum Flow IllegalArgumentException Int Iterable List Long Map "
    "Model Nothing Number Partial Result Session String Suppress Throwable Tools Unit BundleSource Edgekit "
    "OpenOptions".split()
)
"""Names that generated code uses itself, and that a class of its own would hide."""


@dataclass(frozen=True)
class Type:
    """A type as Kotlin writes it, and how a value of it is read from JSON. read: in which {} is the value."""

    name: str
    read: str
    nullable: bool = False

    @property
    def written(self) -> str:
        """With the mark of what may be null."""
        return f"{self.name}?" if self.nullable and self.name != "Any?" else self.name

    def reading(self, value: str) -> str:
        """An expression that reads a value, null where it may be."""
        if self.name == "Any?":
            return value
        if self.nullable:
            return f"{value}?.let {{ {self.read.replace('{}', 'it')} }}"
        return self.read.replace("{}", value)


ANY: Final = Type("Any?", "{}", nullable=True)


@dataclass(frozen=True)
class Member:
    """A property of a data class. key: its name in the JSON."""

    key: str
    name: str
    type: Type
    about: str


@dataclass
class Types:
    """Classes that are made for one schema, in the order in which they are met. taken: names that are used already."""

    root: Mapping[str, Any]
    taken: set[str] = field(default_factory=lambda: set(HIDDEN))
    written: list[str] = field(default_factory=list)
    _inside: list[int] = field(default_factory=list)

    def of(self, schema: Any, name: str, depth: int = 0) -> Type:
        """The type of a schema. name: of the property that it is of, for a class."""
        schema, nullable = self._resolved(schema)
        if not isinstance(schema, Mapping) or depth > _DEEPEST:
            return ANY
        choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if choices is not None:
            texts = [one for one in choices if one is not None]
            nullable = nullable or len(texts) < len(choices)
            if not texts or not all(isinstance(one, str) for one in texts):
                return ANY
            return self._enum(texts, name, nullable, str(schema.get("description", "")))
        kind = schema.get("type")
        if kind == "array":
            inner = self.of(schema.get("items"), name, depth + 1)
            read = f"({{}} as List<*>).map {{ {inner.reading('it')} }}"
            return Type(f"List<{inner.written}>", read, nullable)
        if kind == "object" and 0 < len(schema.get("properties", {})) <= _MOST_FIELDS:
            if id(schema) in self._inside:
                return ANY
            made = self._once(name)
            self._inside.append(id(schema))
            members = self.members(schema, depth + 1)
            self._inside.pop()
            self.written.append(data_class(made, members, str(schema.get("description", ""))))
            return Type(made, f"{made}.of({{}})", nullable)
        if kind in ("integer", "number"):
            return Type(_SCALARS[kind], f"({{}} as Number).to{_SCALARS[kind]}()", nullable)
        if kind in _SCALARS:
            return Type(_SCALARS[kind], f"{{}} as {_SCALARS[kind]}", nullable)
        return ANY

    def members(self, schema: Mapping[str, Any], depth: int = 0) -> list[Member]:
        """The properties of an object; those that may be missing can be null, and come last."""
        properties, required = schema["properties"], schema.get("required", ())
        names, found = member_names(properties), []
        for key in sorted(properties, key=lambda key: key not in required):
            kind = self.of(properties[key], key, depth)
            if key not in required:
                kind = Type(kind.name, kind.read, nullable=True)
            found.append(Member(key, names[key], kind, _about(properties[key])))
        return found

    def _enum(self, texts: Sequence[str], name: str, nullable: bool, about: str) -> Type:
        made = self._once(name)
        self.written.append(enum_class(made, texts, about))
        return Type(made, f"{made}.of({{}})", nullable)

    def _once(self, name: str) -> str:
        (made,) = type_names([name], ()).values()
        if made in self.taken:
            (made,) = type_names([f"{name} value"], self.taken).values()
        self.taken.add(made)
        return made

    def _resolved(self, schema: Any) -> tuple[Any, bool]:
        """A schema without its reference, and without null among what it may be; whether it may be null."""
        for _ in range(_DEEPEST):
            if isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str):
                schema = self._referred(schema["$ref"])
                continue
            break
        if not isinstance(schema, Mapping):
            return schema, False
        kinds = schema.get("type")
        if isinstance(kinds, list):
            others = [kind for kind in kinds if kind != "null"]
            return {**schema, "type": others[0] if len(others) == 1 else None}, len(others) < len(kinds)
        for key in ("anyOf", "oneOf"):
            options = schema.get(key)
            if isinstance(options, list):
                others = [one for one in options if one != {"type": "null"}]
                if len(others) == 1 < len(options):
                    inner, _ = self._resolved(others[0])
                    return inner, True
                return None, False
        return schema, bool(schema.get("nullable"))

    def _referred(self, reference: str) -> Any:
        place: Any = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            place = place.get(step) if isinstance(place, Mapping) and step else place
        return place if reference.startswith("#/") else None


def enum_class(name: str, texts: Sequence[str], about: str) -> str:
    """An enum of texts. texts: each once."""
    constants = constant_names(dict.fromkeys(texts))
    entries = ",\n".join(f"    {constant}({kotlin_string(text)})" for text, constant in constants.items())
    return f"""\
{_comment(about)}public enum class {name}(
    /** As the model writes it. */
    public val text: String,
) {{
{entries},
    ;

    internal companion object {{
        fun of(value: Any?): {name} =
            entries.firstOrNull {{ it.text == value }} ?: throw IllegalArgumentException("not one of {name}: $value")
    }}
}}"""


def data_class(name: str, members: Sequence[Member], about: str) -> str:
    """A data class of what an object holds."""
    return f"""\
{_comment(about)}public data class {name}(
{declared(members)}
) {{
    internal companion object {{
        fun of(value: Any?): {name} {{
            val values = value as Map<*, *>
            return {name}(
{indent(chr(10).join(_arguments(members)), " " * 16)}
            )
        }}
    }}
}}"""


def declared(members: Sequence[Member], *, growing: bool = False) -> str:
    """Properties of a constructor. growing: while an answer streams, when each may still be missing."""
    lines: list[str] = []
    for one in members:
        if one.about:
            lines.append(f"    /** {kotlin_comment(one.about)} */")
        kind = f"{one.type.name.removesuffix('?')}?" if growing else one.type.written
        default = " = null" if growing or one.type.nullable else ""
        lines.append(f"    public val {one.name}: {kind}{default},")
    return "\n".join(lines)


def growing_arguments(members: Sequence[Member]) -> Iterator[str]:
    """How what is there of an object is read from `values`."""
    for one in members:
        value = Type(one.type.name, one.type.read, nullable=True)
        yield f"{one.name} = {value.reading(f'values[{kotlin_string(one.key)}]')},"


def _arguments(members: Sequence[Member]) -> Iterator[str]:
    for one in members:
        yield f"{one.name} = {one.type.reading(f'values[{kotlin_string(one.key)}]')},"


def _about(schema: Any) -> str:
    return str(schema.get("description", "")) if isinstance(schema, Mapping) else ""


def _comment(about: str) -> str:
    return f"/** {kotlin_comment(about)} */\n" if about.strip() else ""
