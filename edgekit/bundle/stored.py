"""The weights inside a model file: every named constant of its TFLite section, and what it computes with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.container import Container, SectionInfo, SectionKind, section_bytes
from edgekit.bundle.flat import FlatError
from edgekit.bundle.tflite import read_model
from edgekit.errors import BundleError
from edgekit.quantize.solve import QuantizedTensor, dequantize
from edgekit.recipes.scheme import Scheme


@dataclass(frozen=True)
class StoredWeight:
    """A constant as it lies in the file.

    name: the checkpoint tensor's, in a file that edgekit linked. data: its bytes, a view into the file.
    scales: (rows,) or (rows, blocks), float32; None for float32 weights. scale_data: the bytes of block scales.
    """

    name: str
    shape: tuple[int, ...]
    scheme: Scheme
    data: memoryview
    scales: NDArray[np.float32] | None
    scale_data: memoryview | None

    def read(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows as the engine computes with them: dequantized."""
        width = int(np.prod(self.shape[1:], dtype=np.int64))
        start, stop, _ = rows.indices(self.shape[0])
        first, last = start * width * self.scheme.bits // 8, stop * width * self.scheme.bits // 8
        raw = np.frombuffer(self.data[first:last], np.uint8)
        if self.scales is None:
            return raw.view(np.float32).reshape(stop - start, *self.shape[1:])
        codes = unpack(raw, self.scheme.bits).reshape(stop - start, width)
        values = dequantize(QuantizedTensor(codes, self.scales[start:stop]), self.scheme)
        return values.reshape(stop - start, *self.shape[1:])


def model_section(container: Container) -> SectionInfo:
    """Return the section that the engine runs as the language model.

    Raises BundleError when there is none, or when its weights or its embedder are in sections of their own.
    """
    models = [s for s in container.sections if s.kind is SectionKind.TFLITE_MODEL]
    apart = any(s.kind is SectionKind.TFLITE_WEIGHTS for s in container.sections)
    named = [s for s in models if s.metadata.get("model_type") == "tf_lite_prefill_decode"]
    if apart or len(named or models) != 1:
        raise BundleError(
            "its model is spread over several sections, which only the engine can put together",
            where=container.path,
        )
    return (named or models)[0]


def model_bytes(container: Container) -> memoryview:
    """Return the TFLite model of a container, checked to be whole."""
    data = section_bytes(container, model_section(container))
    try:
        read_model(data, 0)
    except FlatError as error:
        raise BundleError(f"the model is damaged: {error}", where=container.path) from None
    return data


def stored_weights(model: memoryview) -> dict[str, StoredWeight]:
    """Return the floating-point and quantized constants of a TFLite model, by name.

    model: as `model_bytes` gives it. Constants without a name, and those of a scheme that edgekit does not
    write, are left out.
    """
    from ai_edge_litert import schema_py_generated as schema

    root = schema.Model.GetRootAs(model, 0)
    types = schema.TensorType
    bits = {types.FLOAT32: 32, types.INT8: 8, types.INT4: 4, types.INT2: 2}
    found: dict[str, StoredWeight] = {}
    for index in range(root.SubgraphsLength()):
        subgraph = root.Subgraphs(index)
        for number in range(subgraph.TensorsLength()):
            tensor = subgraph.Tensors(number)
            name = (tensor.Name() or b"").decode(errors="replace")
            if not name or name in found or tensor.Type() not in bits:
                continue
            data = _buffer(model, root, tensor)
            if data is None:
                continue
            shape = tuple(int(tensor.Shape(axis)) for axis in range(tensor.ShapeLength()))
            weight = _weight(model, root, subgraph, tensor, name, shape, bits[tensor.Type()], data)
            if weight is not None:
                found[name] = weight
    return found


def unpack(raw: NDArray[np.uint8], bits: int) -> NDArray[np.int8]:
    """Undo `edgekit.quantize.solve.pack`: codes of 8, 4 or 2 bits, one per byte, sign extended."""
    if bits == 8:
        return raw.view(np.int8)
    per_byte = 8 // bits
    codes = np.empty((len(raw), per_byte), np.int8)
    for position in range(per_byte):
        # The code moves to the top of the byte, and an arithmetic shift brings it down with its sign.
        codes[:, position] = (raw << (8 - bits * (position + 1))).view(np.int8) >> (8 - bits)
    return codes.reshape(-1)


def _buffer(model: memoryview, root: Any, tensor: Any) -> memoryview | None:
    buffer = root.Buffers(tensor.Buffer())
    if buffer.Offset() > 1:
        return model[buffer.Offset() : buffer.Offset() + buffer.Size()]
    inside = buffer.DataAsNumpy()
    return memoryview(inside.tobytes()) if isinstance(inside, np.ndarray) and inside.size > 4 else None


def _weight(
    model: memoryview,
    root: Any,
    subgraph: Any,
    tensor: Any,
    name: str,
    shape: tuple[int, ...],
    bits: int,
    data: memoryview,
) -> StoredWeight | None:
    if bits == 32:
        return StoredWeight(name, shape, Scheme(32), data, None, None)
    from ai_edge_litert import schema_py_generated as schema

    quantization = tensor.Quantization()
    if quantization is None or len(shape) != 2:
        return None
    if quantization.DetailsType() == schema.QuantizationDetails.BlockwiseQuantization:
        details = schema.BlockwiseQuantization()
        details.Init(quantization.Details().Bytes, quantization.Details().Pos)
        scale_data = _buffer(model, root, subgraph.Tensors(details.Scales()))
        if scale_data is None:
            return None
        scales = np.frombuffer(scale_data, np.float16).astype(np.float32).reshape(shape[0], -1)
        scheme = Scheme(cast(Any, bits), details.BlockSize())
        return StoredWeight(name, shape, scheme, data, scales, scale_data)
    scales = quantization.ScaleAsNumpy()
    if not isinstance(scales, np.ndarray) or len(scales) != shape[0]:
        return None
    return StoredWeight(name, shape, Scheme(cast(Any, bits)), data, scales, None)


def same_weights(first: Mapping[str, StoredWeight], second: Mapping[str, StoredWeight]) -> bool:
    """Tell whether two models hold tensors of the same names and shapes."""
    return first.keys() == second.keys() and all(first[n].shape == second[n].shape for n in first)
