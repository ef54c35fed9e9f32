"""Formats that answers are held to."""

from __future__ import annotations

import json

from edgekit.text.answers import AnswerFormat

DEMO_SCHEMA = {
    "type": "object",
    "properties": {
        "screen": {"enum": ["display", "sound settings", "lyd på"]},
        "text": {"type": "string", "maxLength": 12},
    },
    "required": ["screen", "text"],
    "additionalProperties": False,
    "x-guidance": {"whitespace_flexible": False},
}


def schema(document: object) -> AnswerFormat:
    return AnswerFormat("json_schema", json.dumps(document, ensure_ascii=False))
