"""The page of a validation: verdict first, then every check with its figures, gates, plots and examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from edgekit.figures import decibels, duration, number, percent, percent_points, signed, size
from edgekit.files.whole import write_whole
from edgekit.gates import Gate
from edgekit.html import svg
from edgekit.html.page import (
    Badge,
    Block,
    Cell,
    Column,
    Comparison,
    Facts,
    Fold,
    Link,
    Outcome,
    Page,
    Passage,
    Plot,
    Plots,
    Point,
    Prose,
    Remark,
    Run,
    Section,
    Table,
    Tile,
    Tiles,
    Verdict,
    render_page,
)
from edgekit.html.passages import side_by_side
from edgekit.html.text import sentence, shorten, visible
from edgekit.scoring.positions import LogitDistance, LogitFigures
from edgekit.stats import Interval
from edgekit.validation.result import (
    AdapterRow,
    Check,
    CheckName,
    Figure,
    GenerationRow,
    ParityReport,
    RemovedMass,
    Status,
    TaskMetric,
    TemplateCase,
    WeightRow,
    WorstExample,
)

_OUTCOMES: Final[dict[Status, Outcome]] = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "warned": "warning",
}
_WORDS: Final[dict[Outcome, str]] = {
    "passed": "passed",
    "failed": "failed",
    "skipped": "skipped",
    "warning": "warning",
    "neutral": "",
}
_EXAMPLES = 12
_ANSWERS = 200
_WORST_TENSORS = 15
_TEXT = 700  # characters of a prompt or an expected output
_NOTABLE_DB = 0.5  # a tensor that falls this short of its expected ratio is at fault, not merely coarse
_MISSING = "—"


def render_html(report: ParityReport) -> str:
    """Return the report as one self-contained HTML page. The same report gives the same bytes."""
    return render_page(validation_page(report))


def write_html(report: ParityReport, path: str | Path) -> None:
    """Write `render_html(report)`: the file is whole or not there; a missing directory is made.

    Raises InputError when it cannot be written.
    """
    write_whole(Path(path), render_html(report))


def validation_page(report: ParityReport) -> Page:
    """Describe the page: what it says, not how it looks."""
    skipped = [check for check in report.checks if check.status == "skipped"]
    sections = [
        _overview(report),
        *_merged(report),
        *_worst(report),
        *(_check_section(report, check) for check in report.checks if check.status != "skipped"),
        *_not_checked(skipped),
        _environment(report),
    ]
    return Page(
        kind="Validation report",
        title=report.bundle.title,
        verdict=_verdict(report),
        facts=_subject(report),
        tiles=_key_figures(report),
        sections=sections,
        footer=f"Made by edgekit {report.edgekit_version} in {duration(report.seconds)}. "
        f"The figures are in validate.json (schema {report.schema_version}).",
    )


# ---------------------------------------- the top of the page


def _verdict(report: ParityReport) -> Verdict:
    points = [
        point
        for status in ("failed", "warned")
        for check in report.checks
        if check.status == status
        for point in _points(check)
    ]
    headline = report.headline or ("Passed" if report.passed else "Failed")
    return Verdict("passed" if report.passed else "failed", headline, points)


def _points(check: Check) -> list[Point]:
    """Say why a check did not pass: a sentence for each gate it failed, its summary when no gate was in play."""
    failed = [gate for gate in check.gates if not gate.passed]
    outcome, subject = _OUTCOMES[check.status], Link(check.title, _ident(check.name))
    if not failed:
        return [Point(outcome, subject, check.summary, check.remedy or "")]
    return [Point(outcome, subject, _gate_sentence(gate), gate.remedy) for gate in failed]


def _gate_sentence(gate: Gate) -> str:
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


def _subject(report: ParityReport) -> Facts:
    reference = {
        "checkpoint": report.reference.name,
        "bundle": f"{report.reference.name} (another bundle)",
        "none": "none",
    }[report.reference.kind]
    data = f"{report.data.source}, {report.data.used:,} of {report.data.rows:,} rows"
    adapter = report.bundle.adapter
    if adapter is not None and report.reference.base is not None:
        reference = f"{reference} on {report.reference.base}, in peft"
    pairs = [("Held against", reference), ("Recipe", report.bundle.recipe or "unknown")]
    sizes = size(report.bundle.size)
    if adapter is not None:
        sizes = f"{size(adapter.size)} on a base of {sizes}"
    pairs += [("Size", sizes), ("Engine", report.bundle.engine or _MISSING), ("Data", data)]
    return Facts(pairs)


def _key_figures(report: ParityReport) -> list[Tile]:
    """Choose the figures to see first, those that there are; one that a gate looks at shows how it stood."""
    gates = {gate.name: gate.passed for check in report.checks for gate in check.gates}

    def outcome(*names: str) -> Outcome:
        stood = [gates[name] for name in names if name in gates]
        return "neutral" if not stood else "passed" if all(stood) else "failed"

    tiles = []
    if report.logits is not None:
        figures = report.logits.answers or report.logits.overall
        ratio = figures.perplexity_ratio.value - 1
        where = "inside answers" if report.logits.answers else "all positions"
        tiles += [
            Tile("Mean KL divergence", number(figures.kl_mean.value, 3), f"nats, {where}", outcome("max_kl")),
            Tile("Same top token", percent(figures.top1.value), where, outcome("min_top1")),
            Tile("Perplexity", f"{signed(ratio * 100, 1)}%", "bundle against reference"),
        ]
        if report.logits.removed is not None:
            mass = percent(report.logits.removed.mean.value)
            note = "of the reference's probability, mean"
            tiles.append(Tile("On removed tokens", mass, note, outcome("max_removed_mass")))
    if report.generation is not None:
        if report.generation.exact is not None:
            note = f"{len(report.generation.rows):,} prompts, greedy"
            tiles.append(
                Tile("Same answer", percent(report.generation.exact.value), note, outcome("min_exact"))
            )
        reference = report.generation.loops_reference
        note = "none to compare" if reference is None else f"reference: {percent(reference.value)}"
        loops = percent(report.generation.loops_bundle.value)
        tiles.append(Tile("Answers that end in a loop", loops, note, outcome("max_loop")))
    if report.task is not None and report.task.metrics:
        metric = report.task.metrics[0]
        note = "" if metric.reference is None else f"reference: {percent(metric.reference.value)}"
        tiles.append(
            Tile(
                f"Task: {metric.name}",
                percent(metric.bundle.value),
                note,
                outcome("min_task", "max_task_drop"),
            )
        )
    if report.weights is not None and report.weights.tensors:
        worst = _worst_first(report.weights.tensors)[0]
        layer = "" if worst.layer is None else f", layer {worst.layer}"
        tiles.append(
            Tile("Weakest tensor", decibels(worst.sqnr_db), f"{worst.kind}{layer}", outcome("max_sqnr_loss"))
        )
    return tiles


def _overview(report: ParityReport) -> Section:
    columns = (Column("Check"), Column("Verdict"), Column("What was found"), Column("Time", numeric=True))
    rows: list[tuple[Cell, ...]] = [
        (
            Link(check.title, "not-checked" if check.status == "skipped" else _ident(check.name)),
            _badge(check.status),
            check.summary,
            duration(check.seconds) if check.seconds else _MISSING,
        )
        for check in report.checks
    ]
    blocks: list[Block] = [Table("All checks", columns, rows)]
    gates = [gate for check in report.checks for gate in check.gates]
    if gates:
        failed = sum(not gate.passed for gate in gates)
        title = f"{_count(len(gates), 'gate', 'gates')}, {failed or 'none'} failed"
        blocks.append(Fold(title, [_gate_table("All gates", gates)]))
    return Section("checks", "Checks", blocks)


def _gate_table(caption: str, gates: Iterable[Gate]) -> Table:
    columns = (
        Column("Gate"),
        Column("Verdict"),
        Column("Found", numeric=True),
        Column("Allowed", numeric=True),
        Column("In edgekit.toml", code=True),
        Column("Set by"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            gate.label,
            _badge("passed" if gate.passed else "failed"),
            number(gate.value),
            f"{'≤' if gate.direction == 'max' else '≥'} {number(gate.threshold)}",
            gate.name,
            "the recipe's default" if gate.default else "you",
        )
        for gate in gates
    ]
    return Table(caption, columns, rows)


def _worst(report: ParityReport) -> list[Section]:
    if not report.worst:
        return []
    shown = report.worst[:_EXAMPLES]
    intro = (
        "The worst come first. What both say is grey; the first token that differs is marked, to the end of its word. "
        "After it each answer goes its own way."
    )
    blocks: list[Block] = [Prose(intro)]
    comparisons = [_example(rank, example) for rank, example in enumerate(shown, 1)]
    blocks += comparisons[:4]
    if len(comparisons) > 4:
        blocks.append(Fold(f"{len(comparisons) - 4} more", comparisons[4:]))
    return [Section("worst", "Worst examples", blocks)]


def _example(rank: int, example: WorstExample) -> Comparison:
    passages = side_by_side(example.reference, example.bundle, example.first_difference_char)
    if example.expected is not None:
        passages = [Passage("Expected", [Run(shorten(example.expected, _TEXT))]), *passages]
    return Comparison(f"{rank}. {sentence(example.why)}", "", shorten(example.prompt, _TEXT), passages)


def _not_checked(skipped: Sequence[Check]) -> list[Section]:
    if not skipped:
        return []
    columns = (Column("Check"), Column("Why not"), Column("What to do"))
    rows = [(check.title, check.summary, check.remedy or _MISSING) for check in skipped]
    return [Section("not-checked", "Not checked", [Table("Skipped checks", columns, rows)])]


def _environment(report: ParityReport) -> Section:
    bundle, reference, data = report.bundle, report.reference, report.data
    pairs = [
        ("Base file" if bundle.adapter else "Bundle file", bundle.file),
        ("SHA-256", bundle.sha256 or _MISSING),
        ("Size", f"{bundle.size:,} bytes"),
        ("Recipe", bundle.recipe or "unknown: not made by edgekit"),
        ("Form", bundle.form or _MISSING),
        ("KV cache", _MISSING if bundle.kv_length is None else f"{bundle.kv_length:,} tokens"),
        ("litert-lm-api", bundle.engine or _MISSING),
    ]
    if (adapter := bundle.adapter) is not None:
        pairs += [
            ("Sidecar", adapter.file),
            ("Its SHA-256", adapter.sha256),
            ("Its size", f"{adapter.size:,} bytes"),
            ("Its rank", f"{adapter.rank}"),
            ("Projections", ", ".join(adapter.targets)),
            ("System prompt", adapter.system_prompt or _MISSING),
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
        ("Data SHA-256", data.sha256 or _MISSING),
        ("Rows", f"{data.used:,} used of {data.rows:,}, {data.expected:,} with an expected output"),
        ("edgekit", report.edgekit_version),
    ]
    blocks: list[Block] = [
        Table("What was examined, with what", (Column("Item"), Column("Value", code=True)), pairs)
    ]
    if data.skipped:
        columns = (Column("Line", numeric=True), Column("Why it was left out"))
        lines = [(f"{row.line:,}", row.reason) for row in data.skipped]
        blocks.append(
            Fold(
                _count(len(lines), "row of the data left out", "rows of the data left out"),
                [Table("Rows left out", columns, lines)],
            )
        )
    return Section("environment", "Environment", blocks)


# ---------------------------------------- one section for each check


def _check_section(report: ParityReport, check: Check) -> Section:
    outcome = _OUTCOMES[check.status]
    blocks: list[Block] = []
    if check.status == "passed":
        blocks.append(Prose(check.summary))
    else:
        blocks.append(Remark(outcome, check.summary, check.remedy or ""))
    if check.figures:
        blocks.append(Tiles([Tile(label, _figure(value)) for label, value in check.figures.items()]))
    if check.gates:
        blocks.append(_gate_table("Gates", check.gates))
    details = _DETAILS.get(check.name)
    return Section(
        _ident(check.name), check.title, blocks + (details(report) if details else []), _badge(check.status)
    )


def _merged(report: ParityReport) -> list[Section]:
    """The two ways to ship an adapter side by side."""
    comparison = report.against_merged
    if comparison is None:
        return []
    ways = (comparison.sidecar, comparison.merged)
    rows = [
        ("Size that the adapter costs", *(size(way.size) for way in ways)),
        ("Recipe", *(way.recipe or "unknown" for way in ways)),
        ("Mean KL, nats", *(_interval(way.kl_mean) for way in ways)),
        ("Same top token", *(_interval(way.top1, percent) for way in ways)),
        ("Same answer as the reference", *(_interval(way.exact, percent) for way in ways)),
    ]
    if comparison.metric is not None:
        reference = _interval(ways[0].task_reference, percent)
        rows.append(("Task: " + comparison.metric, *(_interval(way.task, percent) for way in ways)))
        rows.append((f"Task: {comparison.metric}, reference", reference, reference))
    columns = (
        Column("Figure"),
        Column("Sidecar on the base", numeric=True),
        Column("Merged", numeric=True),
    )
    caption = f"{ways[0].name} against {ways[1].name}; ranges are 95% intervals"
    blocks: list[Block] = [Prose(f"{sentence(comparison.summary)}.")]
    if comparison.note is not None:
        blocks.append(Remark("warning", sentence(comparison.note)))
    blocks.append(Table(caption, columns, rows))
    if comparison.difference is not None:
        change = f"Sidecar minus merged, paired by row: {_interval(comparison.difference, percent_points)}"
        if comparison.p_value is not None:
            change += f"; p = {number(comparison.p_value, 2)} ({comparison.test})"
        blocks.append(Prose(f"{change}."))
    return [Section("merged", "Sidecar or merged", blocks)]


def _merge(report: ParityReport) -> list[Block]:
    section = report.merge
    if section is None:
        return []
    columns = (
        Column("Compared"),
        Column("KL, mean", numeric=True),
        Column("KL, largest", numeric=True),
        Column("Largest logit difference", numeric=True),
        Column("Same top token", numeric=True),
    )

    def row(name: str, distance: LogitDistance) -> tuple[str, ...]:
        return (
            name,
            number(distance.kl_mean),
            number(distance.kl_max),
            number(distance.largest_logit_difference),
            percent(distance.top1),
        )

    rows = [
        row("Base + adapter, against merged", section.merged),
        row("Fine-tune, against its base", section.from_base),
    ]
    aside = " The bundle reads the adapter from its sidecar: the first row is what merging it would change."
    explanation = (
        f"The adapter {section.adapter} changes {section.changed_tensors:,} of {section.tensors:,} tensors. The first "
        f"row should be rounding and nothing else; the second says how far the fine-tune is from its base. "
        f"{section.positions:,} positions; KL in nats.{aside if report.bundle.adapter else ''}"
    )
    return [Prose(explanation), Table("Distances between logits", columns, rows)]


def _container(report: ParityReport) -> list[Block]:
    if report.container is None:
        return []
    columns = (Column("Item"), Column("Verdict"), Column("Promised", code=True), Column("Found", code=True))
    rows: list[tuple[Cell, ...]] = [
        (item.name, _badge(item.status), item.promised, item.found) for item in report.container.items
    ]
    return [Table("The file against its manifest", columns, rows)]


def _tokens(report: ParityReport) -> list[Block]:
    section = report.tokens
    if section is None:
        return []
    count = (
        f"{section.equal:,} of {section.texts + section.awkward_texts:,} texts have equal ids: {section.texts:,} of "
        f"the data, {section.awkward_texts:,} awkward ones that are built in; {section.tokens:,} tokens."
    )
    if section.spelled_out:
        count += (
            f" {section.spelled_out:,} hold pieces that the trimmed vocabulary lacks: smaller ones spell them, "
            "and they read back the same."
        )
    if not section.differences:
        return [Prose(count)]
    columns = (
        Column("Text", code=True),
        Column("First difference at token", numeric=True),
        Column("Reference ids", code=True),
        Column("Bundle ids", code=True),
        Column("Reference reads", code=True),
        Column("Bundle reads", code=True),
    )
    rows = [
        (
            visible(shorten(difference.text, 200)),
            f"{difference.position:,}",
            " ".join(map(str, difference.reference_ids[:12])),
            " ".join(map(str, difference.bundle_ids[:12])),
            visible(shorten(difference.reference_text, 120)),
            visible(shorten(difference.bundle_text, 120)),
        )
        for difference in section.differences
    ]
    return [
        Prose(count),
        Table("Texts with different ids; ids from two before the difference", columns, rows),
    ]


def _template(report: ParityReport) -> list[Block]:
    if report.template is None:
        return []
    cases = report.template.cases
    columns = (Column("Conversation"), Column("Verdict"), Column("Note"))
    rows: list[tuple[Cell, ...]] = [(case.name, _badge(case.status), _template_note(case)) for case in cases]
    blocks: list[Block] = [Table("Rendered prompts", columns, rows)]
    blocks += [
        Comparison(
            sentence(case.name),
            _template_note(case),
            None,
            side_by_side(case.reference, case.bundle, case.first_difference),
        )
        for case in cases
        if case.status in ("failed", "warned")
    ]
    return blocks


def _template_note(case: TemplateCase) -> str:
    if case.note:
        return case.note
    return "equal" if case.first_difference is None else f"differs from character {case.first_difference:,}"


def _stop(report: ParityReport) -> list[Block]:
    section = report.stop
    if section is None:
        return []
    ended = f"Within {section.limit:,} tokens, {section.ended:,} of {section.prompts:,} answers ended by themselves"
    if section.reference_ended is not None:
        ended += f", {section.reference_ended:,} of the reference's"
    columns = (Column("Token", code=True), Column("Id", numeric=True), Column("Stops the engine"))
    rows: list[tuple[Cell, ...]] = [
        (
            visible(stop.text),
            f"{stop.id}",
            Badge("passed", "yes") if stop.stops else Badge("failed", "no"),
        )
        for stop in section.ids
    ]
    blocks: list[Block] = [Prose(f"{ended}.")]
    return [*blocks, Table("Tokens that end the reference's answers", columns, rows)] if rows else blocks


def _removed(removed: RemovedMass) -> list[Block]:
    where = "inside answers" if removed.inside_answers else "in all texts"
    said = (
        f"The bundle has {removed.kept:,} of the reference's {removed.rows:,} tokens: distributions are compared over "
        "those. What the reference would give to the others is lost."
    )
    if removed.cut_texts:
        said += f" {removed.cut_texts:,} texts were read up to their first removed token only."
    figures = [
        ("Mean", _interval(removed.mean, percent)),
        ("99th percentile", _interval(removed.p99, percent)),
        ("Largest", percent(removed.largest)),
    ]
    caption = f"Probability of the reference on removed tokens, at {removed.positions:,} positions {where}"
    return [Prose(said), Table(caption, (Column("Figure"), Column("Probability", numeric=True)), figures)]


def _logits(report: ParityReport) -> list[Block]:
    section = report.logits
    if section is None:
        return []
    overview = (
        f"Both models read the same {section.texts:,} texts, and their next-token distributions are compared at every "
        f"position, as llama-perplexity --kl-divergence does. The bundle's logits come from its {section.method}: "
        f"{duration(section.seconds)}, {number(section.tokens_per_second, 3)} tokens per second. "
        "Ranges are 95% intervals."
    )
    blocks: list[Block] = [Prose(overview)]
    if section.removed is not None:
        blocks += _removed(section.removed)
    plots = _logit_plots(report)
    if plots:
        blocks.append(Plots(plots))
    blocks.append(_logit_table(section.overall, section.answers))
    if section.by_position:
        columns = (
            Column("Positions"),
            Column("KL, mean", numeric=True),
            Column("KL, largest", numeric=True),
            Column("Same top token", numeric=True),
            Column("RMS Δp", numeric=True),
            Column("Tokens", numeric=True),
        )
        rows = [
            (
                _span(entry.start, entry.end),
                _interval(entry.kl_mean),
                number(entry.kl_max),
                _interval(entry.top1, percent),
                percent(entry.delta_p_rms),
                f"{entry.positions:,}",
            )
            for entry in section.by_position
        ]
        blocks.append(
            Fold("Figures by position", [Table("By position in the text", columns, rows, scroll=True)])
        )
    return blocks


def _logit_plots(report: ParityReport) -> list[Plot]:
    section = report.logits
    assert section is not None
    plots = []
    if section.by_position:
        x = [(entry.start + entry.end - 1) / 2 for entry in section.by_position]
        kl = [entry.kl_mean for entry in section.by_position]
        plots.append(
            Plot(
                svg.line_chart(
                    [_line("mean KL", x, kl)],
                    title="KL divergence by position",
                    x_label="position in the text (tokens)",
                    y_label="KL(reference ‖ bundle), nats",
                    description=f"Mean KL from {_range([entry.value for entry in kl])} nats.",
                    rules=_kl_rule(report, [entry.high or entry.value for entry in kl]),
                    band_name="95% interval",
                    whole_x=True,
                ),
                "Even is good. A rise along the text means that errors pile up in the KV cache; "
                "a peak at the start points at the template or the tokenizer.",
            )
        )
    if section.scatter:
        groups = [
            svg.Points(
                name,
                [pair.reference for pair in section.scatter if pair.in_answer is inside],
                [pair.bundle for pair in section.scatter if pair.in_answer is inside],
            )
            for name, inside in (("elsewhere", False), ("inside answers", True))
        ]
        plots.append(
            Plot(
                svg.scatter_chart(
                    [group for group in groups if group.x],
                    title="Log-probability of each token",
                    x_label="reference (nats)",
                    y_label="bundle (nats)",
                    description=f"{len(section.scatter):,} tokens, reference across, bundle up.",
                    diagonal="equal",
                ),
                "On the dashed line both find a token equally likely; below it, the bundle finds it less likely.",
            )
        )
    return plots


def _kl_rule(report: ParityReport, plotted: Sequence[float]) -> list[svg.Rule]:
    """Show the gate where it does not press the curve flat."""
    highest = max((value for value in plotted if math.isfinite(value)), default=0)
    return [
        svg.Rule(gate.threshold, f"gate: {number(gate.threshold)}")
        for check in report.checks
        for gate in check.gates
        if gate.name == "max_kl" and gate.threshold <= 3 * highest
    ]


def _logit_table(overall: LogitFigures, answers: LogitFigures | None) -> Table:
    def column(figures: LogitFigures) -> list[str]:
        return [
            f"{figures.positions:,}",
            _interval(figures.kl_mean),
            _interval(figures.kl_median),
            _interval(figures.kl_p99),
            number(figures.kl_max),
            _interval(figures.top1, percent),
            _interval(figures.top5, percent),
            _interval(figures.perplexity_reference),
            _interval(figures.perplexity_bundle),
            _interval(figures.perplexity_ratio),
            _interval(figures.delta_p_mean, percent),
            _interval(figures.delta_p_rms, percent),
            percent(figures.delta_p_max),
        ]

    names = (
        "Positions",
        "KL, mean",
        "KL, median",
        "KL, 99th percentile",
        "KL, largest",
        "Same top token",
        "Same top five tokens",
        "Perplexity, reference",
        "Perplexity, bundle",
        "Perplexity, bundle ÷ reference",
        "Δp, mean",
        "Δp, RMS",
        "Δp, largest",
    )
    sides = [("Everywhere", column(overall))]
    if answers is not None:
        sides.insert(0, ("Inside answers", column(answers)))
    columns = (Column("Figure"), *(Column(name, numeric=True) for name, _ in sides))
    rows = [(name, *(values[k] for _, values in sides)) for k, name in enumerate(names)]
    return Table("KL in nats; Δp: probability of the token that came, bundle minus reference", columns, rows)


def _generation(report: ParityReport) -> list[Block]:
    section = report.generation
    if section is None:
        return []
    blocks: list[Block] = []
    if any(entry.count for entry in section.divergence):
        differing = sum(entry.count for entry in section.divergence)
        median = (
            ""
            if section.median_divergence is None
            else f" Half of them by token {number(section.median_divergence)}."
        )
        blocks.append(
            Plots(
                [
                    Plot(
                        svg.histogram_chart(
                            [svg.Bin(entry.start, entry.end, entry.count) for entry in section.divergence],
                            title="Where answers begin to differ",
                            x_label="first differing token of the answer",
                            y_label="answers",
                            description=f"{differing:,} answers differ.{median}",
                            whole=True,
                        ),
                        f"{differing:,} of {len(section.rows):,} answers differ.{median} "
                        "Early differences hurt more than late ones.",
                    )
                ]
            )
        )
    columns = (Column("Figure"), Column("Reference", numeric=True), Column("Bundle", numeric=True))
    rows = [
        ("Same answer", _MISSING, _interval(section.exact, percent)),
        (
            "Answers that end in a loop",
            _interval(section.loops_reference, percent),
            _interval(section.loops_bundle, percent),
        ),
        ("Length difference, tokens", _MISSING, _interval(section.length_difference, signed)),
    ]
    if section.valid_free is not None:
        rows.append(("In the answer format, unconstrained", _MISSING, _interval(section.valid_free, percent)))
    if section.valid_constrained is not None:
        rows.append(
            ("In the answer format, constrained", _MISSING, _interval(section.valid_constrained, percent))
        )
    caption = f"Greedy answers of up to {section.max_tokens:,} tokens; ranges are 95% intervals"
    blocks.append(Table(caption, columns, rows))
    if section.rows:
        shown = section.rows[:_ANSWERS]
        title = (
            f"All {len(shown):,} answers"
            if len(shown) == len(section.rows)
            else f"The first {len(shown):,} answers"
        )
        blocks.append(Fold(title, [_answer_table(shown)]))
    return blocks


def _answer_table(rows: Sequence[GenerationRow]) -> Table:
    constrained = any(row.constrained is not None for row in rows)
    columns = (
        Column("Prompt"),
        Column("Reference"),
        Column("Bundle"),
        *([Column("Bundle, constrained")] if constrained else []),
        Column("First difference at token", numeric=True),
        Column("Remarks"),
    )
    cells = [
        (
            shorten(row.prompt, 160),
            _MISSING if row.reference is None else shorten(row.reference, 240),
            shorten(row.bundle, 240),
            *(
                [_MISSING if row.constrained is None else shorten(row.constrained, 240)]
                if constrained
                else []
            ),
            _MISSING if row.first_difference is None else f"{row.first_difference:,}",
            _remarks(row),
        )
        for row in rows
    ]
    return Table("Answers", columns, cells)


def _remarks(row: GenerationRow) -> str:
    remarks = []
    if row.bundle_loops:
        remarks.append("ends in a loop" + (", as the reference does" if row.reference_loops else ""))
    elif row.reference_loops:
        remarks.append("the reference ends in a loop")
    if not row.bundle_stopped:
        remarks.append(
            "cut off at the limit" + ("" if row.reference_stopped is not False else ", as the reference is")
        )
    return "; ".join(remarks)


def _task(report: ParityReport) -> list[Block]:
    section = report.task
    if section is None or not section.metrics:
        return []
    kind = {"labels": "labels", "json": "JSON objects", "text": "free text"}[section.kind]
    blocks: list[Block] = [Prose(f"{section.rows:,} rows carry an expected output: {kind}.")]
    both = [metric for metric in section.metrics if metric.reference is not None]
    labels = [metric.name for metric in section.metrics]
    bars = [_bars("bundle", [metric.bundle for metric in section.metrics])]
    if len(both) == len(section.metrics):
        bars.insert(
            0, _bars("reference", [metric.reference for metric in both if metric.reference is not None])
        )
    chart = svg.bar_chart(
        labels,
        bars,
        title="Task metrics",
        y_label="score",
        description="Whiskers are 95% intervals; see the table.",
    )
    constrained = any(metric.constrained is not None for metric in section.metrics)
    columns = (
        Column("Metric"),
        Column("Reference", numeric=True),
        Column("Bundle", numeric=True),
        Column("Bundle minus reference, paired", numeric=True),
        Column("p"),
        *([Column("Bundle, constrained", numeric=True)] if constrained else []),
    )
    rows = [
        (
            metric.name,
            _interval(metric.reference, percent),
            _interval(metric.bundle, percent),
            _interval(metric.difference, percent_points),
            _p_value(metric),
            *([_interval(metric.constrained, percent)] if constrained else []),
        )
        for metric in section.metrics
    ]
    blocks.append(Plots([Plot(chart, "Whiskers are 95% intervals.")]))
    blocks.append(Table("Scores with 95% intervals", columns, rows))
    return blocks


def _p_value(metric: TaskMetric) -> str:
    if metric.p_value is None:
        return _MISSING
    return number(metric.p_value, 2) + (f" ({metric.test})" if metric.test else "")


def _weights(report: ParityReport) -> list[Block]:
    if report.weights is None:
        return []
    return [*_sidecar(report.weights.adapter), *_base_weights(report.weights.tensors)]


def _sidecar(rows: Sequence[AdapterRow]) -> list[Block]:
    if not rows:
        return []
    worst = sorted(rows, key=lambda row: row.error - (row.expected_error or 0.0), reverse=True)
    shown, rest = worst[:_WORST_TENSORS], worst[_WORST_TENSORS:]
    intro = (
        f"The sidecar changes {_count(len(rows), 'projection', 'projections')}. What it adds to each weight is held "
        "against scaling times B A of the adapter as trained. More than rounding, or than reducing the rank costs, "
        "is a fault."
    )
    blocks: list[Block] = [
        Prose(intro),
        _sidecar_table("The sidecar against the adapter, the worst first", shown),
    ]
    if rest:
        table = _sidecar_table("The rest of the sidecar, in the same order", rest)
        blocks.append(Fold(_count(len(rest), "more projection", "more projections"), [table]))
    return blocks


def _sidecar_table(caption: str, rows: Sequence[AdapterRow]) -> Table:
    columns = (
        Column("Projection", code=True),
        Column("Rank as trained", numeric=True),
        Column("Relative error", numeric=True),
        Column("Expected", numeric=True),
        Column("Remark"),
    )
    cells: list[tuple[Cell, ...]] = [
        (
            shorten(row.tensor, 120),
            f"{row.rank}",
            number(row.error, 2),
            _MISSING if row.expected_error is None else number(row.expected_error, 2),
            "" if row.faithful else Badge("failed", "not the adapter's"),
        )
        for row in rows
    ]
    return Table(caption, columns, cells)


def _base_weights(all_tensors: Sequence[WeightRow]) -> list[Block]:
    if not all_tensors:
        return []
    tensors = _worst_first(all_tensors)
    blocks: list[Block] = []
    lines = _sqnr_lines(tensors)
    if lines:
        chart = svg.line_chart(
            lines,
            title="Signal-to-quantization-noise ratio by layer",
            x_label="layer",
            y_label="SQNR, dB (higher is better)",
            description=f"From {_range([ratio for line in lines for ratio in line.y])} dB; kinds: {len(lines)}.",
            marks=True,
            from_zero=False,
            whole_x=True,
        )
        caption = (
            "Each kind should run level. One point far below its line is a damaged tensor. "
            "Tensors that are stored exactly have no noise and are not drawn."
        )
        blocks.append(Plots([Plot(chart, caption)]))
    else:
        blocks.append(Prose("No tensor of a layer has any quantization noise."))
    shown = tensors[:_WORST_TENSORS]
    blocks.append(_weight_table("The worst first: short of what their scheme gives, then low", shown))
    if len(tensors) > len(shown):
        rest = tensors[_WORST_TENSORS:]
        blocks.append(
            Fold(
                _count(len(rest), "more tensor", "more tensors"),
                [_weight_table("The rest, in the same order", rest)],
            )
        )
    return blocks


def _weight_table(caption: str, tensors: Sequence[WeightRow]) -> Table:
    columns = (
        Column("Tensor", code=True),
        Column("Scheme", code=True),
        Column("SQNR", numeric=True),
        Column("Expected", numeric=True),
        Column("1 minus cosine", numeric=True),
        Column("Values", numeric=True),
        Column("Remark"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            shorten(row.tensor, 120),
            shorten(row.scheme, 60),
            decibels(row.sqnr_db),
            _MISSING if row.expected_sqnr_db is None else decibels(row.expected_sqnr_db),
            number(max(1 - row.cosine, 0), 2),
            f"{row.values:,}",
            Badge("failed", f"{number(_shortfall(row), 2)} dB short")
            if _shortfall(row) >= _NOTABLE_DB
            else "",
        )
        for row in tensors
    ]
    return Table(caption, columns, rows)


def _worst_first(tensors: Sequence[WeightRow]) -> list[WeightRow]:
    def badness(row: WeightRow) -> tuple[float, float]:
        shortfall = _shortfall(row)
        ratio = -math.inf if math.isnan(row.sqnr_db) else row.sqnr_db
        return (-shortfall if shortfall >= _NOTABLE_DB else 0.0, ratio)

    return sorted(tensors, key=badness)


def _shortfall(row: WeightRow) -> float:
    """By how many decibels a tensor is worse than quantizing the checkpoint's gives."""
    if math.isnan(row.sqnr_db):
        return math.inf
    if row.expected_sqnr_db is None or row.sqnr_db >= row.expected_sqnr_db:
        return 0.0
    return row.expected_sqnr_db - row.sqnr_db


