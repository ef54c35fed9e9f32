"""What the import card tells; `edgekit.packaging.targets.gallery.page` writes it down."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.bundle.manifest import Manifest
from edgekit.packaging.offer import Task
from edgekit.packaging.source import Source
from edgekit.packaging.targets.gallery.settings import Field, dialog_fields
from edgekit.packaging.targets.gallery.trial import Trial


@dataclass(frozen=True)
class ImportCard:
    """A bundle that is to be imported, and how the Gallery's runtime took it."""

    source: Source
    trial: Trial

    @property
    def manifest(self) -> Manifest:
        """The bundle's."""
        return self.source.manifest

    @property
    def task(self) -> Task:
        """What the bundle is for."""
        return self.source.task

    @property
    def fields(self) -> tuple[Field, ...]:
        """The dialog's questions."""
        return dialog_fields(self.manifest)

    @property
    def to_change(self) -> tuple[Field, ...]:
        """Those whose default is wrong for this bundle."""
        return tuple(field for field in self.fields if field.differs)
