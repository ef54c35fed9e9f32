"""Validation reports as a validation would make them: passing, failing, of an adapter, minimal, and full of hostile
text."""

from __future__ import annotations

import dataclasses
import math
import random

from edgekit.bundle.identity import AdapterIdentity, BundleIdentity
from edgekit.gates import Gate
from edgekit.scoring.positions import LogitDistance, LogitFigures
from edgekit.scoring.reference import MergeSection
from edgekit.stats import Interval
from edgekit.text.data import DataIdentity, SkippedRow
from edgekit.validation.result import (
    AdapterRow,
    AdapterWay,
    Check,
    CheckName,
    ContainerItem,
    ContainerSection,
    GenerationRow,
    GenerationSection,
    HistogramBin,
    LogitsSection,
    LogProbPair,
    MergedComparison,
    ParityReport,
    PositionFigures,
    ReferenceIdentity,
    RuntimeResult,
    RuntimesSection,
    StopId,
    StopSection,
    TaskMetric,
    TaskSection,
    TemplateCase,
    TemplateSection,
    TokenDifference,
    TokensSection,
    WeightRow,
    WeightsSection,
    WorstExample,
)

HOSTILE = (
    "</script></style><script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "{{ 7 * 7 }} {% raw %} & &amp; \"'><svg onload=alert(1)>",
    "\u202eright to left override\u202c \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u2067isolate",
    "👩🏽\u200d🚀👨\u200d👩\u200d👧\u200d👦🇳🇴 e\u0301\u0301\u0301\u0301\u0301\u0301",
    "W" * 4000,
    "null \x00 escape \x1b[31m bell \x07 surrogate \ud800 carriage \r return",
    "<!--",
    "-->",
    "]]>",
    "",
    " ",
    "\n\n\n",
)

TITLES: dict[CheckName, str] = {
    "merge": "Adapter merge",
    "container": "Container",
    "tokens": "Tokens",
    "template": "Chat template",
    "stop": "Stop tokens",
    "logits": "Logits",
    "generation": "Generation",
    "task": "Task",
    "weights": "Weights",
    "runtimes": "Other runtimes",
}

MAX_KL = Gate(
    "max_kl",
    "Mean KL divergence",
    "max",
    0.05,
    0.0132,
    True,
    True,
    "quantize the embedding in 8 bits, or use block-wise scales: --recipe int4-block32",
)
MIN_TOP1 = Gate(
    "min_top1", "Same top token", "min", 0.97, 0.984, True, True, "see which layer lost most under Weights"
)
MAX_LOOP = Gate("max_loop", "Answers that end in a loop", "max", 0.0, 0.0, True, True, "use 8 bits")
MIN_TASK = Gate("min_task", "Task: field F1", "min", 0.95, 0.968, True, False, "use a recipe with more bits")

PROMPTS = (
    "Turn on the hotspot and call it Kitchen",
    "Make the screen a little darker at night, please",
    "Where do I change how long the phone rings?",
    "Slå av Bluetooth",
    "夜間モードを22時から6時まで有効にして",
    "Don't let the music app use mobile data",
)


