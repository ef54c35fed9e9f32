"""What a validation found: frozen dataclasses, and the same as JSON (`reports/validate.json`).

Nothing here computes and nothing knows of reports, the engine or torch: who draws a page needs only this file.

The JSON is the dataclasses field by field, keys in their order. Numbers that JSON cannot write (a perplexity
may be infinite) are the strings "inf", "-inf" and "nan". Fields with a default may be added without a new
schema version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from edgekit.bundle.identity import BundleIdentity
from edgekit.gates import Gate
from edgekit.records.codec import decode, plain
from edgekit.records.versions import up_to_date
from edgekit.scoring.positions import LogitFigures
from edgekit.scoring.reference import MergeSection
from edgekit.stats import Interval
from edgekit.text.data import DataIdentity

SCHEMA_VERSION: Final = 1

_ADAPTER_ROUNDING: Final = 1e-5
"""Relative: float32, and the scaling folded into one of the matrices, differ by some 1e-7 from what PEFT computes."""

Status = Literal["passed", "failed", "skipped", "warned"]
CheckName = Literal[
    "merge",
    "container",
    "tokens",
    "template",
    "stop",
    "logits",
    "generation",
    "task",
    "weights",
    "runtimes",
]
Figure = int | float | str | None


@dataclass(frozen=True)
class Check:
    """One check's verdict. The details are in the report's section of the same name.

    summary: one sentence with the figures that matter, or why the check was skipped.
    figures: label → figure, in the order to show them.
    remedy: what to do; None when there is nothing to do.
    """

    name: CheckName
    title: str
    status: Status
    summary: str
    gates: tuple[Gate, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    remedy: str | None = None
    seconds: float = 0.0


# ---------------------------------------- who was compared


@dataclass(frozen=True)
class ReferenceIdentity:
    """What the bundle was held against.

    kind: a "checkpoint" in Transformers, another "bundle", or "none".
    digest: of the checkpoint, or the other model file's SHA-256. base: an adapter's base model.
    cached: whether its results came from an earlier run.
    """

    kind: Literal["checkpoint", "bundle", "none"]
    name: str
    digest: str
    base: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    cached: bool = False


# ---------------------------------------- 0 merge


# ---------------------------------------- 1 container


@dataclass(frozen=True)
class ContainerItem:
    """One thing that was promised and what was found."""

    name: str
    status: Status
    promised: str
    found: str


@dataclass(frozen=True)
class ContainerSection:
    """The file against its manifest, and whether the engine opens it."""

    items: tuple[ContainerItem, ...]


# ---------------------------------------- 2 tokens


@dataclass(frozen=True)
class TokenDifference:
    """A text on which the ids differ; position: of the first id that does. Ids start two before it."""

    text: str
    position: int
    reference_ids: tuple[int, ...]
    bundle_ids: tuple[int, ...]
    reference_text: str
    bundle_text: str


@dataclass(frozen=True)
class TokensSection:
    """Ids of the engine against the reference's. differences: the first few.

    spelled_out: texts with tokens that a trimmed vocabulary does not have, which smaller pieces spell instead; the
    bundle's tokens read back as the text.
    """

    texts: int
    awkward_texts: int
    equal: int
    tokens: int
    differences: tuple[TokenDifference, ...]
    spelled_out: int = 0


# ---------------------------------------- 3 template


@dataclass(frozen=True)
class TemplateCase:
    """A conversation and the prompts that were made of it.

    first_difference: index of the first character that differs, None when equal (or not compared).
    note: why the case does not count, when it does not.
    """

    name: str
    status: Status
    reference: str
    bundle: str
    first_difference: int | None = None
    note: str | None = None


@dataclass(frozen=True)
class TemplateSection:
    """Every conversation that was rendered on both sides."""

    cases: tuple[TemplateCase, ...]


# ---------------------------------------- 4 stop


@dataclass(frozen=True)
class StopId:
    """A token that the reference ends generation at. stops: whether the bundle lists it."""

    id: int
    text: str
    stops: bool


@dataclass(frozen=True)
class StopSection:
    """End-of-turn tokens, and how many answers ended by themselves within `limit` tokens.

    reference_ended: of the same prompts, None without a reference.
    """

    ids: tuple[StopId, ...]
    prompts: int
    ended: int
    reference_ended: int | None
    limit: int


# ---------------------------------------- 5 logits


@dataclass(frozen=True)
class PositionFigures:
    """Figures over the positions `start` to `end` (exclusive) of all texts; for the plot over positions."""

    start: int
    end: int
    positions: int
    kl_mean: Interval
    kl_max: float
    top1: Interval
    delta_p_rms: float


@dataclass(frozen=True)
class LogProbPair:
    """Log-probability (natural) of one token that came, in the reference and in the bundle."""

    reference: float
    bundle: float
    in_answer: bool


@dataclass(frozen=True)
class RemovedMass:
    """The probability that the reference gives to tokens which a trimmed vocabulary does not have, 0 to 1.

    rows, kept: pieces of the reference's vocabulary, and of those the bundle's. positions: where it was looked at,
    inside answers where there are any; the figures are over these. cut_texts: texts that were read up to their
    first removed token only.
    """

    rows: int
    kept: int
    positions: int
    inside_answers: bool
    mean: Interval
    p99: Interval
    largest: float
    cut_texts: int


@dataclass(frozen=True)
class LogitsSection:
    """Teacher forcing: both models read the same tokens, and their next-token distributions are compared.

    method: how the bundle's logits were had: "scoring graph" or "decode signature".
    answers: over positions inside answers, where the model speaks; None when no text has any. Gates look at
        it when there is one, at `overall` otherwise.
    scatter: a sample of at most 1,000.
    seconds: of the bundle's pass alone.
    removed: of a bundle with a trimmed vocabulary, whose distributions are compared over the tokens it kept.
    """

    method: str
    texts: int
    overall: LogitFigures
    answers: LogitFigures | None
    by_position: tuple[PositionFigures, ...]
    scatter: tuple[LogProbPair, ...]
    seconds: float
    tokens_per_second: float
    removed: RemovedMass | None = None


# ---------------------------------------- 6 generation


@dataclass(frozen=True)
class GenerationRow:
    """One prompt, answered greedily by both.

    first_difference: position (from 0, in tokens of the reference's tokenizer) of the first token that
        differs; None when the answers are equal. first_difference_char: the same in characters of the texts.
    *_loops: whether the answer ends in a loop. *_stopped: whether it ended by itself.
    constrained: the bundle's answer held to the manifest's answer format; None without one.
    """

    prompt: str
    expected: str | None
    reference: str | None
    bundle: str
    first_difference: int | None
    first_difference_char: int | None
    reference_tokens: int | None
    bundle_tokens: int
    reference_loops: bool | None
    bundle_loops: bool
    reference_stopped: bool | None
    bundle_stopped: bool
    constrained: str | None = None


@dataclass(frozen=True)
class HistogramBin:
    """Rows whose first difference is at a position from `start` to `end` (exclusive)."""

    start: int
    end: int
    count: int


@dataclass(frozen=True)
class GenerationSection:
    """Greedy answers of both, row by row.

    exact: share of rows with the same answer. divergence: of the rows that differ. length_difference: mean of
    bundle minus reference, in tokens. valid_free, valid_constrained: share of answers that the manifest's
    answer format allows, without and with constrained decoding; None without a format.
    """

    rows: tuple[GenerationRow, ...]
    max_tokens: int
    exact: Interval | None
    divergence: tuple[HistogramBin, ...]
    median_divergence: float | None
    length_difference: Interval | None
    loops_reference: Interval | None
    loops_bundle: Interval
    valid_free: Interval | None = None
    valid_constrained: Interval | None = None


# ---------------------------------------- 7 task


@dataclass(frozen=True)
class TaskMetric:
    """One metric of both runners. difference: bundle minus reference, paired by row.

    test: how p_value was had ("McNemar, exact"); None where only the interval tells.
    """

    name: str
    reference: Interval | None
    bundle: Interval
    difference: Interval | None
    p_value: float | None = None
    test: str | None = None
    constrained: Interval | None = None
    """The bundle's, with answers held to the manifest's format; None without one."""


@dataclass(frozen=True)
class TaskSection:
    """Answers against expected outputs.

    kind: "labels" when there are few different expected outputs, "json" when all are JSON objects, "text"
    else. metrics: the first is the one that the gate looks at.
    """

    kind: Literal["labels", "json", "text"]
    rows: int
    metrics: tuple[TaskMetric, ...]


# ---------------------------------------- 8 weights


@dataclass(frozen=True)
class WeightRow:
    """A tensor as the bundle holds it, against the checkpoint's (or the other bundle's).

    layer: None for the embedding, the head and the last norm. kind: q_proj, gate_proj, embedding, norm, ….
    sqnr_db: signal-to-quantization-noise ratio in decibels; infinite when equal.
    expected_sqnr_db: what quantizing the checkpoint's tensor by the same scheme gives; None when not known.
    """

    tensor: str
    layer: int | None
    kind: str
    scheme: str
    values: int
    sqnr_db: float
    cosine: float
    expected_sqnr_db: float | None = None


@dataclass(frozen=True)
class AdapterRow:
    """What a sidecar adds to a projection's weight, against what PEFT's matrices add.

    tensor: the projection. rank: as trained, 0 when PEFT does not change it.
    error: ‖found - trained‖ / ‖trained‖ (Frobenius); 1 when the sidecar does not change it, infinite when only it does.
    expected_error: what the best approximation of the sidecar's rank gives; None when the rank was not reduced.
    """

    tensor: str
    layer: int | None
    kind: str
    rank: int
    error: float
    expected_error: float | None = None

    @property
    def faithful(self) -> bool:
        """Whether rounding, and the reduction of the rank, account for the error."""
        return self.error <= _ADAPTER_ROUNDING + (self.expected_error or 0.0)


@dataclass(frozen=True)
class WeightsSection:
    """Every weight tensor, in the order of the model; with an adapter the base's, and what the sidecar adds to them."""

    tensors: tuple[WeightRow, ...]
    adapter: tuple[AdapterRow, ...] = ()


