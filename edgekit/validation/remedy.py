"""From what failed to the next command: the culprit by its effect, and the recipe to try with its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import model_bytes, stored_weights
from edgekit.conversion.sizes import recipe_sizes
from edgekit.errors import EdgekitError
from edgekit.figures import signed
from edgekit.gates import PRECISION
from edgekit.graph import find_graph
from edgekit.quantize.solve import pack, quantize_tensor
from edgekit.recipes.scheme import Scheme
from edgekit.scoring.forcing import score_texts
from edgekit.scoring.scorer import EMBEDDING, GraphScorer, relink, scoring_key
from edgekit.validation.checks.weights import originals_of
from edgekit.validation.context import Context
from edgekit.validation.verdict import Check

_TEXTS = 24
_FINE = Scheme(8)
_MOSTLY = 0.5
"""The share of the KL that must go away for the embedding to be to blame."""


def with_remedies(context: Context, checks: Sequence[Check]) -> tuple[Check, ...]:
    """Give checks that failed for want of precision the culprit and the recipe to try."""
    coarse = {
        check.name for check in checks if any(g.name in PRECISION and not g.passed for g in check.gates)
    }
    if not coarse:
        return tuple(checks)
    advice = "; ".join(filter(None, (culprit(context), finer(context))))
    return tuple(
        replace(check, remedy=advice) if check.name in coarse and advice else check for check in checks
    )


def culprit(context: Context) -> str | None:
    """Name what most of the difference comes from, by trying: the same bundle with its embedding in 8 bits.

    None where that cannot be told: the embedding is that fine already, or there is no graph that scores.
    """
    manifest = context.bundle.manifest
    if manifest is None or context.reference.run is None or context.adapter or context.kept_ids is not None:
        return None
    texts, key = context.reference.run.texts[:_TEXTS], scoring_key(manifest.graph, None)
    stored = stored_weights(model_bytes(read_container(context.bundle.path)))
    if key is None or not texts or EMBEDDING not in stored or stored[EMBEDDING].scheme.bits >= 8:
        return None
    try:
        graph = find_graph(key)
        found = quantize_tensor(originals_of(context, graph)[EMBEDDING].read(), _FINE)
        codes = pack(found.codes, 8).view(np.uint8)
        better = replace(
            stored[EMBEDDING], scheme=_FINE, data=codes.data, scales=found.scales, scale_data=None
        )
        longest = max(len(text.tokens) for text in texts)
        tried = GraphScorer(relink(graph, {**stored, EMBEDDING: better}), longest=longest, by_prefill=True)
    except (EdgekitError, RuntimeError, ValueError):
        return None
    reference = context.reference.scorer(longest)
    before, after = (
        score_texts(texts, reference, scorer, context.progress).scores
        for scorer in (context.scorer(longest), tried)
    )
    if before is None or after is None:
        return None
    was, would = float(before.kl.mean()), float(after.kl.mean())
    if would <= _MOSTLY * was:
        scheme = stored[EMBEDDING].scheme.label()
        return f"the embedding ({scheme}) is to blame: in 8 bits, mean KL would be {would:.2g} instead of {was:.2g}"
    return f"the layers are to blame: with the embedding in 8 bits, mean KL would still be {would:.2g}, not {was:.2g}"


def finer(context: Context) -> str | None:
    """Name what would lose less than the bundle's recipe, and how much larger that is; None where it is not known."""
    manifest = context.bundle.manifest
    if manifest is None or manifest.vocabulary is not None or context.source is None:
        return None
    try:
        sizes = recipe_sizes(context.source.path)
    except EdgekitError:  # another shape, whose sizes are not known here
        return None
    return lose_less(manifest.recipe.name, sizes, calibrated=manifest.recipe.calibration is not None)


def lose_less(recipe: str, sizes: Mapping[str, int], *, calibrated: bool) -> str | None:
    """Name the recipes that lose less than one of them.

    sizes: of the shipped recipes, which stand in the order of what they lose, float32 last. A larger file is not a
    better one: what counts is where the bits go.
    """
    if recipe not in sizes:
        return None
    names = [] if recipe == "float32" else list(sizes)
    better = [
        f"--recipe {name} ({signed(round((sizes[name] - sizes[recipe]) / 1e6), 0)} MB)"
        for name in reversed(names[: names.index(recipe)] if names else ())
    ]
    if names and not calibrated:
        better.insert(0, "--calibrate")
    if not better:
        but = " but by --recipe float32" if names else ""
        return f"no smaller loss is to be had{but}: train on rows like those that broke"
    return f"convert with {' or '.join(better)}"
