"""Typed reading of a config.json's keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.errors import CheckpointError

RESTORE = "save model and config again with save_pretrained(), or take the value from the base's config.json"
MAX_DIMENSION = 1 << 31
_NO_BOUND = 1 << 62


def refuse_quantized(document: Mapping[str, Any], where: Path) -> None:
    """Raise CheckpointError for a checkpoint whose weights are quantized already."""
    quantization = document.get("quantization_config") or document.get("quantization")
    if not quantization:
        return
    method = quantization.get("quant_method", "unnamed") if isinstance(quantization, dict) else "unnamed"
    raise CheckpointError(
        f"the weights are already quantized (quantization_config: {method})",
        where=where,
        remedy="convert the checkpoint in float: merge the adapter into the bf16 base model and save that, "
        "or pass the adapter with --base and the float base",
    )


class Keys:
    """Typed reading of a JSON object's keys, with errors that name file and key."""

    def __init__(self, values: Mapping[str, Any], where: Path, prefix: str = "") -> None:
        self.values = values
        self.where = where
        self.prefix = prefix

    def error(self, message: str) -> CheckpointError:
        """An error about these keys."""
        return CheckpointError(message, where=self.where, remedy=RESTORE)

    def integer(
        self, key: str, default: int | None = None, *, low: int = 1, high: int = MAX_DIMENSION
    ) -> int:
        """An integer within bounds; null is refused, with which Transformers cannot compute."""
        value = self._get(key, default)
        self.refuse_null(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not an integer from {low} to {high}')
        return value

    def refuse_null(self, key: str, default: object) -> None:
        """Raise CheckpointError for a key that is null, where Transformers takes no null. default: Gemma's value."""
        if key in self.values and self.values[key] is None:
            gemmas = default if not isinstance(default, bool) else str(default).lower()
            raise CheckpointError(
                f'key "{self.prefix}{key}" is null: no program can compute the model so',
                where=self.where,
                remedy=f"write the value that the model was trained with; {gemmas} if it is Gemma's"
                if default is not None
                else RESTORE,
            )

    def number(self, key: str, default: float) -> float:
        """A positive number."""
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _NO_BOUND:
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not a positive number')
        return float(value)

    def string(self, key: str, default: str) -> str:
        """A string."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not a string')
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not true or false')
        return value

    def mapping(self, key: str) -> Mapping[str, Any] | None:
        """An object, or None."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(f'key "{self.prefix}{key}" is {value!r}, not an object')
        return value

    def _get(self, key: str, default: Any) -> Any:
        value = self.values.get(key)
        if value is None:
            value = default
        if value is None:
            raise self.error(f'key "{self.prefix}{key}" is missing')
        return value