# ---------------------------------------- 9 runtimes


@dataclass(frozen=True)
class RuntimeResult:
    """Another release of the engine on the same file.

    opens: whether it loads the file; reason: the engine's own, when it does not, or why it is of no use all the same.
    checks: of tokens, template, stop and generation, those that ran, with a sentence each.
    """

    version: str
    opens: bool
    reason: str | None
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class RuntimesSection:
    """All releases that were asked for, in that order."""

    releases: tuple[RuntimeResult, ...]


# ---------------------------------------- a sidecar beside the merged bundle


@dataclass(frozen=True)
class AdapterWay:
    """One way to ship an adapter, against the reference.

    size: bytes that it costs in this way: its sidecar's, or the whole merged file's. positions: of the logits, inside
    answers where there are any. exact: answers that are the reference's. task: the first metric against the expected
    outputs, None when there are none.
    """

    name: str
    recipe: str | None
    size: int
    positions: int
    kl_mean: Interval | None
    top1: Interval | None
    exact: Interval | None
    task: Interval | None = None
    task_reference: Interval | None = None


@dataclass(frozen=True)
class MergedComparison:
    """A sidecar on the base beside the bundle with the adapter merged in.

    metric: the task's. difference: of the metric, sidecar minus merged, paired by row, with p_value by `test`.
    better: the way that keeps the task better, as far as 95% confidence vouches for it; without expected outputs, the
        way whose logits are nearer to the reference. note: what makes the comparison doubtful.
    """

    sidecar: AdapterWay
    merged: AdapterWay
    metric: str | None
    difference: Interval | None
    p_value: float | None
    test: str | None
    better: Literal["sidecar", "merged", "equal"]
    summary: str
    note: str | None = None


