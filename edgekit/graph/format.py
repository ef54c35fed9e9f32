"""The format of a captured graph: a TFLite model without weights, and the table that says where weights go.

A graph file is a ZIP archive with two members, so that anybody can look inside:

    graph.json    the table: architecture, form, constants, and every place that changes when it is linked
    model.tflite  a TFLite flatbuffer whose weight buffers are empty

The flatbuffer is prepared for linking in place. Every weight tensor carries an explicit type and an
explicit (empty) quantization table, every weight buffer an explicit offset and size, so each can be
overwritten without moving anything. Behind the last tensor of each subgraph and the last buffer stand spare
entries; the linker uses them for block scales and hides the rest by shortening the vectors. See
`edgekit.graph.linker`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any, Literal

from edgekit.errors import GraphError
from edgekit.families.base import Architecture
from edgekit.records.codec import decode
from edgekit.records.documents import parse_json_object

FORMAT_VERSION = 1
GRAPH_SUFFIX = ".graph"
_TABLE, _MODEL = "graph.json", "model.tflite"
_ZIP_EPOCH = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # a ZIP stores a time for every member; a fixed one keeps the bytes reproducible

_MAX_MEMBER_BYTES = 256 << 20
"""A table takes some 100 kB, a flatbuffer without its weights a few MB."""

_REMEDY = "delete it and convert again; edgekit captures or restores it"

_UNREADABLE = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, OSError, EOFError, RuntimeError)
"""What zipfile and json raise for damaged files; RuntimeError stands for methods they do not know."""

Form = Literal["dynamic", "static"]

KEY_SEQUENCE_AXIS = 2
"""Of kv_cache_k_N: (1, heads, sequence, head_dim)."""

VALUE_SEQUENCE_AXIS: dict[Form, int] = {"dynamic": 2, "static": 3}
"""Of kv_cache_v_N. The static form has the transposed layout of Google's files, (1, heads, head_dim, sequence); the
dynamic form has that of the keys, in which the engine lengthens a cache in one piece (docs/benchmarks.md)."""

KvLayout = Literal["full", "window"]
"""What sliding layers keep: every position like the full layers, or a ring of the last ones."""

KvPrecision = Literal["float32", "float16", "int8"]
"""How keys and values are stored."""

KV_SCALE = 2.0**-4
"""Of caches of 8 bits, so that they hold what lies between -8 and 8 (see `edgekit.quantize.caches`)."""

Transform = Literal["as-is", "one-plus", "one-plus-scaled", "positions"]

RESIDUAL_SCALE = 2.0**-5
"""Scale of the residual stream in static graphs. A real Gemma 3 270M reaches 104,000 there, and half precision, in
which a GPU computes, ends at 65,504. Exact, as it is a power of two: the embedding is multiplied by it and the gains of
the norms behind attention and MLP are, the norms in front take it away, with their epsilon times its square."""


_ARCHITECTURE = tuple(f.name for f in fields(Architecture) if f.default is MISSING)
"""The fields of an architecture that a graph depends on, in the order in which they stand in its table."""


def architecture_json(architecture: Architecture) -> dict[str, Any]:
    """An architecture as a graph's table says it; of Gemma 3, the first family, without the family's name."""
    named = {} if architecture.family == "gemma3" else {"family": architecture.family}
    return {**{name: getattr(architecture, name) for name in _ARCHITECTURE}, **named}


def fingerprint(architecture: Architecture) -> str:
    """Eight hexadecimal digits that tell architectures apart in file names."""
    text = json.dumps([FORMAT_VERSION, architecture_json(architecture)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class AdapterInputs:
    """The inputs by which a graph takes an adapter (`edgekit.graph.slots`): its rank, and the projections that
    have them."""

    rank: int
    targets: tuple[str, ...]


@dataclass(frozen=True)
class GraphKey:
    """What a graph is asked for by. Prompt lengths are baked into a static graph; its KV length is linked.

    kv_layout: what sliding layers keep; only the dynamic form has rings.
    scoring: the prefill signature gives the logits behind every token, which no bundle that ships needs and
        validating does.
    adapters: the inputs for an adapter, None for a graph that takes none.
    rotation: length of the rotations in front of products (`edgekit.graph.rotate`), 0 for none. Captured graphs have
        none: rotations are put in when a graph is found.
    """

    architecture: Architecture
    form: Form
    prefill_lengths: tuple[int, ...] = ()
    scoring: bool = False
    kv_layout: KvLayout = "full"
    adapters: AdapterInputs | None = None
    kv_precision: KvPrecision = "float32"
    rotation: int = 0

    def file_name(self) -> str:
        """The name under which the graph is kept in a library directory."""
        lengths = "".join(f"-{length}" for length in self.prefill_lengths)
        purpose = ("-scoring" if self.scoring else "") + ("-window" if self.kv_layout == "window" else "")
        purpose += {"float32": "", "float16": "-kv16", "int8": "-kv8"}[self.kv_precision]
        if self.adapters is not None:
            letters = "".join(target[0] for target in self.adapters.targets)
            purpose += f"-adapter{self.adapters.rank}-{letters}"
        purpose += f"-rotated{self.rotation}" if self.rotation else ""
        name = f"{self.architecture.family}-{fingerprint(self.architecture)}"
        return f"{name}-{self.form}{lengths}{purpose}{GRAPH_SUFFIX}"


@dataclass(frozen=True)
class TensorRef:
    """A tensor of the flatbuffer: its subgraph and its index there."""

    subgraph: int
    tensor: int


@dataclass(frozen=True)
class Constant:
    """One constant that is filled in when the graph is linked.

    tensor: the checkpoint tensor it is made from, by its canonical name.
    transform: "as-is"; "one-plus" for 1 + w (Gemma's RMS norm scales), "one-plus-scaled" for that times
        `RESIDUAL_SCALE`; "positions" for int32 numbers from 0 up to the KV length, which static graphs compare with
        the sliding window and no tensor goes into.
    shape: as stored; vocabulary and KV length are the graph's placeholders.
    buffer: index of its TFLite buffer.
    refs: every tensor of the flatbuffer that reads the buffer.
    quantizable: a matrix that only FULLY_CONNECTED and EMBEDDING_LOOKUP read.
    """

    tensor: str
    transform: Transform
    shape: tuple[int, ...]
    buffer: int
    refs: tuple[TensorRef, ...]
    quantizable: bool


@dataclass(frozen=True)
class Dimension:
    """A number inside the flatbuffer that is set when the graph is linked.

    field: which of a tensor's two shapes it stands in (the signature tells free dimensions apart).
    index: the dimension.
    """

    field: Literal["shape", "signature"]
    ref: TensorRef
    index: int


@dataclass(frozen=True)
class Graph:
    """A captured graph.

    vocabulary, kv_length: the placeholders that stand in the flatbuffer where `vocabulary_dimensions` and
    `kv_dimensions` point; a dynamic graph has no KV length to link.
    spare_buffers: how many buffers at the end of the model are spare; spare tensors of a subgraph: one per
    quantizable constant that the subgraph reads.
    made_with: versions of the packages that captured it.
    captured: digest of the graph that was captured, when rotations were put into it afterwards.
    """

    key: GraphKey
    vocabulary: int
    kv_length: int
    constants: tuple[Constant, ...]
    vocabulary_dimensions: tuple[Dimension, ...]
    kv_dimensions: tuple[Dimension, ...]
    spare_buffers: int
    made_with: dict[str, str]
    flatbuffer: bytes
    captured: str | None = None

    def digest(self) -> str:
        """SHA-256 of all that was captured and a link depends on, without the versions that it was made with.

        Rotations, which follow from the graph and their length, do not change it.
        """
        if self.captured is not None:
            return self.captured
        table = {name: value for name, value in _to_json(self).items() if name != "made_with"}
        content = json.dumps(table, sort_keys=True).encode() + self.flatbuffer
        return hashlib.sha256(content).hexdigest()


_ConstantRow = tuple[str, Transform, tuple[int, ...], int, tuple[tuple[int, int], ...], bool]
_DimensionRow = tuple[Literal["shape", "signature"], int, int, int]


@dataclass(frozen=True)
class _Table:
    """graph.json. Positions are plain lists, for they are most of it; `_to_json` writes it."""

    architecture: Architecture
    form: Form
    prefill_lengths: tuple[int, ...]
    vocabulary: int
    kv_length: int
    constants: tuple[_ConstantRow, ...]
    vocabulary_dimensions: tuple[_DimensionRow, ...]
    kv_dimensions: tuple[_DimensionRow, ...]
    spare_buffers: int
    made_with: Mapping[str, str]
    scoring: bool = False
    cache: KvLayout = "full"
    kv_cache: KvPrecision = "float32"
    adapters: AdapterInputs | None = None
    rotation: int = 0
    captured: str | None = None


def write_graph(graph: Graph, file: Path | IO[bytes]) -> None:
    """Write a graph file; equal graphs give equal bytes."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in (
            (_TABLE, json.dumps(_to_json(graph), separators=(",", ":")).encode()),
            (_MODEL, graph.flatbuffer),
        ):
            member = zipfile.ZipInfo(name, _ZIP_EPOCH)
            archive.writestr(member, content, compress_type=zipfile.ZIP_DEFLATED, compresslevel=9)