def passing() -> ParityReport:
    """A 270M model in 8 bits: every section there, all gates passed, two checks skipped."""
    checks = tuple(
        Check(
            name,
            title,
            "skipped" if name in ("merge", "runtimes") else "passed",
            _SUMMARIES[name],
            _GATES.get(name, ()),
            _FIGURES.get(name, {}),
            _REMEDIES.get(name),
            seconds,
        )
        for (name, title), seconds in zip(
            TITLES.items(), (0, 0.4, 1.2, 0.3, 6.1, 71.5, 96, 0.2, 3.4, 0), strict=True
        )
    )
    return ParityReport(
        bundle=BundleIdentity(
            "settings-navigator",
            "settings-navigator.litertlm",
            271_581_184,
            "5b0e" * 16,
            "int8",
            "dynamic",
            2048,
            "0.18.1",
        ),
        reference=ReferenceIdentity(
            "checkpoint",
            "settings-navigator-270m",
            "a91c" * 16,
            None,
            {"transformers": "5.20.1", "torch": "2.12.0"},
            True,
        ),
        data=DataIdentity("eval.jsonl", "77d0" * 16, 200, 198, 198, (SkippedRow(17, 'no key "prompt"'),)),
        verdict="passed",
        headline="The bundle says what the fine-tune said",
        checks=checks,
        merge=None,
        container=_container(),
        tokens=TokensSection(198, 512, 710, 48_213, ()),
        template=TemplateSection(
            (
                TemplateCase("one turn", "passed", "<start_of_turn>user\nHi", "<start_of_turn>user\nHi"),
                TemplateCase("system message", "passed", "s", "s"),
                TemplateCase(
                    "content as a list of parts", "skipped", "", "", None, "the template takes strings only"
                ),
            )
        ),
        stop=StopSection((StopId(1, "<eos>", True), StopId(106, "<end_of_turn>", True)), 32, 32, 32, 256),
        logits=_logits(0.0132),
        generation=_generation(0.09),
        task=TaskSection(
            "json",
            198,
            (
                _metric("field F1", 0.971, 0.968),
                _metric("JSON valid", 1.0, 1.0),
                _metric("exact match", 0.924, 0.919, p_value=0.69),
            ),
        ),
        weights=_weights(42.0),
        runtimes=None,
        worst=_worst(4),
        seconds=184.3,
        edgekit_version="0.1.0",
    )


def failing() -> ParityReport:
    """An adapter in 4 bits with one damaged tensor, a lost system message and an old engine that refuses it."""
    good = passing()
    failed: dict[CheckName, Check] = {
        "merge": Check(
            "merge",
            TITLES["merge"],
            "warned",
            "the adapter changes next to nothing: mean KL 3.1e-06 from its base",
            remedy="check that training ran and that this is the adapter you mean",
            seconds=12.5,
        ),
        "template": Check(
            "template",
            TITLES["template"],
            "failed",
            "1 of 3 conversations is rendered differently",
            figures={"equal": 1},
            remedy="convert again: the bundle's template loses the system message",
        ),
        "tokens": Check(
            "tokens",
            TITLES["tokens"],
            "failed",
            "2 of 710 texts have other ids",
            remedy="the bundle's tokenizer is not the checkpoint's: convert again",
        ),
        "stop": Check("stop", TITLES["stop"], "warned", "31 of 32 answers ended by themselves", seconds=7),
        "logits": dataclasses.replace(
            good.check("logits"),
            status="failed",
            summary="mean KL 0.183, same top token at 89.1% of positions",
            gates=(
                dataclasses.replace(MAX_KL, value=0.1834, passed=False),
                dataclasses.replace(MIN_TOP1, value=0.891, passed=False),
            ),
        ),
        "generation": dataclasses.replace(
            good.check("generation"),
            status="failed",
            summary="3 of 198 answers end in a loop",
            gates=(dataclasses.replace(MAX_LOOP, value=3 / 198, passed=False),),
        ),
        "weights": Check(
            "weights",
            TITLES["weights"],
            "failed",
            "layer 7's down_proj is 11 dB worse than its scheme gives",
            remedy="the tensor is damaged: convert again, and compare the checkpoint's digest",
            seconds=3.3,
        ),
        "runtimes": Check(
            "runtimes",
            TITLES["runtimes"],
            "failed",
            "0.11.0 cannot load the file",
            remedy="convert with --form static, which 0.11.0 reads",
            seconds=41,
        ),
    }
    return dataclasses.replace(
        good,
        bundle=dataclasses.replace(
            good.bundle, name="settings-navigator-int4", recipe="int4-block32", size=173_400_064
        ),
        verdict="failed",
        headline="Failed: the bundle does not say what the fine-tune said",
        checks=tuple(failed.get(check.name, check) for check in good.checks),
        merge=MergeSection(
            "my-adapter",
            812,
            LogitDistance(2e-12, 9e-11, 4.1e-5, 1.0),
            LogitDistance(3.1e-6, 2e-4, 0.019, 0.9988),
            126,
            236,
        ),
        tokens=TokensSection(
            198,
            512,
            708,
            48_213,
            (
                TokenDifference("a  b\tc\n", 2, (235, 250, 268), (235, 107, 268), "  b", " b"),
                TokenDifference("naïve café", 1, (2, 12471, 2376), (2, 12471, 9), "naïve", "na"),
            ),
        ),
        template=TemplateSection(
            (
                TemplateCase("one turn", "passed", "x", "x"),
                TemplateCase(
                    "system message",
                    "failed",
                    "<start_of_turn>user\nAnswer in JSON.\n\nTurn on the hotspot<end_of_turn>\n<start_of_turn>model\n",
                    "<start_of_turn>user\nTurn on the hotspot<end_of_turn>\n<start_of_turn>model\n",
                    20,
                ),
                TemplateCase(
                    "content as a list of parts", "skipped", "", "", None, "the template takes strings only"
                ),
            )
        ),
        logits=_logits(0.1834),
        generation=_generation(0.55, loops=3),
        weights=_weights(21.0, damaged=("model.layers.7.mlp.down_proj.weight", 11.0)),
        runtimes=RuntimesSection(
            (
                RuntimeResult(
                    "0.11.0",
                    False,
                    "INTERNAL: Failed to invoke: node 132 (STABLEHLO_COMPOSITE) has no kernel",
                ),
                RuntimeResult(
                    "0.14.0",
                    True,
                    None,
                    (
                        Check("tokens", "Tokens", "passed", "equal"),
                        Check("stop", "Stop tokens", "warned", "31 of 32 answers ended"),
                    ),
                ),
            )
        ),
        worst=_worst(12, loop=True),
    )


