"""Where a checkpoint is: a directory here, or a model on the Hugging Face Hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import CheckpointError, EdgekitError, InputError, MissingToolError
from edgekit.files.within import check_files
from edgekit.progress import SILENT, Progress

_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w./-]+))?")
_FILES = ["*.safetensors", "*.json", "tokenizer.model", "*.jinja", "README.md", "LICENSE*", "NOTICE*"]


@dataclass(frozen=True)
class Located:
    """A checkpoint's directory and what it is called."""

    path: Path
    name: str
    """Short and safe in file names."""


def locate(source: str | Path, *, progress: Progress = SILENT) -> Located:
    """Find the directory of a checkpoint, downloading it into the Hub's cache when `source` is a Hub id.

    source: a directory, or `organisation/name`, with `@revision` for a branch, tag or commit. A model that is
    in the cache already is used when the Hub cannot be reached. Raises CheckpointError when there is no such
    directory or model, and MissingToolError when the network is away or access was not granted.
    """
    path = Path(source)
    try:
        path = path.expanduser()
        # An empty text would be the current directory.
        directory, file = str(source) != "" and path.is_dir(), path.is_file()
    except (OSError, RuntimeError):  # a name too long to exist, no right to look there, no such user's home
        directory = file = False
    if directory:
        if not os.access(path, os.R_OK | os.X_OK):
            raise CheckpointError(
                "this directory may not be read", where=path, remedy="check its owner and permissions"
            )
        check_files(path, _FILES, error=CheckpointError)
        return Located(path, name_of(path))
    if file:
        raise CheckpointError(
            "is a file; a checkpoint is the directory around it, with config.json and tokenizer",
            where=path,
            remedy=f"pass {path.parent}",
        )
    match = _HUB_ID.fullmatch(str(source))
    if match is None or isinstance(source, Path) or str(source).startswith((".", "~")):
        raise CheckpointError(
            "no such directory",
            where=str(source) or '""',
            remedy="pass a checkpoint directory, or a Hub id such as google/gemma-3-270m-it",
        )
    snapshot = _download(match["repo"], match["revision"], progress)
    return Located(snapshot, safe_name(match["repo"].partition("/")[2]))


def name_of(directory: Path) -> str:
    """Name a directory; a trainer's `checkpoint-500` gets its parent's name before, and `adapter` has no other."""
    resolved = directory.resolve()
    if resolved.name in ("adapter", "lora") and resolved.parent.name:
        return safe_name(resolved.parent.name)
    if re.fullmatch(r"checkpoint-\d+|final|best|merged|model|output", resolved.name) and resolved.parent.name:
        return safe_name(f"{resolved.parent.name}-{resolved.name}")
    return safe_name(resolved.name)


def safe_name(text: str) -> str:
    """Make a name that is safe in file names: ASCII letters, digits, dot, dash and underscore, 64 at most."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:64].strip("-.") or "model"


def plain_name(name: str, *, where: str) -> str:
    """Return a name that a user chose; raises InputError when it is no file name on a phone or in a shell."""
    if safe_name(name) != name:
        raise InputError(
            f"{name!r} cannot name a file on every device",
            where=where,
            remedy="use at most 64 letters (a to z), digits, dots, dashes and underscores",
        )
    return name


def _download(repo: str, revision: str | None, progress: Progress) -> Path:
    # Importing the client takes longer than opening a local checkpoint.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    transport_error: type[Exception] = HfHubHTTPError.__bases__[0]  # of the HTTP library that the client uses
    label = f"{repo}@{revision}" if revision else repo
    try:
        with progress.step(f"Fetching {label}"):
            return Path(snapshot_download(repo, revision=revision, allow_patterns=_FILES))
    except HFValidationError as error:
        raise CheckpointError(
            "neither a directory here nor a valid Hub id", where=label, remedy="check the spelling"
        ) from error
    except (OSError, transport_error) as error:
        raise _explain(error, label) from error


def _explain(error: Exception, label: str) -> EdgekitError:
    """Say in our words why the Hub gave no model."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if isinstance(error, GatedRepoError):
        return MissingToolError(
            "access to this model is granted on the Hub, and this machine has none",
            where=label,
            remedy="accept the terms on the model's page, then run: hf auth login",
        )
    if isinstance(error, RepositoryNotFoundError):
        return CheckpointError(
            "neither a directory here nor a model on the Hub (or a private one, without access)",
            where=label,
            remedy="check the spelling; for a private model run: hf auth login",
        )
    if isinstance(error, RevisionNotFoundError):
        return CheckpointError("the model has no such revision", where=label, remedy="check the part after @")
    if isinstance(error, LocalEntryNotFoundError):
        return MissingToolError(
            "not a directory here; the Hub cannot be reached, and the model is not (wholly) in its cache",
            where=label,
            remedy="connect to the network and unset HF_HUB_OFFLINE, or pass a directory",
        )
    if isinstance(error, HfHubHTTPError):
        return MissingToolError(
            f"the Hub answered {error.response.status_code}", where=label, remedy="try again later"
        )
    return MissingToolError(
        f"the download failed ({type(error).__name__}: {error})",
        where=label,
        remedy="check network and disk space, then run the command again: it goes on where it stopped",
    )
