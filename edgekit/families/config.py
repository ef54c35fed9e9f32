"""Reading config.json: which family it is of, and its keys with errors that name file and key."""

from __future__ import annotations

from pathlib import Path

from edgekit import families
from edgekit.errors import CheckpointError
from edgekit.families.base import Architecture, Document
from edgekit.families.keys import RESTORE, refuse_quantized
from edgekit.records.documents import read_json_object


def read_architecture(directory: Path) -> Architecture:
    """Read `config.json` of a checkpoint directory.

    Raises CheckpointError, naming the file and the key, when the file is absent or damaged, when the model is of no
    family that is known, or when it is one that cannot be converted (quantized weights, bidirectional attention, …).
    """
    path = directory / "config.json"
    remedy = "pass a directory written by save_pretrained(): config.json next to model.safetensors"
    return parse_architecture(read_json_object(path, remedy=remedy), where=path)


def parse_architecture(document: Document, *, where: Path) -> Architecture:
    """Make an architecture of a parsed config.json; `where` is the file that errors name."""
    refuse_quantized(document, where)
    model_type, classes = document.get("model_type"), _classes(document, where)
    for family in families.FAMILIES:
        if str(model_type) in family.model_types or (
            model_type is None and family.classes.intersection(classes)
        ):
            return family.read(document, where)
    found = ", ".join(classes) if classes else f"model_type {model_type!r}"
    raise CheckpointError(
        f"this is not a {' or '.join(family.title for family in families.FAMILIES)} language model but {found}"
        + (f" (model_type {model_type!r})" if classes else ""),
        where=where,
        remedy=f"edgekit converts {', '.join(sorted(name for family in families.FAMILIES for name in family.classes))}",
    )


def _classes(document: Document, where: Path) -> list[str]:
    declared = document.get("architectures")
    classes = [declared] if isinstance(declared, str) else declared or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise CheckpointError('key "architectures" is not a list of names', where=where, remedy=RESTORE)
    return classes