def _sqnr_lines(tensors: Sequence[WeightRow]) -> list[svg.Line]:
    """One line for each kind of tensor that layers have; where there are too many to tell apart, the lowest."""
    by_kind: dict[str, dict[int, float]] = {}
    for row in tensors:
        if row.layer is not None and math.isfinite(row.sqnr_db):
            by_kind.setdefault(row.kind, {}).setdefault(
                row.layer, row.sqnr_db
            )  # worst first: the lowest stays
    chosen = sorted(by_kind, key=lambda kind: min(by_kind[kind].values()))[: svg.SERIES]
    return [
        svg.Line(kind, sorted(by_kind[kind]), [by_kind[kind][layer] for layer in sorted(by_kind[kind])])
        for kind in sorted(chosen)
    ]


def _runtimes(report: ParityReport) -> list[Block]:
    if report.runtimes is None:
        return []
    names = list(
        dict.fromkeys(check.name for release in report.runtimes.releases for check in release.checks)
    )
    columns = (Column("Engine"), Column("Opens the file"), *(Column(name.capitalize()) for name in names))
    rows: list[tuple[Cell, ...]] = []
    remarks: list[Block] = []
    for release in report.runtimes.releases:
        checks = {check.name: check for check in release.checks}
        opens = Badge("passed", "yes") if release.opens else Badge("failed", "no")
        rows.append(
            (
                release.version,
                opens,
                *(_badge(checks[name].status) if name in checks else _MISSING for name in names),
            )
        )
        if release.reason:
            remarks.append(
                Remark(
                    "neutral" if release.opens else "failed",
                    f"{release.version}: {release.reason}",
                )
            )
        remarks += [
            Remark(
                _OUTCOMES[check.status],
                f"{release.version}, {check.title}: {check.summary}",
                check.remedy or "",
            )
            for check in release.checks
            if check.status in ("failed", "warned")
        ]
    return [Table("Other releases of the engine on the same file", columns, rows), *remarks]


