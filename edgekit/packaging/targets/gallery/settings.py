"""How the Gallery runs a bundle: its settings, and the import dialog that asks for them.

The Gallery never reads the settings that a bundle carries. Its list of models holds some of its own; who imports a file
types them into a dialog whose defaults suit a chat model, not a fine-tune that must answer the same way every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeVar

from edgekit.bundle.manifest import Manifest, SamplerUse

_T = TypeVar("_T")

GALLERY_VERSION: Final = "1.0.18"
GALLERY_RUNTIME: Final = "0.11.0"
"""The release of LiteRT-LM inside that version of the Gallery."""

_LEAST_TOKENS, _MOST_TOKENS = 100, 4096
_MOST_TOP_K = 100
_MOST_TEMPERATURE = 2.0

_DEFAULT_TOKENS = 1024
_DEFAULT_TOP_K = 64
_DEFAULT_TOP_P = 0.95
_DEFAULT_TEMPERATURE = 1.0


@dataclass(frozen=True)
class Settings:
    """What the Gallery hands to the engine. max_tokens: of prompt and answer together."""

    max_tokens: int
    top_k: int
    top_p: float
    temperature: float
    accelerators: str = "cpu"

    def to_json(self) -> dict[str, Any]:
        """Return them as `defaultConfig` of a list's entry."""
        return {
            "topK": self.top_k,
            "topP": self.top_p,
            "temperature": self.temperature,
            "maxTokens": self.max_tokens,
            "accelerators": self.accelerators,
        }


@dataclass(frozen=True)
class Field:
    """One question of the import dialog.

    value: what to enter. default: what the dialog shows first, None when it is not a value to compare. why: what
    happens otherwise, a sentence or two.
    """

    name: str
    value: str
    default: str | None
    why: str

    @property
    def differs(self) -> bool:
        """Whether the dialog's default must be changed."""
        return self.default is not None and self.value != self.default


def settings_of(manifest: Manifest) -> Settings:
    """Return the settings of a bundle.

    The Gallery knows no greedy decoding. Of one token to choose from there is no choice (top K), and the Gallery's own
    270M models say the same by temperature 0, so that a user who raises top K still gets the same answers.
    """
    sampler = manifest.sampler
    if sampler.kind == "greedy":
        return Settings(manifest.kv_length, top_k=1, top_p=_DEFAULT_TOP_P, temperature=0.0)
    return Settings(
        manifest.kv_length,
        top_k=_given(sampler.top_k, _DEFAULT_TOP_K),
        top_p=_given(sampler.top_p, _DEFAULT_TOP_P),
        temperature=_given(sampler.temperature, _DEFAULT_TEMPERATURE),
    )


def dialog_fields(manifest: Manifest) -> tuple[Field, ...]:
    """Return the import dialog's questions, in its order, with what to answer."""
    settings = settings_of(manifest)
    return (
        _tokens_field(manifest.kv_length),
        *_sampler_fields(settings, manifest.sampler),
        Field(
            "Support image, support audio, other switches",
            "off",
            None,
            "The model reads text and nothing else.",
        ),
        Field(
            "Compatible accelerators",
            "CPU",
            None,
            "The bundle was checked on the CPU. A GPU may refuse it, or fail at the first answer only.",
        ),
    )


def _tokens_field(kv_length: int) -> Field:
    tokens = min(max(kv_length, _LEAST_TOKENS), _MOST_TOKENS)
    if tokens < kv_length:
        why = (
            f"The bundle has room for {kv_length} tokens, but the dialog takes {_MOST_TOKENS} at most; an entry in a "
            "list of models gives all of them."
        )
    elif tokens > kv_length:
        why = (
            f"The bundle has room for {kv_length} tokens only, and the dialog takes no fewer than {_LEAST_TOKENS}: a "
            "longer prompt can end the app. Import it through a list of models instead."
        )
    else:
        why = (
            "The room the bundle has for prompt and answer together. With less, conversations end early; with more, "
            "the engine is asked for what the bundle does not hold."
        )
    return Field("Max tokens", str(tokens), str(_DEFAULT_TOKENS), why)


def _sampler_fields(settings: Settings, sampler: SamplerUse) -> tuple[Field, ...]:
    top_k = min(max(settings.top_k, 1), _MOST_TOP_K)
    temperature = min(settings.temperature, _MOST_TEMPERATURE)
    if sampler.kind == "greedy":
        reasons = (
            "Always the likeliest token, which is how this model is meant to answer. With more, the same prompt can "
            "get another answer each time, and JSON can break.",
            "Of no effect with TopK 1.",
            "The same as TopK 1, said once more: it holds when someone raises TopK later.",
        )
    else:
        reasons = (
            _bound(
                f"The bundle samples from the {settings.top_k} likeliest tokens.", top_k != settings.top_k
            ),
            "The share of the probability that tokens are taken from, as the bundle says.",
            _bound(
                f"The bundle samples at {decimal(settings.temperature)}.", temperature != settings.temperature
            ),
        )
    return (
        Field("TopK", str(top_k), str(_DEFAULT_TOP_K), reasons[0]),
        Field("TopP", decimal(settings.top_p), decimal(_DEFAULT_TOP_P), reasons[1]),
        Field("Temperature", decimal(temperature), decimal(_DEFAULT_TEMPERATURE), reasons[2]),
    )


def _bound(text: str, cut: bool) -> str:
    return f"{text} The dialog goes no further." if cut else text


def _given(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def decimal(value: float) -> str:
    """Write a setting as the dialog shows it, with one digit after the point at least: 0.95, 0.0, 1.0."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:.4g}"
