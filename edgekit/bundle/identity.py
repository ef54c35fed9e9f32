"""Which bundle, and which adapter on it, a report speaks of."""

from __future__ import annotations

from dataclasses import dataclass


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
    targets: tuple[str, ...] = ()
    system_prompt: str | None = None


@dataclass(frozen=True)
class BundleIdentity:
    """The model file that was measured or validated.

    recipe, form, kv_length: None for a file that edgekit did not make. engine: version of litert-lm-api that ran it;
    None in a report that tells more of the engine elsewhere. adapter: what was laid over it, None for the base alone.
    """

    name: str
    file: str
    size: int
    sha256: str | None = None
    recipe: str | None = None
    form: str | None = None
    kv_length: int | None = None
    engine: str | None = None
    adapter: AdapterIdentity | None = None

    @property
    def title(self) -> str:
        """What to call it: the bundle, or the adapter and its base."""
        return self.name if self.adapter is None else f"{self.adapter.name} on {self.name}"
