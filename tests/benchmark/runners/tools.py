"""Scripts in the place of other people's tools."""

from __future__ import annotations

from pathlib import Path


def tool(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path
