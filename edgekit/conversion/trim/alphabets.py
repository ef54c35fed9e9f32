"""The characters that languages are written with, to prefer their pieces over others'.

A Latin alphabet is a to z and the letters named here; other writing systems are told by the first word of their
characters' Unicode names, which is the script's ("CYRILLIC SMALL LETTER A"). Digits, punctuation, symbols and white
space belong to every language.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from edgekit.errors import InputError

_LATIN = {
    "af": "áäéèêëíîïóôöúûü", "az": "çəğıöşü", "bs": "čćđšž", "ca": "àçèéíïòóúü", "cs": "áčďéěíňóřšťúůýž",
    "cy": "âêîôûŵŷ", "da": "æøåé", "de": "äöüß", "en": "", "es": "áéíñóúü", "et": "äöõüšž", "eu": "ñç",
    "fi": "äöåšž", "fr": "àâæçéèêëîïôœùûüÿ", "ga": "áéíóú", "gl": "áéíñóúü", "hr": "čćđšž", "hu": "áéíóöőúüű",
    "id": "", "is": "áðéíóúýþæö", "it": "àèéìòóù", "lt": "ąčęėįšųūž", "lv": "āčēģīķļņšūž", "ms": "", "mt": "ċġħżàèìòù",
    "nb": "æøåéèêóòôà", "nl": "áäéëèíïóöúü", "nn": "æøåéèêóòôà", "no": "æøåéèêóòôà", "pl": "ąćęłńóśźż",
    "pt": "áâãàçéêíóôõú", "ro": "ăâîșşțţ", "sk": "áäčďéíĺľňóôŕšťúýž", "sl": "čšž", "sq": "çë", "sv": "åäöé",
    "sw": "", "tl": "ñ", "tr": "çğıöşüâîû", "vi": "ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ",
}  # fmt: skip

_SCRIPTS = {
    "ARABIC": "ar fa ur", "ARMENIAN": "hy", "BENGALI": "as bn", "CJK": "ja zh", "CYRILLIC": "be bg kk mk ru sr uk",
    "DEVANAGARI": "hi mr ne", "ETHIOPIC": "am", "FULLWIDTH": "ja zh", "GEORGIAN": "ka", "GREEK": "el", "GUJARATI": "gu",
    "GURMUKHI": "pa", "HALFWIDTH": "ja", "HANGUL": "ko", "HEBREW": "he yi", "HIRAGANA": "ja", "IDEOGRAPHIC": "ja zh",
    "KANNADA": "kn", "KATAKANA": "ja", "KATAKANA-HIRAGANA": "ja", "KHMER": "km", "LAO": "lo", "MALAYALAM": "ml",
    "MYANMAR": "my", "ORIYA": "or", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip

_SCRIPTS_OF = {
    code: frozenset(script for script, codes in _SCRIPTS.items() if code in codes.split())
    for code in " ".join(_SCRIPTS.values()).split()
}

LANGUAGES = tuple(sorted(_LATIN.keys() | _SCRIPTS_OF.keys()))
"""The codes that are known (ISO 639-1)."""


@dataclass(frozen=True)
class Alphabet:
    """The letters of some languages together. latin: both cases. scripts: first words of Unicode names."""

    latin: frozenset[str]
    scripts: frozenset[str]

    def spells(self, text: str) -> bool:
        """Tell whether a text can be of these languages: every letter in it is theirs."""
        return all(self.has(letter) for letter in text if _is_letter(letter))

    def has(self, letter: str) -> bool:
        """Tell whether a letter is one of these languages'."""
        return letter in self.latin or _script(letter) in self.scripts


def alphabet_of(languages: Sequence[str]) -> Alphabet:
    """Return the letters of some languages; raises InputError, listing the known codes, for another one."""
    for language in languages:
        if language not in LANGUAGES:
            raise InputError(
                f"{language!r} is no language that is known here",
                where="--vocab-lang",
                remedy=f"use codes of {' '.join(LANGUAGES)}; or leave it away: what the corpus uses is kept anyway",
            )
    extra = "".join(_LATIN.get(language, "") for language in languages)
    latin = frozenset(string.ascii_letters + extra + extra.upper())
    return Alphabet(latin, frozenset(script for code in languages for script in _SCRIPTS_OF.get(code, ())))


@lru_cache(maxsize=1 << 16)
def _is_letter(character: str) -> bool:
    # Marks too: the vowel signs of Indic scripts are no letters to Unicode.
    return unicodedata.category(character)[0] in "LM"


@lru_cache(maxsize=1 << 16)
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]
