"""Every error that a user can act on.

    EdgekitError            something went wrong that the user can mend
    ├── InputError          what came in cannot be used                         exit 2
    │   ├── CheckpointError a checkpoint or adapter: file, tensor or key named
    │   ├── TokenizerError  a tokenizer that the engine cannot reproduce
    │   ├── TemplateError   a chat template that the engine cannot render
    │   ├── RecipeError     a quantization recipe
    │   ├── GraphError      a captured graph, or a shape none was captured for
    │   └── BundleError     a .litertlm file, a manifest, an output directory
    ├── GateError           a check ran and said no                             exit 1
    └── MissingToolError    a tool, a package, a device or the network is away  exit 3

Anything else that escapes is a bug and exits 70.
"""

from __future__ import annotations

from pathlib import Path


class EdgekitError(Exception):
    """An error with three parts: what is wrong, where, and what to do about it.

    message: what is wrong, as one sentence without a final full stop.
    where: the file, tensor or key at fault.
    remedy: what the user can do.
    """

    exit_code = 2

    def __init__(self, message: str, *, where: str | Path | None = None, remedy: str | None = None) -> None:
        self.message = message
        self.where = None if where is None else str(where)
        self.remedy = remedy
        super().__init__(message)

    def __str__(self) -> str:
        text = self.message if self.where is None else f"{self.where}: {self.message}"
        return text if self.remedy is None else f"{text}\n  → {self.remedy}"


class InputError(EdgekitError):
    """What came in cannot be used."""


class CheckpointError(InputError):
    """A checkpoint or adapter that cannot be converted."""


class TokenizerError(InputError):
    """A tokenizer whose ids the on-device engine cannot reproduce."""


class TemplateError(InputError):
    """A chat template that the on-device engine cannot render as Transformers does."""


class RecipeError(InputError):
    """A quantization recipe that is malformed or that the engine does not run."""


class GraphError(InputError):
    """A captured graph that is damaged, or missing for a shape."""


class BundleError(InputError):
    """A bundle that is damaged, incomplete or in the way."""


class AdapterError(InputError):
    """An adapter bundle or sidecar that is damaged, or that does not belong to the base."""


class GateError(EdgekitError):
    """A check ran and failed."""

    exit_code = 1


class MissingToolError(EdgekitError):
    """A tool, package, device or network that a step needs is not there."""

    exit_code = 3
