"""What the import card tells; `edgekit.report.gallery` writes it down."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.bundle.manifest import Manifest
from edgekit.packaging.gallery.settings import Field, dialog_fields
from edgekit.packaging.gallery.trial import Trial
from edgekit.packaging.task import Task


@dataclass(frozen=True)
class ImportCard:
    """What the card tells. trial: None when the Gallery's runtime was not asked for. task_type: where to try it."""

    name: str
    model_file: str
    manifest: Manifest
    task: Task
    trial: Trial | None
    task_type: str

    @property
    def fields(self) -> tuple[Field, ...]:
        """The dialog's questions."""
        return dialog_fields(self.manifest)

    @property
    def to_change(self) -> tuple[Field, ...]:
        """Those whose default is wrong for this bundle."""
        return tuple(field for field in self.fields if field.differs)
