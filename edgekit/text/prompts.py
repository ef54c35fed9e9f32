"""Prompts and strings to try a bundle on when there is no data, and beside it."""

# ruff: noqa: RUF001 (ambiguous characters are the point)

from __future__ import annotations

PROMPTS: tuple[str, ...] = (
    "What is the capital of Norway?",
    "Write one sentence about the sea.",
    "List three fruits that are yellow.",
    "Translate to German: the train is late today.",
    "Is 91 a prime number? Answer yes or no, then say why.",
    "Rewrite politely: send me the file now",
    "Summarize in five words: The meeting was moved from Monday to Thursday because the room was taken.",
    'Give me a JSON object with the keys "name" and "age" for Ada, who is 36.',
    "What comes next: 2, 4, 8, 16, …?",
    "Explain to a child why the sky is blue.",
    "turn the volume down a little",
    "my screen is too dark",
    "Write a haiku about rain.",
    "Which is heavier: a kilogram of iron or a kilogram of feathers?",
    "Name the day after Saturday.",
    "Correct the spelling: I recieved you're letter yesterday.",
    "¿Cuántos días tiene una semana?",
    "音量を上げてください。",
    "Skjermen er for lys.",
    "Was ist der Unterschied zwischen das und dass?",
    "Compute 17 * 23 and show the steps.",
    "Write a Python function that reverses a string.",
    "Describe your favourite meal in two sentences.",
    "Complete: the early bird",
)
"""Short and unlike each other: questions, orders, formats, languages."""

AWKWARD: tuple[str, ...] = (
    " leading space",
    "trailing space ",
    "two  spaces   three",
    "\ttab\tand\nnewline\r\nand return",
    "\n\n\n",
    " ",
    "a",
    "naïve café Å å Ångström",
    "e\u0301 and é are two spellings",
    "ﬁne ligature, ½, ①, Ⅷ",
    "ΑΒΓ αβγ ς",
    "Съешь ещё этих мягких булок",
    "שלום עולם",
    "مرحبا بالعالم ١٢٣",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "日本語とカタカナ、全角　空白",
    "你好，世界！",
    "안녕하세요 세계",
    "🙂 👩‍👩‍👧‍👦 🇳🇴 👍🏽 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "zero\u200bwidth\u200djoiner\ufeffmark",
    "\u00a0no-break\u2003em space\u3000wide",
    "right‏to‎left marks",
    "1234567890 1,234.56 -7e-12 0x1F",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n",
    "<bos>in the middle<eos>",
    "<pad><mask>",
    "</s><s>[INST]",
    "<end_of_turn",
    '{"key": "va\\"lue", "n": [1, 2.5, null, true]}',
    "```python\ndef f(x):\n    return x ** 2  # ok\n```",
    "https://example.org/a?b=c&d=%20#e",
    "C:\\Users\\x\\file.txt && rm -rf ./tmp | grep 'a\"b'",
    "∑∫√∞ ≠ ≤ ± × ÷ ∂",
    "—–-‐ “quotes” ‘single’ «guillemets» …",
    "Zalgo: z̸̢̛a̷l̶g̵o̸",
    "CamelCaseAndsnake_case-and-kebab",
    "\u0007bell \u001b[31mescape\u007f",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𠜎𠜱",
    "\ue000 private use",
    "the quick brown fox jumps over the lazy dog " * 8,
)
"""Strings on which tokenizers are known to part ways: spaces, scripts, emoji, control tokens in text, …

Left out are the two that no bundle can get right: "▁", which Transformers cannot tell from a space, and
"<unk>" written out (docs/design/text.md).
"""

UNREPRODUCIBLE: tuple[str, ...] = ("▁", "<unk>")
"""What the engine spells otherwise in any bundle."""
