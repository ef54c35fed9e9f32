"""A bundle as one side of a comparison, with the adapter that is laid over it, if any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgekit.bundle.adapter.opening import Adapter
from edgekit.bundle.container import read_container
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.sidecar import read_sidecar
from edgekit.bundle.stored import model_bytes, stored_weights
from edgekit.bundle.summary import BundleSummary
from edgekit.checkpoint import Checkpoint
from edgekit.errors import GraphError, MissingToolError
from edgekit.gates import Gates
from edgekit.graph import find_graph, graph_key
from edgekit.progress import SILENT, Progress
from edgekit.runtime.ask.questions import Questions, Refusal, Voice, ask_engine
from edgekit.scoring.reference import ForcedText
from edgekit.scoring.scorer import GraphScorer, Scorer, relink, scoring_key
from edgekit.validation.checks import skipped
from edgekit.validation.logits import check_logits
from edgekit.validation.result import Check
from edgekit.validation.trimmed import SharedScorer, removed_mass, shared_ids, shared_texts


@dataclass(frozen=True)
class Side:
    """A bundle, and an adapter that was checked against it."""

    summary: BundleSummary
    adapter: Adapter | None = None

    @property
    def path(self) -> Path:
        """The model file."""
        return self.summary.path

    @property
    def manifest(self) -> Manifest | None:
        """The bundle's manifest; None for a file that edgekit did not make."""
        return self.summary.manifest

    @property
    def takes_adapters(self) -> bool:
        """Whether the graph has inputs for an adapter."""
        return self.manifest is not None and self.manifest.adapters is not None

    @property
    def old_ids(self) -> tuple[int, ...] | None:
        """The checkpoint's id of each id of a trimmed vocabulary; None for one that is whole."""
        trimmed = None if self.manifest is None else self.manifest.vocabulary
        return None if trimmed is None else trimmed.old_ids

    @property
    def rows(self) -> int | None:
        """Pieces of the vocabulary that the bundle's was trimmed from; None for one that is whole."""
        trimmed = None if self.manifest is None else self.manifest.vocabulary
        return None if trimmed is None else trimmed.rows

    def ask(self, questions: Questions, *, name: str, progress: Progress = SILENT) -> Voice | Refusal:
        """Let the engine of this installation answer."""
        return ask_engine(self.path, questions, name=name, adapter=self.adapter, progress=progress)

    def scorer(
        self, longest: int, checkpoint: Checkpoint | None = None, progress: Progress = SILENT
    ) -> GraphScorer:
        """Open the model by its scoring graph; by its decode signature when there is none for its shape.

        longest: tokens of the longest text. checkpoint: tells the shape, when the bundle's graph is not found any more.
        """
        model = model_bytes(read_container(self.path))
        adapter = None if self.adapter is None else read_sidecar(self.adapter.sidecar)
        fallback = None if checkpoint is None else graph_key(checkpoint.architecture, "dynamic")
        key = None
        if self.manifest is not None:
            key = scoring_key(self.manifest.graph.id, fallback, adapters=self.takes_adapters)
        if key is not None:
            try:
                relinked = relink(find_graph(key, progress), stored_weights(model))
                return GraphScorer(relinked, longest=longest, by_prefill=True, adapter=adapter)
            except (MissingToolError, GraphError):  # no such graph, and none can be captured here
                pass
        return GraphScorer(bytes(model), longest=longest, by_prefill=False, adapter=adapter)


def compare_logits(
    texts: Sequence[ForcedText],
    reference: Scorer,
    bundle: GraphScorer,
    side: Side,
    gates: Gates,
    *,
    reference_ids: Sequence[int] | None = None,
    progress: Progress = SILENT,
) -> tuple[Check, Any] | Check:
    """Hold the logits of a bundle to a reference's, on texts in the ids of the whole vocabulary.

    bundle: the side's scorer. reference_ids: the old id of each of the reference's, when it is trimmed itself.
    """
    method = "scoring graph" if bundle.by_prefill else "decode signature"
    shared = shared_ids(reference_ids, side.old_ids)
    if shared is None:
        if side.old_ids is not None:  # both are trimmed alike: any numbering will do, the bundles have theirs
            new = {old: number for number, old in enumerate(side.old_ids)}
            texts = [replace(t, tokens=tuple(new[token] for token in t.tokens)) for t in texts]
        return check_logits(texts, reference, bundle, gates, progress, method=method)
    known, cut = shared_texts(texts, shared)
    if not known:
        return skipped("logits", "every text begins with tokens that the bundle does not have")
    held = SharedScorer(reference, shared.reference)
    rows = side.rows
    return check_logits(
        known,
        held,
        SharedScorer(bundle, shared.bundle),
        gates,
        progress,
        method=method,
        removed=lambda: None if rows is None else removed_mass(known, cut, held, rows),
    )
