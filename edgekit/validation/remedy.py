"""From what failed to the next command: the culprit by its effect, and the recipe to try with its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgekit.bundle.container import read_container
from edgekit.bundle.stored import model_bytes
from edgekit.conversion.sizes import recipe_sizes
from edgekit.errors import EdgekitError
from edgekit.figures import signed
from edgekit.gates import PRECISION
from edgekit.graph import find_graph
from edgekit.quantize.solve import pack, quantize_tensor
from edgekit.recipes.measured import MEAN_KL, expected_kl
from edgekit.recipes.scheme import Scheme
from edgekit.scoring.forcing import score_texts
from edgekit.scoring.scorer import EMBEDDING, GraphScorer, relink, scoring_key, weights_of
from edgekit.validation.checks.weights import originals_of
from edgekit.validation.context import Context
from edgekit.validation.verdict import Check

_TEXTS = 24
_FINE = Scheme(8)
_PIECES = ("max_removed_mass",)
"""Gates that more pieces help with."""
_MOSTLY = 0.5
"""The share of the KL that must go away for the embedding to be to blame."""


def with_remedies(context: Context, checks: Sequence[Check]) -> tuple[Check, ...]:
    """Give checks that failed for want of precision the culprit and the recipe to try."""
    failed = {gate.name for check in checks for gate in check.gates if not gate.passed}
    if not failed & {*PRECISION, *_PIECES}:
        return tuple(checks)
    lost = trimmed_away(context)
    helped = {*PRECISION, *_PIECES} if lost else set(PRECISION)
    coarse = {check.name for check in checks if any(g.name in helped and not g.passed for g in check.gates)}
    figures = {name: value for check in checks for name, value in check.figures.items() if name == "mean KL"}
    found = figures.get("mean KL")
    # More bits do not give back the pieces that answers are made of.
    told = (
        (lost,) if lost else (culprit(context), finer(context, found if isinstance(found, float) else None))
    )
    advice = "; ".join(filter(None, told))
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
    stored = weights_of(model_bytes(read_container(context.bundle.path)), manifest)
    if key is None or not texts or EMBEDDING not in stored or stored[EMBEDDING].scheme.bits >= 8:
        return None
    try:
        graph = find_graph(key)
        found = quantize_tensor(originals_of(context, graph, stored)[EMBEDDING].read(), _FINE)
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


def trimmed_away(context: Context) -> str | None:
    """Tell how many rows need pieces that a trimmed bundle lacks; None for a whole vocabulary, and where none does."""
    kept, text = context.kept_ids, context.reference.text
    if kept is None or text is None:
        return None
    left, encode = frozenset(kept), text.tokenizer.encode
    answers = [row.expected for row in context.data.rows if row.expected is not None]
    for what, texts in (
        ("expected answers", answers),
        ("prompts", [row.prompt for row in context.data.rows]),
    ):
        lacking = [ids - left for ids in (frozenset(encode(said)) for said in texts) if not ids <= left]
        if lacking:
            names = dict.fromkeys(text.tokenizer.decode([n]).strip() for ids in lacking for n in sorted(ids))
            examples = ", ".join(repr(name) for name in list(names)[:3])
            return (
                f"{len(lacking):,} of {len(texts):,} {what} hold pieces that the bundle lacks, such as {examples}: "
                f"give --vocab-from such rows as well, or keep as many as edgekit vocab … --check "
                f"{context.data.identity.source} tells"
            )
    return None


def finer(context: Context, found: float | None) -> str | None:
    """Name what would lose less than the bundle's recipe, with its size and mean KL; None where it is not known.

    found: the bundle's mean KL.
    """
    manifest = context.bundle.manifest
    if manifest is None or context.source is None:
        return None
    pieces = None if context.kept_ids is None else len(context.kept_ids)
    try:
        sizes = recipe_sizes(context.source.path, pieces=pieces)
    except EdgekitError:  # another shape, whose sizes are not known here
        return None
    recipe = manifest.recipe
    if recipe.name not in sizes:
        offers = (_offer(name, sizes[name] - context.bundle.size) for name in reversed(list(sizes)[:2]))
        return f"convert with {' or '.join(offers)}"
    return lose_less(recipe.name, sizes, calibrated=recipe.calibration is not None, found=found)


def lose_less(
    recipe: str, sizes: Mapping[str, int], *, calibrated: bool, found: float | None = None
) -> str | None:
    """Name the recipes that lose less than one of them.

    sizes: of the shipped recipes, which stand in the order of what they lose, float32 last. A larger file is not a
    better one: what counts is where the bits go. found: the mean KL, of which the others' is told from what was
    measured.
    """
    if recipe not in sizes:
        return None
    names = [] if recipe == "float32" else list(sizes)
    now = f"{recipe} calibrated" if calibrated else recipe

    def expected(name: str) -> float | None:
        instead_of = now if now in MEAN_KL else recipe
        return None if found is None else expected_kl(name, instead_of, found)

    better = [
        _offer(name, sizes[name] - sizes[recipe], expected(name))
        for name in reversed(names[: names.index(recipe)] if names else ())
    ]
    if names and not calibrated:
        kl = expected(f"{recipe} calibrated")
        better.insert(0, "--calibrate" + (f" (mean KL about {kl:.2g})" if kl is not None else ""))
    if not better:
        but = " but by --recipe float32" if names else ""
        return f"no smaller loss is to be had{but}: train on rows like those that broke"
    return f"convert with {' or '.join(better)}"


def _offer(recipe: str, more: int, kl: float | None = None) -> str:
    """Write a recipe with the bytes that it takes more, and the mean KL that it should give."""
    told = f"{signed(round(more / 1e6), 0)} MB" + (f", mean KL about {kl:.2g}" if kl is not None else "")
    return f"--recipe {recipe} ({told})"
