"""What is measured: a bundle, alone or with an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.adapter.opening import Adapter, open_adapter
from edgekit.bundle.identity import AdapterIdentity, BundleIdentity
from edgekit.bundle.opening import Bundle, open_bundle
from edgekit.bundle.sidecar import empty_sidecar
from edgekit.errors import BundleError
from edgekit.files.digest import file_digest


@dataclass(frozen=True)
class Subject:
    """A model file, and what fills its adapter inputs.

    sidecar: of every session; a base that takes adapters has an empty one, any other model None.
    others: names and sidecars to switch to from this one; the base alone is called "".
    """

    info: BundleIdentity
    model: Path
    sidecar: Path | None = None
    others: tuple[tuple[str, Path], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sidecars that take turns when adapters are switched."""
        own = "" if self.info.adapter is None else self.info.adapter.name
        return (own, *(name for name, _ in self.others))


@contextmanager
def open_subject(path: str | Path, adapters: Sequence[str | Path] = ()) -> Iterator[Subject]:
    """Open a bundle, or a .litertlm file, to be measured with the first adapter.

    adapters: bundles made for this base; the others are those to switch to, the base alone when there is only one.
    Raises BundleError and AdapterError.
    """
    bundle = open_bundle(path)
    opened = [open_adapter(adapter, bundle) for adapter in adapters]
    with ExitStack() as stack:
        try:
            empty = stack.enter_context(empty_sidecar(bundle.model_path))
        except BundleError:  # damaged, or newer than what is known here: the engine is to judge
            empty = None
        subject = Subject(_describe(bundle), bundle.model_path.resolve(), empty)
        if opened:
            assert empty is not None  # the base takes adapters
            first, *rest = opened
            adapter = identify_adapter(first)
            others = tuple((other.manifest.name, other.sidecar.resolve()) for other in rest)
            subject = replace(
                subject,
                info=replace(subject.info, adapter=adapter),
                sidecar=first.sidecar.resolve(),
                others=others or (("", empty),),
            )
        yield subject


def identify_adapter(adapter: Adapter) -> AdapterIdentity:
    """Return what is to be known of an adapter bundle."""
    manifest, file = adapter.manifest, adapter.manifest.sidecar
    return AdapterIdentity(
        name=manifest.name,
        file=file.file,
        size=file.size,
        sha256=file.sha256,
        rank=manifest.rank,
        targets=manifest.targets,
        system_prompt=manifest.system_prompt,
    )


def describe_bundle(path: str | Path) -> BundleIdentity:
    """Return what is to be known of a bundle. Raises BundleError."""
    return _describe(open_bundle(path))


def _describe(bundle: Bundle) -> BundleIdentity:
    model, manifest = bundle.model_path, bundle.manifest
    return BundleIdentity(
        name=model.stem if manifest is None else bundle.directory.resolve().name,
        file=model.name,
        size=model.stat().st_size,
        sha256=file_digest(model) if manifest is None else manifest.model.sha256,
        recipe=None if manifest is None else manifest.recipe.name,
        form=None if manifest is None else manifest.graph.form,
        kv_length=None if manifest is None else manifest.kv_length,
    )
