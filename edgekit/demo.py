"""The main job on the models that come with edgekit: converted, opened in the engine, and asked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.conversion.adapter.making import AdapterBundle, adapter
from edgekit.conversion.convert import Conversion, convert
from edgekit.conversion.options import GraphOptions, TextOptions
from edgekit.examples import phone_actions, sentiment, settings_navigator, support_triage
from edgekit.packaging.presets import PRESETS_NAME
from edgekit.progress import Progress
from edgekit.runtime.ask.protocol import Reply
from edgekit.runtime.chat import open_chat, reply_json

PROMPTS = (
    "my screen is too dark",
    "turn off wifi please",
    "the battery dies too fast",
    "gjør skjermen lysere",
    "字が小さくて読めない",
)

TOOL_PROMPTS = (
    "turn on the flashlight",
    "timer for 5 minutes and volume to 30",
    "legg tannlegen i kalenderen i morgen klokka 14:30",
    "連絡先に田中陽子を入れて、番号は555-0142",
    "tell me a joke",
)
"""What the model that calls is asked; of the last, nothing can be called."""

BASE = "base"
SENTIMENT = "sentiment"
TRIAGE = "triage"
PROMPTS_BY_SPEAKER = {
    BASE: ("turn off wifi please", "gjør skjermen lysere", "字が小さくて読めない"),
    SENTIMENT: ("I love the keyboard", "batteriet er elendig", "音量は今オンですか"),
    TRIAGE: (
        "turn off wifi, this is urgent",
        "skriften er for liten, det haster ikke",
        "指紋認証をオンにして",
    ),
}
"""What the base alone and each of its two adapters is asked."""


@dataclass(frozen=True)
class Answer:
    """What was said to a prompt. speaker: a key of `PROMPTS_BY_SPEAKER`."""

    speaker: str
    prompt: str
    reply: Reply

    def to_json(self) -> dict[str, object]:
        """The reply as JSON values."""
        return reply_json(self.reply, None if self.speaker == BASE else self.speaker)


@dataclass(frozen=True)
class Demo:
    """What the demo made and heard. adapters: none, when the model was shown alone."""

    conversion: Conversion
    adapters: tuple[AdapterBundle, ...]
    answers: tuple[Answer, ...]

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values; with adapters, the answers by speaker."""
        if not self.adapters:
            answers: dict[str, Any] = {answer.prompt: answer.to_json() for answer in self.answers}
            return {"convert": self.conversion.to_json(), "answers": answers}
        answers = {speaker: {} for speaker in PROMPTS_BY_SPEAKER}
        for answer in self.answers:
            answers[answer.speaker][answer.prompt] = answer.to_json()
        made = [bundle.to_json() for bundle in self.adapters]
        return {"convert": self.conversion.to_json(), "adapters": made, "answers": answers}


def show_one(output: Path, recipe: str, progress: Progress) -> Demo:
    """Convert the settings navigator and ask it, each prompt in a conversation of its own.

    output: the bundle's directory; a bundle that is there is replaced. Raises EdgekitError.
    """
    conversion = _convert(output, recipe, progress, GraphOptions())
    return Demo(conversion, (), _answers(conversion.bundle, PROMPTS))


def show_tools(output: Path, recipe: str, progress: Progress) -> Demo:
    """Convert the model that calls functions and ask it, each prompt in a conversation of its own.

    output: the bundle's directory; a bundle that is there is replaced. Raises EdgekitError.
    """
    example = phone_actions()
    conversion = convert(
        example / "checkpoint",
        output,
        name="phone-actions",
        recipe=recipe,
        text=TextOptions(tools=example / "tools.json"),
        force=True,
        progress=progress,
    )
    _copy_presets(example, conversion.bundle)
    return Demo(conversion, (), _answers(conversion.bundle, TOOL_PROMPTS))


def _answers(bundle: Path, prompts: tuple[str, ...]) -> tuple[Answer, ...]:
    answers = []
    for prompt in prompts:
        with open_chat(bundle) as chat:
            answers.append(Answer(BASE, prompt, chat.say(prompt)))
    return tuple(answers)


def show_adapters(output: Path, recipe: str, progress: Progress) -> Demo:
    """Make the base and both adapters, and let all three answer from one opened engine.

    output: the beginning of three directories; bundles that are there are replaced. Raises EdgekitError.
    """
    conversion = _convert(_beside(output, BASE), recipe, progress, GraphOptions(adapters="16"))
    made = tuple(_adapter(name, conversion.bundle, output, progress) for name in (SENTIMENT, TRIAGE))
    answers = []
    with open_chat(conversion.bundle, [bundle.directory for bundle in made]) as chat:
        for speaker, prompts in PROMPTS_BY_SPEAKER.items():
            for prompt in prompts:
                chat.begin(None if speaker == BASE else speaker)
                answers.append(Answer(speaker, prompt, chat.say(prompt)))
    return Demo(conversion, made, tuple(answers))


def _convert(output: Path, recipe: str, progress: Progress, graph: GraphOptions) -> Conversion:
    example = settings_navigator()
    result = convert(
        example / "checkpoint",
        output,
        name="settings-navigator",
        recipe=recipe,
        graph=graph,
        text=TextOptions(answer_schema=example / "answer-schema.json"),
        force=True,
        progress=progress,
    )
    _copy_presets(example, result.bundle)
    return result


def _adapter(name: str, base: Path, output: Path, progress: Progress) -> AdapterBundle:
    example = sentiment() if name == SENTIMENT else support_triage()
    result = adapter(
        example / "adapter",
        base,
        _beside(output, name),
        name=name,
        text=TextOptions(answer_schema=example / "answer-schema.json"),
        force=True,
        progress=progress,
    )
    _copy_presets(example, result.directory)
    return result


def _beside(output: Path, name: str) -> Path:
    return output.with_name(f"{output.name}-{name}")


def _copy_presets(example: Path, bundle: Path) -> None:
    if not (presets := bundle / PRESETS_NAME).exists():  # one that is there may have been edited
        shutil.copyfile(example / PRESETS_NAME, presets)
