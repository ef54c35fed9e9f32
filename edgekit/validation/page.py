"""The page of a validation: verdict first, then every check with its figures, gates, plots and examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgekit.figures import decibels, duration, number, percent, signed, size
from edgekit.gates import PRECISION, Gate, line
from edgekit.html.page import (
    Block,
    Cell,
    Column,
    Facts,
    Fold,
    Link,
    Outcome,
    Page,
    Point,
    Prose,
    Remark,
    Section,
    Table,
    Tile,
    Tiles,
    Verdict,
    render_page,
)
from edgekit.html.text import sentence, shorten
from edgekit.validation import merged, rows, worst
from edgekit.validation.checks import CHECKS, generation, logits, task, weights
from edgekit.validation.drawing import MISSING, OUTCOMES, badge, counted, gate_table, in_words
from edgekit.validation.report import Parity
from edgekit.validation.verdict import Check, CheckModule

_BUSY = 1.25
"""Load of each core from which on others are at work too."""

Stood = Callable[..., Outcome]
"""How the first screen's figures stood to the gates of these names."""


def render_html(parity: Parity, modules: Sequence[CheckModule] = CHECKS) -> str:
    """Return the report as one self-contained HTML page. The same report gives the same bytes."""
    return render_page(page_of(parity, modules))


def page_of(parity: Parity, modules: Sequence[CheckModule] = CHECKS) -> Page:
    """Describe the page: what it says, not how it looks. modules: the checks, which draw their details."""
    draw = {module.NAME: module.page for module in modules}
    skipped = [check for check in parity.checks if check.status == "skipped"]
    scored = parity.section(task.Section)
    sections = []
    if scored is not None and scored.changed:
        sections.append(rows.page_of(scored.changed))
    sections.append(_overview(parity))
    if parity.against_merged is not None:
        sections.append(merged.page_of(parity.against_merged))
    if parity.worst and (scored is None or not scored.changed):
        sections.append(worst.page_of(parity.worst))
    for check in parity.checks:
        if check.status != "skipped":
            found = parity.sections.get(check.name)
            details = draw[check.name](found, check) if found is not None and check.name in draw else []
            sections.append(_check_section(check, details))
    if skipped:
        sections.append(_not_checked(skipped))
    return Page(
        kind="Validation report",
        title=parity.bundle.title,
        verdict=_verdict(parity),
        facts=_subject(parity),
        tiles=_key_figures(parity),
        sections=[*sections, _environment(parity)],
        footer=f"Made by edgekit {parity.edgekit_version} in {duration(parity.seconds)}. "
        f"The figures are in validate.json (schema {parity.schema_version}).",
    )


# ---------------------------------------- the top of the page


def _verdict(parity: Parity) -> Verdict:
    points = [
        point
        for status in ("failed", "warned")
        for check in parity.checks
        if check.status == status
        for point in _points(check)
    ]
    headline = parity.headline or ("Passed" if parity.passed else "Failed")
    outcome: Outcome = "passed" if parity.passed else "failed"
    if parity.passed and parity.decision == "too few rows to tell":
        outcome = "warning"
    return Verdict(outcome, sentence(headline), points)


def _points(check: Check) -> list[Point]:
    """Say why a check did not pass: a sentence for each gate it failed, its summary when no gate was in play."""
    failed = [gate for gate in check.gates if not gate.passed]
    outcome, subject = OUTCOMES[check.status], Link(check.title, _ident(check.name))
    if not failed:
        return [Point(outcome, subject, check.summary, check.remedy or "")]
    own = None if check.remedy in {gate.remedy for gate in failed} else check.remedy
    last = next((gate for gate in reversed(failed) if gate.name in PRECISION), None)

    def remedy(gate: Gate) -> str:
        if own is None or gate.name not in PRECISION:
            return gate.remedy
        return own if gate is last else ""

    return [Point(outcome, subject, _gate_sentence(gate), remedy(gate)) for gate in failed]


def _gate_sentence(gate: Gate) -> str:
    if gate.name == "max_task_drop":
        return line(gate)
    limit = "at most" if gate.direction == "max" else "at least"
    return f"{gate.label} {number(gate.value)}, allowed {limit} {number(gate.threshold)}{_by_how_much(gate)}"


def _by_how_much(gate: Gate) -> str:
    distance = abs(gate.value - gate.threshold)
    if not math.isfinite(distance):
        return ""
    side = "above" if gate.value > gate.threshold else "below"
    if gate.threshold and gate.direction == "max" and gate.value >= 2 * gate.threshold > 0:
        return f" ({number(gate.value / gate.threshold, 2)} times as much)"
    return f" ({number(distance, 2)} {side})" if distance else ""