def adapted() -> ParityReport:
    """An adapter on a base, beside its merged bundle; one layer of the sidecar is not the adapter's."""
    return _with_adapter(passing())


def _with_adapter(report: ParityReport) -> ParityReport:
    assert report.weights is not None
    rows = tuple(
        AdapterRow(
            f"model.layers.{layer}.self_attn.{kind}",
            layer,
            kind,
            8,
            1.0 if layer == 11 else 6e-8,
            0.031 if kind == "o_proj" else None,
        )
        for layer in range(18)
        for kind in ("q_proj", "o_proj")
    )
    targets = ("q_proj", "o_proj")
    return dataclasses.replace(
        report,
        bundle=dataclasses.replace(
            report.bundle,
            adapter=AdapterIdentity(
                "sentiment", "sentiment.lora.tflite", 5_898_240, "c0de" * 16, 16, targets, "Say how it feels."
            ),
        ),
        reference=dataclasses.replace(report.reference, name="sentiment-lora", base="gemma-3-270m-it"),
        merge=MergeSection(
            "LoRA of rank 8",
            412,
            LogitDistance(3.1e-7, 2e-6, 0.002, 1.0),
            LogitDistance(0.61, 4.2, 9.1, 0.71),
            36,
            236,
        ),
        weights=dataclasses.replace(report.weights, adapter=rows),
        against_merged=MergedComparison(
            sidecar=_way("sentiment", "int8", 5_898_240, 0.0132, 0.92),
            merged=_way("sentiment-int4", "int4", 228_000_000, 0.081, 0.87),
            metric="exact match",
            difference=Interval(0.05, 0.01, 0.09),
            p_value=0.012,
            test="McNemar, exact",
            better="sidecar",
            summary="the sidecar on the base keeps the task better than the merged bundle: exact match 92.0% against "
            "87.0% merged; mean KL 0.013 against 0.081",
            note="the merged bundle was made from another checkpoint than this adapter on this base",
        ),
    )


def _way(name: str, recipe: str, size: int, kl: float, task: float) -> AdapterWay:
    return AdapterWay(
        name,
        recipe,
        size,
        2011,
        _around(kl, kl / 10),
        _around(0.98, 0.005),
        _around(0.9, 0.04),
        _around(task, 0.04),
        _around(0.93, 0.03),
    )


