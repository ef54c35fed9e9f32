"""Which bundle, and which adapter on it, a report speaks of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AdapterInfo:
    """The adapter of every session. file, size, sha256: of its sidecar. rank: of the sidecar."""

    name: str
    file: str
    size: int
    sha256: str
    rank: int


@dataclass(frozen=True)
class BundleInfo:
    """The model file that was measured. recipe, kv_length: None for a bare file. adapter: None for the base alone."""

    name: str
    file: str
    size: int
    sha256: str | None = None
    recipe: str | None = None
    kv_length: int | None = None
    adapter: AdapterInfo | None = None

    @property
    def title(self) -> str:
        """The name, with the adapter's."""
        return self.name if self.adapter is None else f"{self.name} + {self.adapter.name}"


@dataclass(frozen=True)
class AdapterIdentity:
    """The adapter bundle that was laid over the base. file, size, sha256, rank: of its sidecar.

    targets: projections that it changes. system_prompt: with which every conversation began that has none of its own.
    """

    name: str
    file: str
    size: int
    sha256: str
    rank: int
    targets: tuple[str, ...]
    system_prompt: str | None = None


@dataclass(frozen=True)
class BundleIdentity:
    """The bundle that was validated. recipe, form: None for a file that edgekit did not make.

    adapter: what was laid over it, None when it was validated by itself.
    """

    name: str
    file: str
    size: int
    sha256: str
    recipe: str | None
    form: str | None
    kv_length: int | None
    engine: str
    """Version of litert-lm-api that ran it."""
    adapter: AdapterIdentity | None = None

    @property
    def title(self) -> str:
        """What to call it: the bundle, or the adapter and its base."""
        return self.name if self.adapter is None else f"{self.adapter.name} on {self.name}"