def _subject(parity: Parity) -> Facts:
    reference = {
        "checkpoint": parity.reference.name,
        "bundle": f"{parity.reference.name} (another bundle)",
        "none": "none",
    }[parity.reference.kind]
    data = f"{parity.data.source}, {parity.data.used:,} of {parity.data.rows:,} rows"
    adapter = parity.bundle.adapter
    if adapter is not None and parity.reference.base is not None:
        reference = f"{reference} on {parity.reference.base}, in peft"
    pairs = [("Held against", reference), ("Recipe", parity.bundle.recipe or "unknown")]
    sizes = size(parity.bundle.size)
    if adapter is not None:
        sizes = f"{size(adapter.size)} on a base of {sizes}"
    pairs += [("Size", sizes), ("Engine", parity.bundle.engine or MISSING), ("Data", data)]
    return Facts(pairs)


def _key_figures(parity: Parity) -> list[Tile]:
    """Choose the figures to see first, those that there are; one that a gate looks at shows how it stood."""
    gates = {gate.name: gate.passed for check in parity.checks for gate in check.gates}

    def stood(*names: str) -> Outcome:
        passed = [gates[name] for name in names if name in gates]
        return "neutral" if not passed else "passed" if all(passed) else "failed"

    tiles: list[Tile] = []
    if (scored := parity.section(task.Section)) is not None:
        tiles += _task_tiles(scored, stood)
    if (answered := parity.section(generation.Section)) is not None:
        tiles += _answer_tiles(answered, stood)
    if (read := parity.section(logits.Section)) is not None:
        tiles += _logit_tiles(read, stood)
    if (compared := parity.section(weights.Section)) is not None:
        weakest = weights.worst_first(compared.tensors)[0]
        note = weakest.kind + ("" if weakest.layer is None else f", layer {weakest.layer}")
        # It is what its scheme gives: that makes the file right, not the scheme fine.
        outcome: Outcome = "failed" if stood("max_sqnr_loss") == "failed" else "neutral"
        tiles.append(Tile("Weakest tensor", decibels(weakest.sqnr_db), note, outcome))
    return tiles


def _task_tiles(section: task.Section, stood: Stood) -> list[Tile]:
    """Say how many rows are right, before and after, and how many changed."""
    outcome, tiles = stood("min_task", "max_task_drop"), []
    for metric in section.metrics:
        if metric.decides:
            note = "" if metric.reference is None else f"reference: {percent(metric.reference.value)}"
            tiles.append(
                Tile(sentence(shorten(metric.name, 64)), percent(metric.bundle.value), note, outcome)
            )
    if section.metrics and (pairs := section.metrics[0].pairs) is not None:
        right = pairs.both + pairs.mended
        note = f"reference: {pairs.both + pairs.broken:,}"
        tiles[0] = Tile("Right", f"{right:,} of {pairs.rows:,}", note, outcome)
        tiles.insert(1, Tile("Broke", f"{pairs.broken:,}", "right before, wrong now"))
        tiles.insert(2, Tile("Mended", f"{pairs.mended:,}", "wrong before, right now"))
    return tiles


def _logit_tiles(section: logits.Section, stood: Stood) -> list[Tile]:
    tiles = []
    if (figures := section.figures) is not None:
        ratio = figures.perplexity_ratio.value - 1
        where = logits.of_how_many(section)
        tiles = [
            Tile("Mean KL divergence", number(figures.kl_mean.value, 3), f"nats, {where}", stood("max_kl")),
            Tile("Same top token", percent(figures.top1.value), where, stood("min_top1")),
            Tile("Perplexity", f"{signed(ratio * 100, 1)}%", "bundle against reference"),
        ]
    if section.removed is not None:
        mass, note = percent(section.removed.mean.value), "of the reference's probability, mean"
        tiles.append(Tile("On removed tokens", mass, note, stood("max_removed_mass")))
    return tiles


def _answer_tiles(section: generation.Section, stood: Stood) -> list[Tile]:
    tiles = []
    if section.exact is not None:
        note = f"{len(section.rows):,} prompts, greedy"
        tiles.append(Tile("Same answer", percent(section.exact.value), note, stood("min_exact")))
    reference = section.loops_reference
    note = "none to compare" if reference is None else f"reference: {percent(reference.value)}"
    loops = percent(section.loops_bundle.value)
    return [*tiles, Tile("Answers that end in a loop", loops, note, stood("max_loop"))]


