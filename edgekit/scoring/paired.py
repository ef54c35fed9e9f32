"""Two runners on the same rows: what broke, what was mended, and whether that is enough to decide by.

Of the rows on which exactly one is right, as many should be the reference's as the bundle's; how far they are from that
has an exact interval (McNemar's test, by Clopper and Pearson's interval of a binomial share).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgekit.stats import Interval

Decision = Literal["ship", "do not ship", "too few rows to tell"]

NOTABLE = 0.1
"""A drop that must be ruled out before a bundle ships, beyond the one allowed: a tenth of the rows."""
_MOST_ROWS = 20_000
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Pairs:
    """Rows by who is right: both, the reference alone ("broken"), the bundle alone ("mended"), neither."""

    both: int
    broken: int
    mended: int
    neither: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.both + self.broken + self.mended + self.neither


def pairs_of(reference: Sequence[bool], bundle: Sequence[bool]) -> Pairs:
    """Count rows. reference, bundle: whether each is right, row by row."""
    rows = list(zip(reference, bundle, strict=True))
    return Pairs(*(rows.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))))


def paired_difference(pairs: Pairs) -> Interval:
    """The bundle's share of right rows minus the reference's, with its exact 95% interval."""
    low, high = _bounds(pairs.broken, pairs.mended, pairs.rows)
    return Interval((pairs.mended - pairs.broken) / pairs.rows, low, high)


def _bounds(broken: int, mended: int, rows: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    changed = broken + mended
    if changed == 0:  # none of so many rows changed: how many in all may
        most = float(binomtest(0, rows).proportion_ci(_CONFIDENCE, method="exact").high)
        return -most, most
    share = binomtest(mended, changed).proportion_ci(_CONFIDENCE, method="exact")
    return (2 * float(share.low) - 1) * changed / rows, (2 * float(share.high) - 1) * changed / rows


def decide(difference: Interval, allowed: float) -> Decision:
    """Say whether a metric that fell by so much may ship.

    difference: bundle minus reference, paired by row. allowed: how far it may fall. It does not ship when it fell
    further and the interval vouches for a fall; it ships when it did not, and a fall of a tenth beyond that is ruled
    out; between the two there are too few rows to tell.
    """
    drop = -difference.value
    least = -1.0 if difference.high is None else -difference.high
    most = 1.0 if difference.low is None else -difference.low
    if drop > allowed + 1e-9:
        return "do not ship" if least > min(0.0, allowed) else "too few rows to tell"
    return "ship" if most <= allowed + NOTABLE else "too few rows to tell"


def rows_needed(pairs: Pairs, allowed: float) -> int | None:
    """With how many rows `decide` would tell, if as large a share of them changed; None for more than 20,000."""
    rows = pairs.rows
    while rows <= _MOST_ROWS:
        scale = rows / pairs.rows
        broken, mended = round(pairs.broken * scale), round(pairs.mended * scale)
        low, high = _bounds(broken, mended, rows)
        if decide(Interval((mended - broken) / rows, low, high), allowed) != "too few rows to tell":
            return _rounded(rows)
        rows = max(rows + 1, rows * 11 // 10)
    return None


def rows_for(difference: Interval, rows: int, allowed: float) -> int | None:
    """`rows_needed` of a score that is no share of rows, as F1: its interval narrows with the root of the rows."""
    low, high = difference.low, difference.high
    if low is None or high is None:
        return None
    more = rows
    while more <= _MOST_ROWS:
        more = max(more + 1, more * 11 // 10)
        narrower = (rows / more) ** 0.5
        bounds = (difference.value + (bound - difference.value) * narrower for bound in (low, high))
        if decide(Interval(difference.value, *bounds), allowed) != "too few rows to tell":
            return _rounded(more)
    return None


def _rounded(rows: int) -> int:
    """Up to two digits: it is an estimate."""
    step = int(max(1, 10 ** (len(str(rows)) - 2)))
    return -(-rows // step) * step
