"""What a dialect is: how a fine-tune speaks, where the engine and the app must know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edgekit.records.documents import Json
from edgekit.text.settle import Text


@dataclass(frozen=True)
class ModelType:
    """What the engine is told: the name of a case of `LlmModelType` (llm_model_type.proto), and its fields."""

    name: str
    fields: Mapping[str, Json] = field(default_factory=dict)


class Dialect(Protocol):
    """How a fine-tune speaks. What its turns look like is not asked here: that is its chat template's matter."""

    @property
    def name(self) -> str:
        """As it stands in reports; that of its file."""

    def recognises(self, text: Text) -> bool:
        """Whether a checkpoint speaks so, by its tokens and its chat template, never by its name."""

    def model_type(self, text: Text) -> ModelType:
        """What the engine must be told for a bundle of this checkpoint."""