def _overview(parity: Parity) -> Section:
    columns = (Column("Check"), Column("Verdict"), Column("What was found"), Column("Time", numeric=True))
    rows: list[tuple[Cell, ...]] = [
        (
            Link(check.title, "not-checked" if check.status == "skipped" else _ident(check.name)),
            badge(check.status),
            check.summary,
            duration(check.seconds) if check.seconds else MISSING,
        )
        for check in parity.checks
    ]
    blocks: list[Block] = [Table("All checks", columns, rows)]
    gates = [gate for check in parity.checks for gate in check.gates]
    if gates:
        failed = sum(not gate.passed for gate in gates)
        title = f"{counted(len(gates), 'gate', 'gates')}, {failed or 'none'} failed"
        blocks.append(Fold(title, [gate_table("All gates", gates)]))
    if parity.steps:
        blocks.append(Prose(_times(parity)))
    return Section("checks", "Checks", blocks)


def _times(parity: Parity) -> str:
    """Say where all the time went: what served several checks, and the checks by themselves."""
    parts = [f"{step.title} {duration(step.seconds)}" for step in parity.steps]
    checks = sum(check.seconds for check in parity.checks)
    said = f"{duration(parity.seconds)} in all: {', '.join(parts)}, the checks themselves {duration(checks)}."
    if parity.load is not None and parity.cores is not None and parity.load > _BUSY * parity.cores:
        said += f" The machine was busy with other work (load {parity.load:g} on {parity.cores} cores)."
    return said


def _not_checked(skipped: Sequence[Check]) -> Section:
    columns = (Column("Check"), Column("Why not"), Column("What to do"))
    rows = [(check.title, check.summary, check.remedy or MISSING) for check in skipped]
    return Section("not-checked", "Not checked", [Table("Skipped checks", columns, rows)])


def _environment(parity: Parity) -> Section:
    bundle, reference, data = parity.bundle, parity.reference, parity.data
    pairs = [
        ("Base file" if bundle.adapter else "Bundle file", bundle.file),
        ("SHA-256", bundle.sha256 or MISSING),
        ("Size", f"{bundle.size:,} bytes"),
        ("Recipe", bundle.recipe or "unknown: not made by edgekit"),
        ("Form", bundle.form or MISSING),
        ("KV cache", MISSING if bundle.kv_length is None else f"{bundle.kv_length:,} tokens"),
        ("litert-lm-api", bundle.engine or MISSING),
    ]
    if (adapter := bundle.adapter) is not None:
        pairs += [
            ("Sidecar", adapter.file),
            ("Its SHA-256", adapter.sha256),
            ("Its size", f"{adapter.size:,} bytes"),
            ("Its rank", f"{adapter.rank}"),
            ("Projections", ", ".join(adapter.targets)),
            ("System prompt", adapter.system_prompt or MISSING),
        ]
    if reference.kind != "none":
        pairs += [
            ("Reference", f"{reference.name} ({reference.kind})"),
            ("Reference digest", reference.digest),
        ]
        pairs += [("Its base model", reference.base)] if reference.base else []
        pairs.append(
            ("Reference results", "from an earlier run" if reference.cached else "computed in this run")
        )
        pairs += list(reference.versions.items())
    pairs += [
        ("Data", data.source),
        ("Data SHA-256", data.sha256 or MISSING),
        ("Rows", f"{data.used:,} used of {data.rows:,}, {data.expected:,} with an expected output"),
        ("edgekit", parity.edgekit_version),
    ]
    blocks: list[Block] = [
        Table("What was examined, with what", (Column("Item"), Column("Value", code=True)), pairs)
    ]
    if data.skipped:
        columns = (Column("Line", numeric=True), Column("Why it was left out"))
        lines = [(f"{row.line:,}", row.reason) for row in data.skipped]
        blocks.append(
            Fold(
                counted(len(lines), "row of the data left out", "rows of the data left out"),
                [Table("Rows left out", columns, lines)],
            )
        )
    return Section("environment", "Environment", blocks)


# ---------------------------------------- one section for each check


def _check_section(check: Check, details: Sequence[Block]) -> Section:
    blocks: list[Block] = []
    if check.status == "passed":
        blocks.append(Prose(check.summary))
    else:
        blocks.append(Remark(OUTCOMES[check.status], check.summary, check.remedy or ""))
    if check.figures:
        blocks.append(Tiles([Tile(label, in_words(value)) for label, value in check.figures.items()]))
    if check.gates:
        blocks.append(gate_table("Gates", check.gates))
    return Section(_ident(check.name), check.title, [*blocks, *details], badge(check.status))


def _ident(name: str) -> str:
    return f"check-{name}"
