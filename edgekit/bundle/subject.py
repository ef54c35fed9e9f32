"""What is measured: a bundle, alone or with an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.bundle.adapter.opening import open_adapter
from edgekit.bundle.identity import AdapterInfo, BundleInfo
from edgekit.bundle.manifest import Bundle, open_bundle
from edgekit.bundle.sidecar import empty_sidecar
from edgekit.errors import BundleError
from edgekit.files.digest import file_digest


@dataclass(frozen=True)
class Subject:
    """A model file, and what fills its adapter inputs.

    sidecar: of every session; a base that takes adapters has an empty one, any other model None.
    others: names and sidecars to switch to from this one; the base alone is called "".
    """

    info: BundleInfo
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
            file = first.manifest.sidecar
            adapter = AdapterInfo(first.manifest.name, file.file, file.size, file.sha256, first.manifest.rank)
            others = tuple((other.manifest.name, other.sidecar.resolve()) for other in rest)
            subject = replace(
                subject,
                info=replace(subject.info, adapter=adapter),
                sidecar=first.sidecar.resolve(),
                others=others or (("", empty),),
            )
        yield subject


def describe_bundle(path: str | Path) -> BundleInfo:
    """Return what is to be known of a bundle. Raises BundleError."""
    return _describe(open_bundle(path))


def _describe(bundle: Bundle) -> BundleInfo:
    model, manifest = bundle.model_path, bundle.manifest
    return BundleInfo(
        name=model.stem if manifest is None else bundle.directory.resolve().name,
        file=model.name,
        size=model.stat().st_size,
        sha256=file_digest(model) if manifest is None else manifest.model.sha256,
        recipe=None if manifest is None else manifest.recipe.name,
        kv_length=None if manifest is None else manifest.kv_length,
    )
