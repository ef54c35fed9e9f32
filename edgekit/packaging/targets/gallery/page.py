"""The import card: what to answer when the AI Edge Gallery's import dialog asks, as a page and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.figures import size
from edgekit.html.page import (
    Badge,
    Block,
    Cell,
    Column,
    Facts,
    Fold,
    Link,
    Page,
    Point,
    Prose,
    Remark,
    Section,
    Table,
    Verdict,
    render_page,
)
from edgekit.html.text import sentence
from edgekit.packaging.targets.gallery.allowlist import (
    APPLICATION_ID,
    REMOTE_LIST,
    deep_link,
    model_file,
    remote_model,
)
from edgekit.packaging.targets.gallery.card import ImportCard
from edgekit.packaging.targets.gallery.settings import GALLERY_RUNTIME, GALLERY_VERSION, Field
from edgekit.packaging.targets.gallery.trial import Trial
from edgekit.quoting import markdown


def render_html(card: ImportCard) -> str:
    """Return the card as one self-contained HTML page. The same card gives the same bytes."""
    return render_page(import_page(card))


def import_page(card: ImportCard) -> Page:
    """Describe the page: what it says, not how it looks."""
    sections = [
        Section("values", "What to enter", [_values_table(card), Prose(_EXPLANATION)]),
        Section(
            "steps", "How to import it", [_steps_table(card), Fold("With a cable instead", _cable(card))]
        ),
    ]
    if absent := _absent(card):
        sections.append(Section("absent", "What the Gallery leaves out", absent))
    remark = Remark(card.trial.outcome, _sentence(card.trial))
    sections.append(Section("runtime", f"On the Gallery's runtime {GALLERY_RUNTIME}", [remark]))
    if prompts := _prompts(card):
        sections.append(Section("prompts", "Prompts to try", [_prompts_table(prompts)]))
    return Page(
        kind="Import card",
        title=card.source.task.title,
        verdict=_verdict(card),
        facts=Facts(_subject(card)),
        sections=sections,
        footer=f"For the AI Edge Gallery {GALLERY_VERSION}, written after its source. Terms of the model: NOTICE.",
    )


def render_markdown(card: ImportCard) -> str:
    """Return the card as Markdown, to paste beside a download link."""
    lines = [f"# {markdown(card.source.task.title)}: import card", "", f"{_verdict(card).headline}.", ""]
    lines += [f"* {name}: {markdown(value)}" for name, value in _subject(card)]
    lines += ["", "## What to enter", "", "| Field | Enter | Default | Why |", "| --- | --- | --- | --- |"]
    for field in card.fields:
        value = f"**{field.value}**" if field.differs else field.value
        lines.append(f"| {field.name} | {value} | {_default(field)} | {field.why} |")
    lines += ["", _EXPLANATION, "", "## How to import it", ""]
    lines += [f"{number}. {step}" for number, step in enumerate(_steps(card), 1)]
    lines += ["", "With a cable instead:", "", *(f"    {line}" for line in _commands(card))]
    if remarks := _absent_texts(card):
        lines += [
            "",
            "## What the Gallery leaves out",
            "",
            *(f"* {text} {remedy}" for text, remedy in remarks),
        ]
    if card.task.system_prompt:
        lines += ["", "System prompt:", "", *(f"    {line}" for line in card.task.system_prompt.splitlines())]
    lines += ["", f"## On the Gallery's runtime {GALLERY_RUNTIME}", "", markdown(_sentence(card.trial))]
    if prompts := _prompts(card):
        lines += ["", "## Prompts to try", ""]
        lines += [
            f"* {markdown(prompt)}{' → ' + markdown(answer) if answer else ''}" for prompt, answer in prompts
        ]
    return "\n".join(lines) + "\n"


_EXPLANATION = (
    "The dialog never looks into the file: its defaults are those of a chat model, whatever the bundle says."
)


def _verdict(card: ImportCard) -> Verdict:
    changes = len(card.to_change)
    values = "1 value" if changes == 1 else f"{changes} values"
    headline = (
        f"Change {values} in the import dialog"
        if changes
        else "The import dialog's defaults are right as they are"
    )
    points = [
        Point("warning", Link(field.name, "values"), f"{field.value} instead of {field.default}")
        for field in card.to_change
    ]
    if card.trial.outcome == "failed":
        return Verdict(
            "failed",
            f"Does not run on the Gallery's runtime {GALLERY_RUNTIME}",
            [
                Point("failed", Link("Runtime", "runtime"), _sentence(card.trial)),
                *points,
            ],
        )
    return Verdict("warning" if changes else "passed", headline, points)


def _subject(card: ImportCard) -> list[tuple[str, str]]:
    manifest = card.manifest
    return [
        ("File", model_file(card.source)),
        ("Size", size(manifest.model.size)),
        ("Made from", manifest.source.name),
        ("Recipe", manifest.recipe.name),
        ("SHA256", manifest.model.sha256),
    ]


def _values_table(card: ImportCard) -> Table:
    columns = [Column("Field"), Column("Enter"), Column("Default"), Column("Why")]
    rows: list[list[Cell]] = [
        [
            field.name,
            Badge("warning", field.value) if field.differs else field.value,
            _default(field),
            field.why,
        ]
        for field in card.fields
    ]
    return Table(
        "Values for the import dialog, in its order; those marked “!” differ from its defaults", columns, rows
    )


def _default(field: Field) -> str:
    return "—" if field.default is None else field.default


def _steps(card: ImportCard) -> tuple[str, ...]:
    return (
        f"Copy {model_file(card.source)} to the phone, into Download.",
        "In the Gallery, import a model from local storage and choose the file.",
        "Enter the values above and import.",
        "Open the model and send it a prompt.",
    )


def _steps_table(card: ImportCard) -> Table:
    rows = [[str(number), step] for number, step in enumerate(_steps(card), 1)]
    return Table("Steps on the phone", [Column("Step"), Column("What to do")], rows)


def _commands(card: ImportCard) -> tuple[str, ...]:
    model = remote_model(card.source)
    return (
        f"adb push {model_file(card.source)} {model}",
        f"adb push model_allowlist_test.json {REMOTE_LIST}",
        f"adb shell chmod 644 {model} {REMOTE_LIST}",
        f"adb shell am force-stop {APPLICATION_ID}",
        f"adb shell am start -a android.intent.action.VIEW -d '{deep_link(card.source)}' -p {APPLICATION_ID}",
    )


def _cable(card: ImportCard) -> list[Block]:
    rows = [[str(number), command] for number, command in enumerate(_commands(card), 1)]
    return [
        Prose(
            "adb puts the file and a list of models for testing where the Gallery looks for them; the list brings all "
            f"values with it. While it is there, the Gallery shows this model and no other; adb shell rm {REMOTE_LIST} "
            "brings those back."
        ),
        Table("Commands", [Column("Step"), Column("Command", code=True)], rows),
    ]


def _absent_texts(card: ImportCard) -> list[tuple[str, str]]:
    """What the bundle or its app has and the Gallery has no place for, with what to do about it."""
    texts = []
    if card.manifest.answer is not None:
        texts.append(
            (
                "The bundle has an answer format. The Gallery has no place for one: answers are not held to it there.",
                "Check the answer before you use it, or package an app of your own (--to apk), which holds to it.",
            )
        )
    if card.task.system_prompt:
        texts.append(
            (
                "The app has a system prompt. The Gallery's import has no place for one: the model runs without it.",
                "Put it before the first message by hand, or package an app of your own (--to apk).",
            )
        )
    return texts


def _absent(card: ImportCard) -> list[Block]:
    blocks: list[Block] = [Remark("warning", text, remedy) for text, remedy in _absent_texts(card)]
    if card.task.system_prompt:
        blocks.append(Fold("The system prompt", [Prose(card.task.system_prompt)]))
    return blocks


def _prompts(card: ImportCard) -> list[tuple[str, str | None]]:
    """Prompts, with their answers where the Gallery can be expected to give the same.

    Golden answers were made under the answer format and the system prompt, which the Gallery leaves out.
    """
    comparable = card.manifest.answer is None and not card.task.system_prompt
    answers: dict[str, str | None] = {
        golden.prompt: golden.answer for golden in card.task.golden if comparable
    }
    known = [
        *answers,
        *(golden.prompt for golden in card.task.golden),
        *card.task.examples,
        *card.manifest.examples,
    ]
    return [(prompt, answers.get(prompt)) for prompt in dict.fromkeys(known)]


def _prompts_table(prompts: Sequence[tuple[str, str | None]]) -> Table:
    if not any(answer for _, answer in prompts):
        return Table("In a new conversation each", [Column("Prompt")], [[prompt] for prompt, _ in prompts])
    return Table(
        "In a new conversation each, with the answers of the computer that packaged the bundle",
        [Column("Prompt"), Column("Answer")],
        [[prompt, answer or "—"] for prompt, answer in prompts],
    )


def _sentence(trial: Trial) -> str:
    return f"{sentence(trial.sentence)}."
