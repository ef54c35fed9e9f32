"""Damage to files, for properties: whatever happens to the bytes, a reader either says so or does not mind."""

from __future__ import annotations

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """The same bytes with some damage: the end missing, a piece cut out, or a few of them changed."""
    places = st.integers(0, len(data) - 1)
    kind = draw(st.sampled_from(("cut off", "cut out", "changed")))
    if kind == "cut off":
        return data[: draw(places)]
    if kind == "cut out":
        start = draw(places)
        return data[:start] + data[start + draw(st.integers(1, 64)) :]
    changed = bytearray(data)
    for place in draw(st.lists(places, min_size=1, max_size=8)):
        changed[place] = draw(st.sampled_from((0, 1, 0x7F, 0xFF)) | st.integers(0, 255))
    return bytes(changed)
