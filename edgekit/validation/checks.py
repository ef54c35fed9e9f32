"""Checks 0 to 4: the merge of an adapter, the container, tokens, the template, what ends an answer."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from importlib.metadata import version

from edgekit.bundle.summary import BundleSummary
from edgekit.runtime.ask.protocol import Rendered
from edgekit.runtime.ask.questions import Voice
from edgekit.scoring.answers import first_difference
from edgekit.scoring.reference import MergeSection
from edgekit.text.messages import Message
from edgekit.text.prompts import AWKWARD, UNREPRODUCIBLE
from edgekit.validation.result import (
    Check,
    CheckName,
    ContainerItem,
    ContainerSection,
    Figure,
    Status,
    StopId,
    StopSection,
    TemplateCase,
    TemplateSection,
    TokenDifference,
    TokensSection,
)

TITLES: dict[CheckName, str] = {
    "merge": "Merge of the adapter",
    "container": "Container",
    "tokens": "Tokens",
    "template": "Chat template",
    "stop": "End of the answer",
    "logits": "Logits",
    "generation": "Generation",
    "task": "Task",
    "weights": "Weights",
    "runtimes": "Other runtimes",
}
_MERGE_KL = 1e-4
_NO_EFFECT_KL = 1e-6
_SHOWN_DIFFERENCES = 10
_CONTEXT_IDS = 2
_SHOWN_IDS = 8


def skipped(name: CheckName, reason: str) -> Check:
    """A check that did not run, and why."""
    return Check(name, TITLES[name], "skipped", reason)


def failed(name: CheckName, reason: str, remedy: str | None = None) -> Check:
    """A check that could not run because of the bundle."""
    return Check(name, TITLES[name], "failed", reason, remedy=remedy)


# ---------------------------------------- 0 merge


def check_merge(merge: MergeSection, *, in_sidecar: bool) -> Check:
    """Judge what an adapter changes and, unless it stays in a sidecar, whether merging it changed anything else."""
    merged, effect = merge.merged.kl_mean, merge.from_base.kl_mean
    figures: dict[str, Figure] = {
        "mean KL, peft to merged": merged,
        "largest logit difference": merge.merged.largest_logit_difference,
        "mean KL, peft to base": effect,
        "tensors changed": merge.changed_tensors,
    }
    title, remedy = TITLES["merge"], ""
    status: Status = "passed"
    said = (
        f"{merge.adapter}: merged, mean KL {merged:.2g} from peft on {merge.positions} positions; "
        f"{effect:.2g} from the base, {merge.changed_tensors} of {merge.tensors} tensors changed"
    )
    if in_sidecar:
        title = "Effect of the adapter"
        said = (
            f"{merge.adapter}, not merged: in peft it is mean KL {effect:.2g} from its base "
            f"on {merge.positions} positions"
        )
    elif not merged <= _MERGE_KL:
        status = "failed"
        remedy = "merge with peft's merge_and_unload on the base it was trained on, and convert the result"
    if status == "passed" and effect <= _NO_EFFECT_KL:
        status, remedy = "failed", "the adapter changes nothing: is it the trained one?"
    return Check("merge", title, status, said, (), figures, remedy or None)


# ---------------------------------------- 1 container


def check_container(
    summary: BundleSummary,
    source_digest: str | None,
    refusal: str | None,
    adapters: Sequence[ContainerItem] = (),
) -> tuple[Check, ContainerSection]:
    """Hold the file to what its manifest promises, and to what an engine needs.

    source_digest: of the checkpoint that it is validated against. refusal: why the engine did not open it.
    adapters: what is found of the adapters that it takes, and of one that is laid over it.
    """
    items = [*_needed_sections(summary)]
    if summary.manifest is not None:
        items = [*_digests(summary), *items, *_promises(summary)]
        if source_digest is not None:
            made_from = summary.manifest.source.digest
            same: Status = "passed" if made_from == source_digest else "warned"
            items.append(ContainerItem("made from this checkpoint", same, source_digest[:12], made_from[:12]))
    items += adapters
    engine = version("litert-lm-api")
    opens: Status = "passed" if refusal is None else "failed"
    items.append(ContainerItem("opened by the engine", opens, f"by {engine}", refusal or "yes"))
    wrong = [item for item in items if item.status == "failed"]
    odd = [item for item in items if item.status == "warned"]
    status: Status = "failed" if wrong else "warned" if odd else "passed"
    if wrong or odd:
        said = "; ".join(f"{i.name}: promised {i.promised}, found {i.found}" for i in wrong or odd)
    else:
        made = "" if summary.manifest is not None else " (no manifest: edgekit did not make this file)"
        said = f"{len(items)} of {len(items)} as promised{made}"
    remedy = "copy the bundle again, or convert again with --force" if wrong else None
    check = Check("container", TITLES["container"], status, said, remedy=remedy)
    return check, ContainerSection(tuple(items))


def promise(name: str, promised: object, found: object) -> ContainerItem:
    """Hold one thing that was found to what was promised."""
    return ContainerItem(name, "passed" if promised == found else "failed", str(promised), str(found))


def _digests(summary: BundleSummary) -> list[ContainerItem]:
    assert summary.manifest is not None
    model = summary.manifest.model
    return [
        promise("bytes", model.size, summary.size),
        promise("SHA-256", model.sha256[:12], summary.sha256[:12]),
    ]


def _needed_sections(summary: BundleSummary) -> list[ContainerItem]:
    rows = [
        ("LLM metadata", summary.llm is not None),
        ("tokenizer", summary.tokenizer is not None),
        ("model", bool(summary.models)),
        ("stop tokens", summary.llm is not None and bool(summary.llm.stop_tokens)),
        ("chat template", summary.llm is not None and summary.llm.template_sha256 is not None),
    ]
    return [
        ContainerItem(name, "passed" if there else "failed", "there", "there" if there else "missing")
        for name, there in rows
    ]


def _promises(summary: BundleSummary) -> list[ContainerItem]:
    manifest, llm = summary.manifest, summary.llm
    assert manifest is not None
    items = []
    if llm is not None:
        start = None if llm.start_token is None else llm.start_token.ids
        promised = None if manifest.start_token is None else (manifest.start_token,)
        items += [
            promise("start token", promised, start),
            promise("stop tokens", _ids(manifest.stop_tokens), _ids(llm.stop_tokens)),
            promise("template", (manifest.template_sha256 or "")[:12], (llm.template_sha256 or "")[:12]),
            promise("KV length", manifest.kv_length, llm.max_num_tokens),
            promise("minimum runtime", manifest.minimum_runtime, llm.minimum_runtime),
        ]
    if summary.models:
        model = summary.models[0]
        items.append(promise("form", manifest.graph.form, "dynamic" if model.dynamic else "static"))
        if not model.dynamic:
            lengths = sorted(model.prefill_lengths)
            items.append(promise("prefill lengths", sorted(manifest.graph.prefill_lengths), lengths))
            items.append(promise("cache length", manifest.kv_length, model.kv_length))
    if summary.tokenizer is not None:
        covered = summary.tokenizer.pieces >= manifest.architecture.vocab_size
        items.append(
            ContainerItem(
                "tokenizer covers every id",
                "passed" if covered else "failed",
                f"{manifest.architecture.vocab_size:,} ids",
                f"{summary.tokenizer.pieces:,}",
            )
        )
    return items


def _ids(tokens: Sequence[object]) -> list[tuple[int, ...]]:
    return [tuple(getattr(token, "ids", ())) for token in tokens]


# ---------------------------------------- 2 tokens


def check_tokens(
    texts: Sequence[str],
    reference: Voice,
    bundle: Voice,
    *,
    kept: Container[int] | None = None,
    reference_kept: Container[int] | None = None,
    decode: Callable[[Sequence[int]], str] | None = None,
) -> tuple[Check, TokensSection]:
    """Ids of both, text by text. A text that the engine refuses has no ids.

    kept, reference_kept: the ids that each has when its vocabulary is trimmed. Where one takes an id that the
    other does not have, the other spells it out: decode, which turns the bundle's ids into text, must read it back.
    """
    differences = []
    spelled_out = 0
    for text, ours, theirs in zip(texts, reference.ids, bundle.ids, strict=True):
        position = first_difference(ours, theirs)
        if position is None:
            continue
        apart = _lacks(kept, ours) or _lacks(reference_kept, theirs)
        if apart and decode is not None and decode(theirs) == text:
            spelled_out += 1
        else:
            differences.append(_token_difference(text, ours, theirs, position))
    count = len(texts)
    section = TokensSection(
        texts=count,
        awkward_texts=sum(text in AWKWARD for text in texts),
        equal=count - len(differences) - spelled_out,
        tokens=sum(map(len, reference.ids)),
        differences=tuple(differences[:_SHOWN_DIFFERENCES]),
        spelled_out=spelled_out,
    )
    if differences:
        excused = [d for d in differences if any(known in d.text for known in UNREPRODUCIBLE)]
        if len(excused) == len(differences):
            said = f"{len(excused)} of {count} texts get other ids, all of them with ▁ or <unk>"
            return Check("tokens", TITLES["tokens"], "warned", said), section
        first = next(d for d in differences if d not in excused)
        said = (
            f"{len(differences)} of {count} texts get other ids; the first is {first.text[:40]!r}, from its "
            f"token {first.position}: {list(first.reference_ids)} became {list(first.bundle_ids)}"
        )
        remedy = (
            "the bundle's tokenizer is not the checkpoint's: convert again with its tokenizer files in place"
        )
        return Check("tokens", TITLES["tokens"], "failed", said, remedy=remedy), section
    said = (
        f"the same ids on {section.equal} texts ({section.tokens:,} tokens), {section.awkward_texts} of them awkward"
        if not spelled_out
        else f"the same pieces on {section.equal} of {count} texts; {spelled_out} with pieces that were removed "
        "are spelled out in smaller ones and read back the same"
    )
    return Check("tokens", TITLES["tokens"], "passed", said), section


def _lacks(kept: Container[int] | None, ids: Sequence[int]) -> bool:
    return kept is not None and any(number not in kept for number in ids)


def _token_difference(
    text: str, ours: Sequence[int], theirs: Sequence[int], position: int
) -> TokenDifference:
    start = max(0, position - _CONTEXT_IDS)
    shown, other = tuple(ours[start : start + _SHOWN_IDS]), tuple(theirs[start : start + _SHOWN_IDS])
    return TokenDifference(text, position, shown, other, f"{len(ours)} ids", f"{len(theirs)} ids")


# ---------------------------------------- 3 template


def check_template(
    conversations: Sequence[tuple[str, Sequence[Message]]], reference: Voice, bundle: Voice, start_text: str
) -> tuple[Check, TemplateSection]:
    """Prompts of both, conversation by conversation.

    start_text: of the token that the engine puts before a prompt, which Transformers' prompt begins with.
    A conversation that the checkpoint's own template refuses does not count.
    """
    cases = tuple(
        _case(name, ours, theirs, start_text if bundle.start_id is not None else "")
        for (name, _), ours, theirs in zip(conversations, reference.prompts, bundle.prompts, strict=True)
    )
    wrong = [case for case in cases if case.status == "failed"]
    counted = [case for case in cases if case.status != "skipped"]
    if wrong:
        first = wrong[0]
        said = f"{len(wrong)} of {len(counted)} prompts differ; the first is {first.name}: {_where(first)}"
        remedy = "convert again; if it stays, report the template"
        return Check("template", TITLES["template"], "failed", said, remedy=remedy), TemplateSection(cases)
    said = f"the same prompt for {len(counted)} conversations"
    if len(counted) < len(cases):
        said += f"; {len(cases) - len(counted)} that the checkpoint's template refuses were left out"
    return Check("template", TITLES["template"], "passed", said), TemplateSection(cases)


def _case(name: str, ours: Rendered, theirs: Rendered, start_text: str) -> TemplateCase:
    if ours.text is None:
        return TemplateCase(name, "skipped", "", theirs.text or "", None, f"refused: {ours.error}")
    if theirs.text is None:
        return TemplateCase(name, "failed", ours.text, "", 0, f"the engine refused it: {theirs.error}")
    found = start_text + theirs.text
    position = first_difference(ours.text, found)
    return TemplateCase(name, "passed" if position is None else "failed", ours.text, found, position)


def _where(case: TemplateCase) -> str:
    if case.note is not None:
        return case.note
    at = case.first_difference or 0
    return f"from character {at}, {case.reference[at : at + 30]!r} became {case.bundle[at : at + 30]!r}"


# ---------------------------------------- 4 stop


def check_stop(reference: Voice | None, bundle: Voice, limit: int) -> tuple[Check, StopSection]:
    """Every token that ends the reference's turn must end the bundle's, and answers must end by themselves.

    Answers count against the bundle only when the reference's ended: a model that never ends has learned so.
    """
    listed = {ids[0] for ids in bundle.stop_ids if len(ids) == 1}
    wanted = [] if reference is None else [ids[0] for ids in reference.stop_ids if len(ids) == 1]
    ids = tuple(
        StopId(number, "" if reference is None else reference.pieces.get(number, ""), number in listed)
        for number in wanted or sorted(listed)
    )
    ended = sum(answer.ended for answer in bundle.answers)
    reference_ended = None if reference is None else sum(answer.ended for answer in reference.answers)
    section = StopSection(ids, len(bundle.answers), ended, reference_ended, limit)
    missing = [stop for stop in ids if not stop.stops]
    said = f"{ended} of {section.prompts} answers ended by themselves within {limit} tokens"
    if reference_ended is not None:
        said += f" ({reference_ended} of the reference's)"
    if missing:
        names = ", ".join(f"{stop.id} {stop.text}".strip() for stop in missing)
        said = f"the bundle does not stop at {names}; {said}"
        remedy = "convert again: the stop tokens come from generation_config.json and the chat template"
        return Check("stop", TITLES["stop"], "failed", said, remedy=remedy), section
    if not listed:
        return failed("stop", f"the bundle lists no stop token; {said}"), section
    never = bool(section.prompts) and ended == 0 and (reference_ended or 0) > 0
    status: Status = "failed" if never else "passed"
    return Check("stop", TITLES["stop"], status, f"{said}; stops at {sorted(listed)}"), section