# ---------------------------------------- all of it


@dataclass(frozen=True)
class WorstExample:
    """A row worth looking at, side by side; the worst comes first.

    why: "ends in a loop", "differs from token 3", …. positions are those of GenerationRow.
    """

    prompt: str
    expected: str | None
    reference: str | None
    bundle: str
    first_difference: int | None
    first_difference_char: int | None
    why: str


@dataclass(frozen=True)
class ParityReport:
    """Everything that `edgekit validate` found.

    verdict: "failed" when any check failed. headline: the verdict in one sentence.
    checks: all ten, in order, skipped ones with their reason. A section is None when its check was skipped.
    against_merged: of an adapter that was also held beside its merged bundle.
    """

    bundle: BundleIdentity
    reference: ReferenceIdentity
    data: DataIdentity
    verdict: Literal["passed", "failed"]
    headline: str
    checks: tuple[Check, ...]
    merge: MergeSection | None
    container: ContainerSection | None
    tokens: TokensSection | None
    template: TemplateSection | None
    stop: StopSection | None
    logits: LogitsSection | None
    generation: GenerationSection | None
    task: TaskSection | None
    weights: WeightsSection | None
    runtimes: RuntimesSection | None
    worst: tuple[WorstExample, ...]
    seconds: float
    edgekit_version: str
    against_merged: MergedComparison | None = field(default=None, kw_only=True)
    schema_version: int = field(default=SCHEMA_VERSION, kw_only=True)

    def check(self, name: CheckName) -> Check:
        """Return the check of a name."""
        return next(check for check in self.checks if check.name == name)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return self.verdict == "passed"

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        values = plain(self, infinite=True)
        return {"schema_version": values.pop("schema_version"), **values}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ParityReport:
        """Read what `to_json` wrote; raises InputError, naming the key, for anything else."""
        values = up_to_date(dict(values), where=_REPORT, remedy="run edgekit validate again")
        report = decode(ParityReport, values, where=_REPORT, infinite=True)
        return replace(report, checks=tuple(replace(c, figures=_numbers(c.figures)) for c in report.checks))


_REPORT: Final = "validation report"


def _numbers(figures: Mapping[str, Figure]) -> Mapping[str, Figure]:
    """Read the numbers that JSON has as texts: a figure may be either."""
    return {
        name: float(value) if value in ("inf", "-inf", "nan") else value for name, value in figures.items()
    }
