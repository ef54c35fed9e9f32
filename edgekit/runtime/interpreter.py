"""The LiteRT interpreter on a bundle's own graph: whole logit vectors, through either signature."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.bundle.tflite import ADAPTER_INPUT
from edgekit.errors import AdapterError, BundleError

_BLOCKED = np.float32(-0.7) * np.finfo(np.float32).max
"""Added to the scores of positions that must not be seen; what the engine writes into a float mask."""

_DYNAMIC_KV_LENGTH = 32


class GraphInterpreter:
    """Runs the prefill and decode signatures of a TFLite model that edgekit linked.

    The KV cache has `kv_length` positions: any number for a dynamic graph (32 unless given), where `grow` may
    extend it while a text is being fed; the graph's own for a static one.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        kv_length: int | None = None,
        threads: int = 2,
        adapter: Mapping[str, NDArray[np.float32]] | None = None,
    ) -> None:
        """Load a model.

        adapter: what fills adapter inputs, as `edgekit.bundle.sidecar.read_sidecar` gives it; a smaller rank than the
            graph's is padded with zeros, and zeros fill every other one. Raises AdapterError when it does not fit.
        """
        from ai_edge_litert.interpreter import Interpreter

        source: dict[str, Any] = (
            {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        )
        self._interpreter = Interpreter(**source, num_threads=threads)
        signatures = self._interpreter.get_signature_list()
        self._decode = self._interpreter.get_signature_runner("decode")
        self._prefill = {
            name: self._interpreter.get_signature_runner(name)
            for name in signatures
            if name.startswith("prefill")
        }
        self._fed = False
        self._details = dict(self._decode.get_input_details())
        self._free = any(-1 in detail["shape_signature"] for detail in self._details.values())
        self.kv_length = kv_length or _DYNAMIC_KV_LENGTH
        if not self._free:
            self.kv_length = int(self._details["mask"]["shape"][-1])
        self.position = 0
        self._cache = {
            name: np.zeros(self._shape(detail), detail["dtype"])
            for name, detail in self._details.items()
            if name.startswith("kv_cache")
        }
        self._adapter = self._adapter_inputs(adapter or {})

    @property
    def prefill_lengths(self) -> tuple[int, ...]:
        """Prompt lengths of the prefill signatures, ascending; empty when any length goes."""
        return tuple(
            sorted(int(name.removeprefix("prefill_")) for name in self._prefill if name != "prefill")
        )

    def grow(self, kv_length: int) -> None:
        """Extend the KV cache of a dynamic graph, keeping what it holds."""
        self.kv_length = kv_length
        for name, old in self._cache.items():
            new = np.zeros(self._shape(self._details[name]), old.dtype)
            new[tuple(slice(0, size) for size in old.shape)] = old
            self._cache[name] = new

    def prefill(self, tokens: Sequence[int]) -> None:
        """Feed tokens through the prefill signature; a static graph takes one of its prompt lengths at a time.

        A prompt shorter than the signature is padded with zeros behind it: their cache entries are overwritten
        before they can be seen.
        """
        if self._free:
            self._feed(self._prefill["prefill"], tokens, len(tokens))
            return
        left = list(tokens)
        while left:
            length = next((n for n in self.prefill_lengths if n >= len(left)), self.prefill_lengths[-1])
            self._feed(self._prefill[f"prefill_{length}"], left[:length], length)
            left = left[length:]

    def prefill_logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Feed tokens through the prefill signature of a scoring graph; gives the logits behind each.

        Shape (tokens, vocabulary).
        """
        logits: NDArray[np.float32] = self._feed(self._prefill["prefill"], tokens, len(tokens))["logits"]
        return logits.reshape(len(tokens), -1)

    def reset(self) -> None:
        """Begin a new text. What the cache holds is masked until it is overwritten."""
        self.position = 0

    def decode(self, token: int) -> NDArray[np.float32]:
        """Feed one token through the decode signature; gives the logits behind it, shape (vocabulary,)."""
        logits: NDArray[np.float32] = self._feed(self._decode, [token], 1)["logits"].reshape(-1)
        return logits

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Feed tokens one by one; gives the logits behind each, shape (tokens, vocabulary)."""
        return np.stack([self.decode(token) for token in tokens])

    def _feed(self, signature: Any, tokens: Sequence[int], length: int) -> dict[str, NDArray[Any]]:
        ids = np.zeros((1, length), np.int32)
        ids[0, : len(tokens)] = tokens
        positions = np.arange(self.position, self.position + length, dtype=np.int32)
        mask = np.where(np.arange(self.kv_length)[None, :] <= positions[:, None], np.float32(0), _BLOCKED)
        # At first it announces its delegate; what it complains of it raises too.
        with contextlib.nullcontext() if self._fed else _quiet():
            outputs: dict[str, NDArray[Any]] = signature(
                tokens=ids,
                input_pos=positions,
                mask=mask[None, None].astype(np.float32),
                **self._cache,
                **self._adapter,
            )
        self._fed = True
        self._cache = {name: outputs[name] for name in self._cache}
        self.position += len(tokens)
        return outputs

    def _adapter_inputs(self, adapter: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """Fill every adapter input of the graph; a graph that takes no adapters has none."""
        shapes = {
            name: tuple(map(int, detail["shape"]))
            for name, detail in self._details.items()
            if name.startswith(ADAPTER_INPUT)
        }
        if unknown := sorted(adapter.keys() - shapes.keys()):
            raise AdapterError(f"the graph has no input for {unknown[0]}, which the sidecar fills")
        filled = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        for name, values in adapter.items():
            rank, width = shapes[name]
            if values.ndim != 2 or len(values) > rank or values.shape[1] != width:
                raise AdapterError(
                    f"the graph takes {(rank, width)} for {name}, the sidecar has {values.shape}"
                )
            filled[name][: len(values)] = values
        return filled

    def _shape(self, detail: dict[str, Any]) -> list[int]:
        return [self.kv_length if size == -1 else int(size) for size in detail["shape_signature"]]


def check_model(path: Path) -> None:
    """Let a model compute one step.

    Raises BundleError when the interpreter does not load it, or when its logits are not numbers.
    """
    try:
        with _quiet():
            logits = GraphInterpreter(path).decode(1)
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"the LiteRT interpreter does not run it ({error})", where=path.name) from error
    if not np.isfinite(logits).all():
        raise BundleError("its logits are not finite numbers", where=path.name)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the native library writes to file descriptor 2 from the terminal; its errors say the same."""
    sys.stderr.flush()
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
