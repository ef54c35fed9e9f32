"""The import card: what to enter in the Gallery's import dialog, which reads nothing from the bundle."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.packaging.gallery.allowlist import (
    APPLICATION_ID,
    REMOTE_LIST,
    deep_link,
    gallery_sampling,
    remote_model,
)
from edgekit.packaging.gallery.trial import Trial
from edgekit.packaging.source import Source
from edgekit.report.page import Badge, Column, Facts, Page, Prose, Remark, Section, Table, Verdict

MOST_TOKENS = 4096
"""The highest value of the dialog's slider."""


@dataclass(frozen=True)
class Value:
    """A field of the import dialog: what to enter, and what it shows before."""

    field: str
    enter: str
    default: str

    @property
    def differs(self) -> bool:
        """Whether it has to be changed."""
        return self.enter != self.default


def dialog_values(source: Source) -> tuple[Value, ...]:
    """The fields in the dialog's order (app 1.0.18)."""
    sampling = gallery_sampling(source.manifest.sampler)
    return (
        Value("Max tokens", str(min(source.manifest.kv_length, MOST_TOKENS)), "1024"),
        Value("TopK", str(sampling.top_k), "64"),
        Value("TopP", _number(sampling.top_p), "0.95"),
        Value("Temperature", _number(sampling.temperature), "1.0"),
        Value("Support image", "off", "off"),
        Value("Support audio", "off", "off"),
        Value("Compatible accelerators", "CPU", "CPU"),
    )


def limits(source: Source) -> tuple[str, ...]:
    """What the Gallery leaves undone that an app of one's own does."""
    found = []
    if source.manifest.answer is not None:
        found.append(
            "The Gallery does not hold answers to the bundle's answer format; the model may answer otherwise here "
            "than in an app."
        )
    if source.task.system_prompt is not None:
        found.append(
            f"The Gallery sends no system prompt with a model; this one expects: {source.task.system_prompt}"
        )
    if source.manifest.kv_length > MOST_TOKENS:
        found.append(
            f"The model takes {source.manifest.kv_length:,} tokens, the dialog at most {MOST_TOKENS:,}."
        )
    return tuple(found)


def adb_steps(source: Source) -> str:
    """The commands that `--push` and `--open` run."""
    return "\n".join(
        (
            f"adb push {source.manifest.model.file} {remote_model(source)}",
            f"adb push model_allowlist_test.json {REMOTE_LIST}",
            f"adb shell chmod 644 {remote_model(source)} {REMOTE_LIST}",
            f"adb shell am force-stop {APPLICATION_ID}",
            f"adb shell am start -a android.intent.action.VIEW -d '{deep_link(source)}'",
        )
    )


def markdown_card(source: Source, trial: Trial) -> str:
    """The card as Markdown."""
    rows = "\n".join(
        f"| {value.field} | {f'**{value.enter}**' if value.differs else value.enter} | {value.default} |"
        for value in dialog_values(source)
    )
    examples = "".join(f"* {example}\n" for example in source.task.examples)
    remarks = "".join(f"\n> {line}\n" for line in limits(source))
    return f"""\
# {source.task.title} in the AI Edge Gallery

{source.task.description or ""}

`{source.manifest.model.file}`, {source.manifest.model.size:,} bytes, SHA-256 `{source.manifest.model.sha256}`.
{_sentence(trial)}

## Import it on the phone

Copy the file to the phone, then in the Gallery: +, choose the file, and enter

| field | enter | it shows |
| --- | --- | --- |
{rows}

Bold: differs from what the dialog shows. The dialog reads nothing from the file.
{remarks}
## Or over adb

{_indented(adb_steps(source))}

`edgekit package … --to gallery --push --open` does that. The list replaces what the Gallery offers otherwise; it goes
with `adb shell rm {REMOTE_LIST}`.

{f"## To try{chr(10)}{chr(10)}{examples}" if examples else ""}
The terms in `NOTICE` must stay with the model.
"""


def card_page(source: Source, trial: Trial) -> Page:
    """The card as a page."""
    values = dialog_values(source)
    changed = [value.field for value in values if value.differs]
    rows = [
        (
            value.field,
            value.enter,
            value.default,
            Badge("warning", "change it") if value.differs else "as it is",
        )
        for value in values
    ]
    outcomes = {"passed": "passed", "failed": "failed", "skipped": "neutral"}
    columns = (Column("Field"), Column("Enter", code=True), Column("It shows", code=True), Column(""))
    importing = Section(
        "import",
        "Import it on the phone",
        (
            Prose("Copy the file to the phone. In the Gallery press +, choose the file, and enter:"),
            Table("The dialog reads nothing from the file.", columns, rows),
            *(Remark("warning", line) for line in limits(source)),
        ),
    )
    cable = Section(
        "adb",
        "Or over a cable",
        (
            Prose("edgekit package … --to gallery --push --open does all of this."),
            Table(
                "By hand",
                (Column("Command", code=True),),
                [(line,) for line in adb_steps(source).splitlines()],
            ),
            Prose(
                f"The list replaces what the Gallery offers otherwise; adb shell rm {REMOTE_LIST} brings that back."
            ),
        ),
    )
    sections = [importing, cable]
    if source.task.examples:
        tries = Table("Prompts", (Column("Say"),), [(example,) for example in source.task.examples])
        sections.append(Section("try", "To try", (tries,)))
    manifest = source.manifest
    return Page(
        kind="Import card for the AI Edge Gallery",
        title=source.task.title,
        verdict=Verdict(
            outcomes[trial.outcome],  # type: ignore[arg-type]
            f"{_sentence(trial)} Change {len(changed)} values when importing: {', '.join(changed)}."
            if changed
            else f"{_sentence(trial)} The dialog's values are right as they are.",
        ),
        sections=sections,
        facts=Facts(
            (
                ("File", manifest.model.file),
                ("Size", f"{manifest.model.size:,} bytes"),
                ("SHA-256", manifest.model.sha256),
                ("Context", f"{manifest.kv_length:,} tokens"),
                ("Terms", manifest.licence or "see NOTICE"),
            )
        ),
        footer="The fields and defaults are those of the Gallery 1.0.18.",
    )


def _sentence(trial: Trial) -> str:
    text = trial.sentence
    return f"{text[:1].upper()}{text[1:]}."


def _number(value: float) -> str:
    return f"{value:g}" if value != int(value) else f"{value:.1f}"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())
