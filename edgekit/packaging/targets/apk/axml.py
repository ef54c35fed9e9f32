"""Android's binary XML: the form in which a manifest or a drawable lies in an APK.

A file is a chunk that holds chunks; each begins with its type (u16), the size of its header (u16) and its whole size
(u32), little-endian as everything here (`frameworks/base/libs/androidfw/include/androidfw/ResourceTypes.h`):

    XML 0x0003
      string pool 0x0001      every text of the file, once; the rest names texts by their index
      resource map 0x0180     resource ids of the first texts: those that are names of attributes such as android:label
      then, in the order of the document
        start of namespace 0x0100, end 0x0101      prefix, URI
        start of element 0x0102, end 0x0103        with its attributes
        text 0x0104

An attribute has a namespace, a name, the text it was written as (or none) and a typed value: a type (u8) and 32 bits
of data, such as an integer, a reference to a resource, or the index of a text.

`decode` gives the document as a list of nodes in which texts stand for themselves; `encode` makes a new string pool of
what the nodes use. So a text that was replaced is gone from the file, and nothing needs to be kept in step by hand.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from edgekit.errors import InputError
from edgekit.packaging.targets.apk.string_pool import STRING_POOL, read_string_pool, string_pool_bytes

ANDROID = "http://schemas.android.com/apk/res/android"
"""The URI of the namespace that manifests call `android`."""

TYPE_REFERENCE = 0x01
TYPE_STRING = 0x03
TYPE_INTEGER = 0x10
TYPE_HEXADECIMAL = 0x11
TYPE_BOOLEAN = 0x12

_XML, _RESOURCE_MAP = 0x0003, 0x0180
_START_NAMESPACE, _END_NAMESPACE, _START_ELEMENT, _END_ELEMENT, _TEXT = range(0x0100, 0x0105)
_NONE = 0xFFFFFFFF
_CHUNK = struct.Struct("<HHI")
_NODE = struct.Struct("<HHIII")
_ELEMENT = struct.Struct("<IIHHHHHH")
_ATTRIBUTE = struct.Struct("<IIIHBBI")


@dataclass(frozen=True)
class Attribute:
    """One attribute of an element.

    resource: the id of the attribute's name, None for those of no namespace. raw: the text it was written as, where
    that was kept. text: the value when the type is TYPE_STRING; any other value is `data`.
    """

    namespace: str | None
    name: str
    resource: int | None
    raw: str | None
    type: int
    data: int
    text: str | None = None

    def with_text(self, text: str) -> Attribute:
        """The same attribute with a literal text as its value."""
        return replace(self, raw=text, type=TYPE_STRING, data=0, text=text)

    def with_integer(self, number: int) -> Attribute:
        """The same attribute with a whole number of 32 bits as its value."""
        return replace(self, raw=None, type=TYPE_INTEGER, data=number & 0xFFFFFFFF, text=None)


@dataclass(frozen=True)
class Namespace:
    """The start or the end of the part of a document in which a prefix stands for a URI."""

    line: int
    comment: str | None
    prefix: str | None
    uri: str
    starts: bool


@dataclass(frozen=True)
class Start:
    """The start of an element. marked: the places (from 1, 0 for none) of its id, class and style attributes."""

    line: int
    comment: str | None
    namespace: str | None
    name: str
    attributes: tuple[Attribute, ...]
    marked: tuple[int, int, int] = (0, 0, 0)

    def attribute(self, name: str, namespace: str | None = ANDROID) -> Attribute | None:
        """The attribute of this name, None when there is none."""
        return next((a for a in self.attributes if (a.namespace, a.name) == (namespace, name)), None)


@dataclass(frozen=True)
class End:
    """The end of an element."""

    line: int
    comment: str | None
    namespace: str | None
    name: str


@dataclass(frozen=True)
class Text:
    """Text between elements, with the typed value that it also has."""

    line: int
    comment: str | None
    text: str
    type: int
    data: int


Node = Namespace | Start | End | Text


@dataclass(frozen=True)
class Document:
    """A binary XML file. utf8: whether its texts are stored as UTF-8; else as UTF-16."""

    nodes: tuple[Node, ...]
    utf8: bool

    def elements(self) -> Iterator[tuple[tuple[str, ...], Start]]:
        """Every element with the names of those around it, the outermost first."""
        around: list[str] = []
        for node in self.nodes:
            if isinstance(node, Start):
                yield tuple(around), node
                around.append(node.name)
            elif isinstance(node, End):
                around.pop()

    def without(self, name: str) -> Document:
        """The document without the elements of this name and what is in them."""
        kept: list[Node] = []
        depth = 0
        for node in self.nodes:
            inside = depth > 0
            if isinstance(node, Start) and (inside or node.name == name):
                depth += 1
            elif isinstance(node, End) and inside:
                depth -= 1
            elif not inside:
                kept.append(node)
        return replace(self, nodes=tuple(kept))


# ---------------------------------------- reading


def decode(data: bytes, where: str | Path) -> Document:
    """Read a binary XML file.

    where: what the file is called in errors. Raises InputError when it is no binary XML, damaged, or has what no
    manifest and no drawable has (styled texts, chunks of unknown type).
    """
    try:
        return _Reader(data, where).document()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise InputError(f"this binary XML is damaged: {error}", where=where) from error


class _Reader:
    """The state while a file is read."""

    def __init__(self, data: bytes, where: str | Path) -> None:
        self.data = data
        self.where = where
        self.strings: list[str] = []
        self.resources: list[int] = []

    def refuse(self, why: str) -> NoReturn:
        raise InputError(f"this is no binary XML that can be read: {why}", where=self.where)

    def document(self) -> Document:
        kind, header, size = _CHUNK.unpack_from(self.data)
        if kind != _XML or header != _CHUNK.size or size != len(self.data):
            self.refuse("its beginning is another file's, or its end is missing")
        nodes: list[Node] = []
        utf8: bool | None = None
        for kind, offset, end in self.chunks(header):
            if kind == STRING_POOL and utf8 is None:
                self.strings, utf8 = read_string_pool(self.data[offset:end], self.where)
            elif kind == _RESOURCE_MAP and not nodes:
                self.resources = [
                    number for (number,) in struct.iter_unpack("<I", self.data[offset + 8 : end])
                ]
            elif _START_NAMESPACE <= kind <= _TEXT:
                nodes.append(self.node(kind, offset, end))
            else:
                self.refuse(f"a chunk of type {kind:#06x} has no business there")
        self.check_nesting(nodes)
        return Document(tuple(nodes), bool(utf8))

    def chunks(self, offset: int) -> Iterator[tuple[int, int, int]]:
        while offset < len(self.data):
            kind, header, size = _CHUNK.unpack_from(self.data, offset)
            if size % 4 or not _CHUNK.size <= header <= size <= len(self.data) - offset:
                self.refuse(f"the chunk at byte {offset} says that it is {size} bytes long")
            yield kind, offset, offset + size
            offset += size

    def node(self, kind: int, offset: int, end: int) -> Node:
        _, header, _, line, comment_index = _NODE.unpack_from(self.data, offset)
        if header != _NODE.size:
            self.refuse(f"the node at byte {offset} has a header of {header} bytes")
        body, comment = self.data[offset + header : end], self.string(comment_index)
        if kind in (_START_NAMESPACE, _END_NAMESPACE):
            prefix, uri = struct.unpack("<II", body)
            return Namespace(line, comment, self.string(prefix), self.text(uri), kind == _START_NAMESPACE)
        if kind == _END_ELEMENT:
            namespace, name = struct.unpack("<II", body)
            return End(line, comment, self.string(namespace), self.text(name))
        if kind == _TEXT:
            text, _, _, value_type, value = struct.unpack("<IHBBI", body)
            return Text(line, comment, self.text(text), value_type, value)
        namespace, name, start, each, count, *marked = _ELEMENT.unpack_from(body)
        if start < _ELEMENT.size or each < _ATTRIBUTE.size or start + each * count > len(body):
            self.refuse(f"the attributes of the element at byte {offset} do not fit into it")
        if any(place > count for place in marked):
            self.refuse(f"the element at byte {offset} marks an attribute that it does not have")
        attributes = tuple(self.attribute(body, start + each * number) for number in range(count))
        identity, class_, style = marked
        return Start(
            line, comment, self.string(namespace), self.text(name), attributes, (identity, class_, style)
        )

    def attribute(self, body: bytes, offset: int) -> Attribute:
        namespace, name, raw, _, _, value_type, data = _ATTRIBUTE.unpack_from(body, offset)
        text = self.text(data) if value_type == TYPE_STRING else None
        return Attribute(
            self.string(namespace),
            self.text(name),
            self.resources[name] if name < len(self.resources) else None,
            self.string(raw),
            value_type,
            0 if text is not None else data,
            text,
        )

    def string(self, index: int) -> str | None:
        return None if index == _NONE else self.text(index)

    def text(self, index: int) -> str:
        if index >= len(self.strings):
            self.refuse(f"text {index} is asked for, there are {len(self.strings)}")
        return self.strings[index]

    def check_nesting(self, nodes: list[Node]) -> None:
        open_elements: list[str] = []
        for node in nodes:
            if isinstance(node, Start):
                open_elements.append(node.name)
            elif isinstance(node, End) and (not open_elements or open_elements.pop() != node.name):
                self.refuse(f"the element {node.name} ends where it has not begun")
        if open_elements:
            self.refuse(f"the element {open_elements[-1]} does not end")
        if not any(isinstance(node, Start) for node in nodes):
            self.refuse("it has no element")


# ---------------------------------------- writing


def encode(document: Document) -> bytes:
    """Write a document as binary XML; the same document gives the same bytes."""
    pool = _Pool(document)
    nodes = b"".join(_node_bytes(node, pool) for node in document.nodes)
    resources = struct.pack(f"<{len(pool.resources)}I", *pool.resources)
    body = string_pool_bytes(pool.texts, utf8=document.utf8)
    if resources:
        body += _CHUNK.pack(_RESOURCE_MAP, _CHUNK.size, _CHUNK.size + len(resources)) + resources
    body += nodes
    return _CHUNK.pack(_XML, _CHUNK.size, _CHUNK.size + len(body)) + body


class _Pool:
    """The texts of a file that is written: names of attributes with resource ids first, in the order of the ids."""

    def __init__(self, document: Document) -> None:
        starts = [node for node in document.nodes if isinstance(node, Start)]
        named = {(a.resource, a.name) for s in starts for a in s.attributes if a.resource is not None}
        in_order = sorted(named)
        self.resources = [resource for resource, _ in in_order]
        self.texts = [name for _, name in in_order]
        self._attribute_names = {key: index for index, key in enumerate(in_order)}
        self._others: dict[str, int] = {}

    def index(self, text: str | None) -> int:
        if text is None:
            return _NONE
        if text not in self._others:
            self._others[text] = len(self.texts)
            self.texts.append(text)
        return self._others[text]

    def attribute_name(self, attribute: Attribute) -> int:
        if attribute.resource is None:
            return self.index(attribute.name)
        return self._attribute_names[attribute.resource, attribute.name]


def _node_bytes(node: Node, pool: _Pool) -> bytes:
    if isinstance(node, Namespace):
        kind = _START_NAMESPACE if node.starts else _END_NAMESPACE
        body = struct.pack("<II", pool.index(node.prefix), pool.index(node.uri))
    elif isinstance(node, End):
        kind = _END_ELEMENT
        body = struct.pack("<II", pool.index(node.namespace), pool.index(node.name))
    elif isinstance(node, Text):
        kind = _TEXT
        body = struct.pack("<IHBBI", pool.index(node.text), 8, 0, node.type, node.data)
    else:
        kind = _START_ELEMENT
        body = _ELEMENT.pack(
            *(pool.index(node.namespace), pool.index(node.name)),
            *(_ELEMENT.size, _ATTRIBUTE.size, len(node.attributes)),
            *node.marked,
        )
        body += b"".join(_attribute_bytes(attribute, pool) for attribute in node.attributes)
    size = _NODE.size + len(body)
    return _NODE.pack(kind, _NODE.size, size, node.line, pool.index(node.comment)) + body


def _attribute_bytes(attribute: Attribute, pool: _Pool) -> bytes:
    data = attribute.data if attribute.text is None else pool.index(attribute.text)
    name = pool.attribute_name(attribute)
    return _ATTRIBUTE.pack(
        pool.index(attribute.namespace), name, pool.index(attribute.raw), 8, 0, attribute.type, data
    )
