"""What a reference said in earlier runs, so that another recipe, limit or data file asks it only what is new.

One directory for each checkpoint (and each version of what computes), in it one for each run that learned something:
`results.json` and `hidden.npz`. All of them together are what is remembered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import InputError
from edgekit.files.directory import new_directory
from edgekit.files.lock import hold
from edgekit.graph.library import cache_directory
from edgekit.progress import SILENT, Progress
from edgekit.records.codec import decode, plain, read_values
from edgekit.runtime.ask.protocol import Rendered
from edgekit.scoring.positions import LogitDistance

_FORMAT = 2
_RESULTS, _HIDDEN = "results.json", "hidden.npz"

Ids = tuple[int, ...]


@dataclass(frozen=True)
class MergeFigures:
    """An adapter: base plus adapter in peft against the merged weights, which are converted unless a sidecar is used.

    merged: peft against the merged weights; should be nothing but rounding.
    from_base: the fine-tune against its base; next to nothing means that the adapter has no effect.
    changed_tensors: tensors that differ from the base's, of `tensors`.
    """

    adapter: str
    positions: int
    merged: LogitDistance
    from_base: LogitDistance
    changed_tensors: int
    tensors: int


@dataclass(frozen=True)
class Facts:
    """What is known of a reference.

    ids: of texts. spelled: texts of answers' ids, as pairs. rendered: prompts of conversations, by their JSON. pieces:
    of single ids. answers: greedy continuations of prompts' ids, as pairs; as far as they were asked for. texts: of
    which hidden states are kept, with the first token whose state is.
    """

    ids: Mapping[str, Ids] = field(default_factory=dict)
    spelled: tuple[tuple[Ids, str], ...] = ()
    rendered: Mapping[str, Rendered] = field(default_factory=dict)
    pieces: Mapping[int, str] = field(default_factory=dict)
    answers: tuple[tuple[Ids, Ids], ...] = ()
    texts: tuple[tuple[Ids, int], ...] = ()
    merge: MergeFigures | None = None


def _floats(array: NDArray[Any]) -> NDArray[np.float32]:
    """States as they were kept; raises ValueError for anything else."""
    if array.dtype != np.float32 or array.ndim != 2 or not np.isfinite(array).all():
        raise ValueError(
            f"it holds an array of {array.dtype} with {array.ndim} dimensions, or no finite numbers"
        )
    return array


class Memory:
    """What is known of one reference; entries that a run adds are kept by `keep`."""

    def __init__(self, digest: str, versions: Mapping[str, str], progress: Progress = SILENT) -> None:
        """Recall everything. digest: of the checkpoint. versions: of the packages that compute.

        What cannot be read is dropped with a note, and asked again.
        """
        key = hashlib.sha256(json.dumps([_FORMAT, digest, versions], sort_keys=True).encode()).hexdigest()
        self._directory = cache_directory().parent / "references" / key[:32]
        self.ids: dict[str, Ids] = {}
        self.spelled: dict[Ids, str] = {}
        self.rendered: dict[str, Rendered] = {}
        self.pieces: dict[int, str] = {}
        self.answers: dict[Ids, Ids] = {}
        self.states: dict[tuple[Ids, int], NDArray[np.float32]] = {}
        self.merge: MergeFigures | None = None
        self._known: dict[str, set[Any]] = {}
        for results in sorted(self._directory.glob(f"*/{_RESULTS}")):
            try:
                self._recall(results)
            except Exception as error:  # whatever NumPy and zipfile say of damage
                progress.note(
                    f"what a run kept of the reference is damaged, and asked again: {results} ({error})"
                )
                shutil.rmtree(results.parent, ignore_errors=True)
        self._note()

    @property
    def learned(self) -> bool:
        """Whether this run added anything that a model had to compute."""
        return bool(self._new("answers") or self._new("states"))

    def keep(self) -> None:
        """Write what was added; a full disk is no reason to stop."""
        answers, states = self._new("answers"), self._new("states")
        facts = Facts(
            ids={text: self.ids[text] for text in self._new("ids")},
            spelled=tuple((ids, self.spelled[ids]) for ids in self._new("spelled")),
            rendered={said: self.rendered[said] for said in self._new("rendered")},
            pieces={number: self.pieces[number] for number in self._new("pieces")},
            # The longest continuation wins: a shorter one is its beginning.
            answers=tuple((prompt, self.answers[prompt]) for prompt in answers),
            texts=tuple(states),
            merge=self.merge,
        )
        content = json.dumps(plain(facts, infinite=True), allow_nan=False)
        if not any((facts.ids, facts.spelled, facts.rendered, facts.answers, facts.texts)):
            return
        for left in self._directory.glob(".*.part"):  # by a run that was killed
            with contextlib.suppress(InputError, OSError), hold(left):
                shutil.rmtree(left)
        directory = self._directory / hashlib.sha256(content.encode()).hexdigest()[:32]
        with contextlib.suppress(InputError), new_directory(directory, record=_RESULTS, force=True) as part:
            arrays = {str(place): self.states[key] for place, key in enumerate(states)}
            np.savez(part / _HIDDEN, **arrays)  # type: ignore[arg-type]
            (part / _RESULTS).write_text(content, encoding="utf-8")
        self._note()

    def _recall(self, path: Path) -> None:
        facts = decode(Facts, read_values(path), where=path, infinite=True)
        with np.load(path.with_name(_HIDDEN)) as arrays:
            states = {key: _floats(arrays[str(place)]) for place, key in enumerate(facts.texts)}
        self.states |= states
        self.ids |= facts.ids
        self.spelled |= dict(facts.spelled)
        self.rendered |= facts.rendered
        self.pieces |= facts.pieces
        self.merge = facts.merge or self.merge
        for prompt, answer in facts.answers:
            if len(answer) >= len(self.answers.get(prompt, ())):
                self.answers[prompt] = answer

    def _note(self) -> None:
        for name in ("ids", "spelled", "rendered", "pieces", "states"):
            self._known[name] = set(getattr(self, name))
        self._known["answers"] = set(self.answers.items())

    def _new(self, name: str) -> Sequence[Any]:
        if name == "answers":
            return [
                prompt for prompt, said in self.answers.items() if (prompt, said) not in self._known[name]
            ]
        return [key for key in getattr(self, name) if key not in self._known[name]]
