"""Opening a checkpoint: find it, read its config, name and check its tensors, lay an adapter over it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from edgekit.checkpoint.lora.config import AdapterConfig, base_source, is_adapter, read_adapter_config
from edgekit.checkpoint.lora.merge import WEIGHTS_FILE, merge_adapter
from edgekit.checkpoint.names import Named, canonical_tensors
from edgekit.checkpoint.safetensors import INDEX_FILE, SINGLE_FILE, WeightTensor, open_tensors
from edgekit.checkpoint.source import locate
from edgekit.errors import CheckpointError
from edgekit.families.base import Architecture
from edgekit.families.config import read_architecture
from edgekit.files.digest import file_digest
from edgekit.files.within import read_regular
from edgekit.progress import SILENT, Progress

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
_TEXT_FILES = (
    *(
        "config.json",
        "adapter_config.json",
        "generation_config.json",
        "chat_template.jinja",
        "chat_template.json",
    ),
    *(
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
    ),
)
_NOTICE_FILES = ("NOTICE", "LICENSE")
_MAX_NOTICE_BYTES = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tuned model, ready to be read tensor by tensor."""

    path: Path
    """The directory of the checkpoint, or of the adapter."""
    name: str
    """Short and safe in file names, from the directory or the Hub id."""
    base_path: Path | None
    """The directory of the adapter's base model; None for a full checkpoint."""
    adapter: AdapterConfig | None
    architecture: Architecture
    tensors: Mapping[str, WeightTensor]
    """By name in `Gemma3ForCausalLM`, in the order of its family's `tensors`; an adapter is merged on reading."""
    text_path: Path
    """Where tokenizer and chat template are: the adapter's directory, or its base's if there are none."""
    generation_path: Path
    """Where generation_config.json is: the adapter's directory, or its base's if there is none."""
    notice: str | None
    """The terms that come along: NOTICE and LICENSE files, else the licence that README.md declares.

    Of both models when there is an adapter.
    """
    notes: tuple[str, ...] = ()
    """What of the stored tensors was left out, and why."""


def open_checkpoint(
    source: str | Path, *, base: str | Path | None = None, progress: Progress = SILENT
) -> Checkpoint:
    """Open a fine-tuned model without reading its weights.

    source: a checkpoint or adapter: its directory, or its Hub id (`organisation/name`,
    `organisation/name@revision`). base: the base model of an adapter, likewise; by default the one that the
    adapter names. Raises CheckpointError, naming file, tensor or key, when it cannot be converted, and
    MissingToolError when it is on the Hub and cannot be had.
    """
    found = locate(source, progress=progress)
    path = found.path
    if not _holds_adapter(path):
        if base is not None:
            raise CheckpointError(
                "a base was given, but this is a whole model and no adapter",
                where=path,
                remedy="leave --base away, or pass the directory that holds adapter_config.json",
            )
        model = _open_model(path)
        return Checkpoint(
            path,
            found.name,
            None,
            None,
            model.architecture,
            model.tensors,
            path,
            path,
            read_notice(path),
            model.notes,
        )

    adapter = read_adapter_config(path)
    base_path = locate(base_source(adapter) if base is None else base, progress=progress).path
    if is_adapter(base_path):
        raise CheckpointError(
            "the base is an adapter itself", where=base_path, remedy="merge it first and pass the whole model"
        )
    model = _open_model(base_path)
    architecture, tensors = merge_adapter(path, adapter, model.architecture, model.tensors)
    notices = dict.fromkeys(text for text in (read_notice(path), read_notice(base_path)) if text is not None)
    return Checkpoint(
        path=path,
        name=found.name,
        base_path=base_path,
        adapter=adapter,
        architecture=architecture,
        tensors=tensors,
        text_path=path if any((path / name).is_file() for name in _TOKENIZER_FILES) else base_path,
        generation_path=path if (path / "generation_config.json").is_file() else base_path,
        notice="\n\n".join(notices) or None,
        notes=model.notes,
    )