def read_graph(path: Path) -> Graph:
    """Read a graph file.

    Raises GraphError when the file is missing, damaged, or of another format version.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            table = parse_json_object(_member(archive, _TABLE), where=path, remedy=_REMEDY, error=GraphError)
            flatbuffer = _member(archive, _MODEL)
    except FileNotFoundError as error:
        raise GraphError("there is no such graph file", where=path) from error
    except _UNREADABLE as error:
        raise GraphError(
            f"this is not a readable graph file ({error})", where=path, remedy=_REMEDY
        ) from error
    if table.get("format_version") != FORMAT_VERSION:
        raise GraphError(
            f"its format version {table.get('format_version')}; this edgekit reads {FORMAT_VERSION}",
            where=path,
            remedy=_REMEDY,
        )
    return _from_table(
        decode(_Table, table, where=f"{path}: {_TABLE}", remedy=_REMEDY, error=GraphError), flatbuffer
    )


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a member; raises ValueError when it would unpack to more than any graph takes."""
    if archive.getinfo(name).file_size > _MAX_MEMBER_BYTES:
        raise ValueError(f"{name} is larger than {_MAX_MEMBER_BYTES >> 20} MiB")
    return archive.read(name)


def _to_json(graph: Graph) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "architecture": architecture_json(graph.key.architecture),
        "form": graph.key.form,
        "prefill_lengths": graph.key.prefill_lengths,
        **({"scoring": True} if graph.key.scoring else {}),
        **({"cache": graph.key.kv_layout} if graph.key.kv_layout != "full" else {}),
        **({"kv_cache": graph.key.kv_precision} if graph.key.kv_precision != "float32" else {}),
        **({"adapters": asdict(graph.key.adapters)} if graph.key.adapters is not None else {}),
        **({"rotation": graph.key.rotation, "captured": graph.captured} if graph.key.rotation else {}),
        "vocabulary": graph.vocabulary,
        "kv_length": graph.kv_length,
        "constants": [
            [
                c.tensor,
                c.transform,
                c.shape,
                c.buffer,
                [[r.subgraph, r.tensor] for r in c.refs],
                c.quantizable,
            ]
            for c in graph.constants
        ],
        "vocabulary_dimensions": [_row(d) for d in graph.vocabulary_dimensions],
        "kv_dimensions": [_row(d) for d in graph.kv_dimensions],
        "spare_buffers": graph.spare_buffers,
        "made_with": graph.made_with,
    }