def minimal() -> ParityReport:
    """A file of another tool, without a checkpoint: one check ran, no section has anything to show."""
    checks = tuple(
        Check(
            name,
            title,
            "passed" if name == "container" else "skipped",
            "ok" if name == "container" else "no reference",
        )
        for name, title in TITLES.items()
    )
    return ParityReport(
        bundle=BundleIdentity("model", "model.litertlm", 512, "", None, None, None, "0.18.1"),
        reference=ReferenceIdentity("none", "", ""),
        data=DataIdentity("built-in prompts", "", 0, 0, 0),
        verdict="passed",
        headline="",
        checks=checks,
        merge=None,
        container=None,
        tokens=None,
        template=None,
        stop=None,
        logits=None,
        generation=None,
        task=None,
        weights=None,
        runtimes=None,
        worst=(),
        seconds=0.0,
        edgekit_version="0.1.0",
    )


def hostile() -> ParityReport:
    """Every text of a failing report replaced by one that tries to break the page; figures that are not finite."""
    replacements = iter(range(10**9))

    def spoil(value: object, key: str = "") -> object:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            spoiled = {f.name: spoil(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
            return dataclasses.replace(value, **spoiled)
        if isinstance(value, tuple):
            return tuple(spoil(item) for item in value)
        if isinstance(value, dict):
            return {f"{HOSTILE[k % len(HOSTILE)]}{k}": spoil(item) for k, item in enumerate(value.values())}
        if (
            isinstance(value, str)
            and key not in ("status", "verdict", "direction")
            and value not in _KEYWORDS
        ):
            return HOSTILE[next(replacements) % len(HOSTILE)]
        if isinstance(value, float) and next(replacements) % 7 == 0:
            return (math.inf, -math.inf, math.nan)[next(replacements) % 3]
        return value

    report = spoil(_with_adapter(failing()))
    assert isinstance(report, ParityReport)
    return report


_KEYWORDS = {*TITLES, "checkpoint", "bundle", "none", "labels", "json", "text", "sidecar", "merged", "equal"}

_SUMMARIES: dict[CheckName, str] = {
    "merge": "the checkpoint is no adapter",
    "container": "the file is what the manifest says, and the engine opens it",
    "tokens": "710 of 710 texts have equal ids",
    "template": "2 of 2 conversations are rendered alike",
    "stop": "32 of 32 answers ended by themselves",
    "logits": "mean KL 0.0132, same top token at 98.4% of positions",
    "generation": "180 of 198 answers are the same, none ends in a loop",
    "task": "field F1 96.8%, the reference's is 97.1%",
    "weights": "from 38.6 dB up, as the scheme gives",
    "runtimes": "no other release was asked for",
}
_REMEDIES: dict[CheckName, str] = {"runtimes": "add --runtime 0.11.0,0.14.0"}
_GATES: dict[CheckName, tuple[Gate, ...]] = {
    "logits": (MAX_KL, MIN_TOP1),
    "generation": (MAX_LOOP,),
    "task": (MIN_TASK,),
}
_FIGURES: dict[CheckName, dict[str, int | float | str | None]] = {
    "container": {"sections": 6, "minimum runtime": "0.15.0"},
    "tokens": {"texts": 710, "equal": 710, "tokens": 48_213},
    "logits": {"positions": 2011, "seconds": 71.5, "not measured": None},
}


def _around(value: float, width: float) -> Interval:
    return Interval(value, value - width, value + width)


def _container() -> ContainerSection:
    digest = "5b0e" * 16
    return ContainerSection(
        (
            ContainerItem("SHA-256", "passed", digest, digest),
            ContainerItem("KV length", "passed", "2048", "2048"),
            ContainerItem("prefill lengths", "passed", "32, 256", "32, 256"),
            ContainerItem("licence", "skipped", "", "no NOTICE"),
        )
    )


def _logits(kl: float) -> LogitsSection:
    rng = random.Random(4)
    positions = []
    for start in range(0, 256, 8):
        mean = kl * (0.7 + 0.6 * rng.random() + start / 500)
        positions.append(
            PositionFigures(
                start,
                start + 8,
                max(1500 - 5 * start, 12),
                _around(mean, mean * (0.1 + start / 600)),
                mean * 40,
                _around(1 - mean, 0.004),
                mean / 3,
            )
        )
    pairs = []
    for _ in range(1000):
        reference = -rng.expovariate(0.6)
        pairs.append(LogProbPair(reference, min(reference + rng.gauss(0, kl * 6), -1e-6), rng.random() < 0.4))
    figures = LogitFigures(
        2011,
        _around(7.412, 0.31),
        _around(7.498, 0.32),
        _around(1.0116, 0.0021),
        _around(kl, kl / 9),
        _around(kl / 5, kl / 40),
        _around(kl * 11, kl * 2),
        kl * 71,
        _around(0.984, 0.006),
        _around(0.991, 0.003),
        0.213,
        _around(0.0141, 0.001),
        _around(-0.0012, 0.0006),
    )
    answers = dataclasses.replace(figures, positions=734, kl_mean=_around(kl, kl / 6))
    return LogitsSection("scoring graph", 198, figures, answers, tuple(positions), tuple(pairs), 71.5, 28.1)


def _generation(differ: float, loops: int = 0) -> GenerationSection:
    rng = random.Random(6)
    rows = []
    for n in range(198):
        prompt = PROMPTS[n % len(PROMPTS)]
        answer = '{"screen": "wifi.hotspot", "change": {"ssid": "Kitchen"}}'
        changed = rng.random() < differ
        rows.append(
            GenerationRow(
                prompt,
                answer,
                answer,
                answer.replace("Kitchen", "Kitch") if changed else answer,
                14 if changed else None,
                47 if changed else None,
                22,
                22,
                False,
                n < loops,
                True,
                n >= loops,
            )
        )
    bins = tuple(
        HistogramBin(start, start + 4, int(rng.random() * 12 * differ * 4)) for start in range(0, 64, 4)
    )
    return GenerationSection(
        tuple(rows),
        256,
        _around(1 - differ, 0.03),
        bins,
        14.0,
        _around(-0.4, 0.8),
        Interval(0.0, 0.0, 0.015),
        Interval(loops / 198, 0.0, 0.03),
        _around(0.97, 0.02),
        Interval(1.0, 0.98, 1.0),
    )


def _metric(name: str, reference: float, bundle: float, p_value: float | None = None) -> TaskMetric:
    difference = Interval(bundle - reference, bundle - reference - 0.012, bundle - reference + 0.009)
    test = None if p_value is None else "McNemar, exact"
    return TaskMetric(name, _around(reference, 0.02), _around(bundle, 0.02), difference, p_value, test)


def _weights(level: float, damaged: tuple[str, float] = ("", 0.0)) -> WeightsSection:
    rng = random.Random(8)
    rows = [
        WeightRow(
            "model.embed_tokens.weight",
            None,
            "embedding",
            "int8 channel",
            167_772_160,
            level + 1,
            0.99995,
            level + 1,
        )
    ]
    kinds = {
        "q_proj": 0,
        "k_proj": 1.2,
        "v_proj": 0.6,
        "o_proj": -0.7,
        "gate_proj": -1.5,
        "up_proj": -1.1,
        "down_proj": -2.4,
    }
    for layer in range(18):
        for n, (kind, offset) in enumerate(kinds.items()):
            name = f"model.layers.{layer}.{'self_attn' if n < 4 else 'mlp'}.{kind}.weight"
            expected = level + offset + rng.gauss(0, 0.5)
            found = expected - (damaged[1] if name == damaged[0] else 0)
            cosine = 1 - 10 ** (-found / 10) / 2
            rows.append(WeightRow(name, layer, kind, "int8 channel", 655_360, found, cosine, expected))
        name = f"model.layers.{layer}.input_layernorm.weight"
        rows.append(WeightRow(name, layer, "norm", "float32", 640, math.inf, 1.0, math.inf))
    return WeightsSection(tuple(rows))


def _worst(count: int, loop: bool = False) -> tuple[WorstExample, ...]:
    reference = '{"screen": "display.night_light", "change": {"from": "22:00", "to": "06:00"}}'
    examples = []
    for n in range(count):
        bundle = reference.replace('"22:00"', '"20:00", "note": "every evening"')
        at = reference.index('22:00"')
        why = f"differs from token {12 + n}"
        if loop and n == 0:
            why = "ends in a loop, and differs from token 12"
            bundle = reference[:at] + "22:" + "00:" * 400
            at += len("22:00")
        examples.append(
            WorstExample(PROMPTS[n % len(PROMPTS)], reference, reference, bundle, 12 + n, at, why)
        )
    return tuple(examples)