def source_files(checkpoint: Checkpoint) -> list[tuple[str, Path]]:
    """List the files that decide the bundle, as (label, path), sorted by label.

    The weights that are read, the configs, the tokenizer and the chat template. A label is the file's name,
    with `base/` before it for those of an adapter's base.
    """
    files: dict[str, Path] = {}
    for prefix, directory in (("", checkpoint.path), ("base/", checkpoint.base_path)):
        if directory is None:
            continue
        adapter = checkpoint.adapter is not None and not prefix
        for path in (*_weight_files(directory, adapter), *(directory / name for name in _TEXT_FILES)):
            if path.is_file():
                files[prefix + path.name] = path
    return sorted(files.items())


def digest(checkpoint: Checkpoint) -> str:
    """Identify a checkpoint by the SHA-256 of its source files, in hexadecimal.

    The digest is that of a text with one line `SHA-256, two spaces, label` per source file, which is what
    `sha256sum` prints: it can be had without edgekit, and does not change when the directory moves. Large
    files are hashed in two threads; the weights of Gemma 3 270M take about a quarter of a second.
    """
    files = source_files(checkpoint)
    with ThreadPoolExecutor(max_workers=2) as pool:
        sums = pool.map(file_digest, (path for _, path in files))
        lines = [f"{checksum}  {label}\n" for checksum, (label, _) in zip(sums, files, strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _open_model(directory: Path) -> Named:
    architecture = read_architecture(directory)
    return canonical_tensors(open_tensors(directory), architecture, where=directory)


def _holds_adapter(directory: Path) -> bool:
    """Tell an adapter from a whole model; refuse a directory that holds both."""
    if not is_adapter(directory):
        return False
    whole = any((directory / name).is_file() for name in (SINGLE_FILE, INDEX_FILE))
    if whole and (directory / WEIGHTS_FILE).is_file():
        raise CheckpointError(
            "both an adapter and a whole model are here, and which of them was meant cannot be known",
            where=directory,
            remedy="move the files of one of them into a directory of its own",
        )
    return not whole


def _weight_files(directory: Path, adapter: bool) -> list[Path]:
    if adapter:
        return [directory / WEIGHTS_FILE]
    single = directory / SINGLE_FILE
    if single.is_file():
        return [single]
    return [directory / INDEX_FILE, *sorted(directory.glob("*.safetensors"))]


def read_notice(directory: Path) -> str | None:
    """Return the texts of NOTICE and LICENSE files, else the licence that a model card declares."""
    texts = [
        text.strip()
        for stem in _NOTICE_FILES
        for path in sorted(directory.glob(f"{stem}*"))
        if path.is_file() and (text := _small_text(path)) is not None
    ]
    if texts:
        return "\n\n".join(dict.fromkeys(texts))
    card = directory / "README.md"
    fields = _front_matter((_small_text(card) if card.is_file() else None) or "")
    name, link = fields.get("license_name", fields.get("license")), fields.get("license_link")
    if name is None:
        return None
    return f"Licence of the model: {name}" + (f" ({link})" if link else "")


def _small_text(path: Path) -> str | None:
    """A text file; None for one that is too large to be a notice, or cannot be read."""
    try:
        content = read_regular(path, _MAX_NOTICE_BYTES)
    except OSError:
        return None
    return None if content is None else content.decode(errors="replace")


def _front_matter(card: str) -> dict[str, str]:
    """The plain keys at the head of a model card. Line by line: a pattern would take quadratic time on some cards."""
    lines = card.splitlines()
    if not lines or lines[0].rstrip() != "---":
        return {}
    fields: dict[str, str] = {}
    for line in lines[1:]:
        if line.startswith("---"):
            return fields
        key, _, value = line.partition(":")
        if value.strip():
            fields[key] = value.strip()
    return {}