_DETAILS: Final[dict[CheckName, Callable[[ParityReport], list[Block]]]] = {
    "merge": _merge,
    "container": _container,
    "tokens": _tokens,
    "template": _template,
    "stop": _stop,
    "logits": _logits,
    "generation": _generation,
    "task": _task,
    "weights": _weights,
    "runtimes": _runtimes,
}


def _ident(name: CheckName) -> str:
    return f"check-{name}"


def _badge(status: Status) -> Badge:
    outcome = _OUTCOMES[status]
    return Badge(outcome, _WORDS[outcome])


def _line(name: str, x: Sequence[float], figures: Sequence[Interval]) -> svg.Line:
    low, high = _bounds(figures)
    return svg.Line(name, x, [figure.value for figure in figures], low, high)


def _bars(name: str, figures: Sequence[Interval]) -> svg.Bars:
    low, high = _bounds(figures)
    return svg.Bars(name, [figure.value for figure in figures], low, high)


def _bounds(figures: Sequence[Interval]) -> tuple[list[float] | None, list[float] | None]:
    if all(figure.low is None or figure.high is None for figure in figures):
        return None, None
    low = [math.nan if figure.low is None else figure.low for figure in figures]
    return low, [math.nan if figure.high is None else figure.high for figure in figures]


# ---------------------------------------- figures in words


def _interval(figure: Interval | None, write: Callable[[float], str] = number) -> str:
    """Write a figure and its interval: 0.0123 (0.0101 to 0.0145)."""
    if figure is None:
        return _MISSING
    if figure.low is None or figure.high is None:
        return write(figure.value)
    return f"{write(figure.value)} ({write(figure.low)} to {write(figure.high)})"


def _figure(value: Figure) -> str:
    if value is None:
        return _MISSING
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else number(value)


def _count(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _span(start: int, end: int) -> str:
    return f"{start:,}" if end - start == 1 else f"{start:,} to {end - 1:,}"


def _range(values: Sequence[float]) -> str:
    kept = [value for value in values if math.isfinite(value)]
    return f"{number(min(kept), 3)} to {number(max(kept), 3)}" if kept else "nowhere finite"