def _from_table(table: _Table, flatbuffer: bytes) -> Graph:
    return Graph(
        key=GraphKey(
            architecture=table.architecture,
            form=table.form,
            prefill_lengths=table.prefill_lengths,
            scoring=table.scoring,
            kv_layout=table.cache,
            adapters=table.adapters,
            kv_precision=table.kv_cache,
            rotation=table.rotation,
        ),
        vocabulary=table.vocabulary,
        kv_length=table.kv_length,
        constants=tuple(
            Constant(tensor, transform, shape, buffer, tuple(TensorRef(*ref) for ref in refs), quantizable)
            for tensor, transform, shape, buffer, refs, quantizable in table.constants
        ),
        vocabulary_dimensions=_dimensions(table.vocabulary_dimensions),
        kv_dimensions=_dimensions(table.kv_dimensions),
        spare_buffers=table.spare_buffers,
        made_with=dict(table.made_with),
        flatbuffer=flatbuffer,
        captured=table.captured,
    )


def _row(dimension: Dimension) -> list[Any]:
    return [dimension.field, dimension.ref.subgraph, dimension.ref.tensor, dimension.index]


def _dimensions(rows: tuple[_DimensionRow, ...]) -> tuple[Dimension, ...]:
    return tuple(
        Dimension(field, TensorRef(subgraph, tensor), index) for field, subgraph, tensor, index in rows
    )
