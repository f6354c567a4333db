"""Every sentence that pages print, worded by the numbers that it quotes: of claims, then in the order of the pages.

Conventions: a function takes numbers (entries of results.json, tables, settings) and gives plain text or Markdown; scores are macro
ROC-AUC, a difference is shown as "effect [lo, hi]" with its 95% interval. What there is nothing to say of is "".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from mtt.findings.claims import CLAIMS, VERDICTS
from mtt.reporting.numbers import number, signed

DIGITS, MOST_DIGITS = 3, 6  # decimals of a quoted figure: more than 3 where rounding would move it onto a border
LITTLE = next(claim for claim in CLAIMS.values() if claim.rule == "equivalence")  # whose margin says which change is little
QUESTION = "Does the semi-supervised Music Tagging Transformer do what its paper says?"
SYNTHETIC = (
    "The music is synthetic: an embedded corpus whose artists, tags and missing labels are known exactly. It shows how the method behaves "
    "at small scale, not how well it tags real recordings; its scores cannot be set beside the paper’s. Tests count against the true tags, "
    "which training never sees."
)
INTERVALS = (
    "Intervals are 95 % intervals from an artist-clustered bootstrap of paired differences on the same test tracks: whole artists are "
    "drawn, since tracks of one artist resemble each other."
)
EARLIER = (
    "Training settings were chosen on validation tracks, but not before any test: while the study was built, earlier settings were tested "
    "on the same tracks, with other verdicts on some claims. README.md lists them, and what another corpus says."
)


def claim(entry: Mapping) -> str:
    known, effect = CLAIMS[entry["id"]], entry["effect"]
    wording = known.wording.get(entry["verdict"], known.wording["inconclusive"])
    text = wording.format(effect=signed(effect, 3), size=number(effect, 3), margin=f"{abs(known.margin):g}", versus=entry["versus"])
    return f"{entry['verdict'].capitalize()}: {known.subject} {text}."


def _decimals(values: Sequence[float], borders: Sequence[float], fewest: int = DIGITS) -> int:
    """Fewest decimals, up to MOST_DIGITS, that leave every value on its side of every border."""
    sides = np.sign(np.subtract.outer(values, borders))
    for digits in range(fewest, MOST_DIGITS):
        if (np.sign(np.subtract.outer([round(value, digits) for value in values], borders)) == sides).all():
            return digits
    return MOST_DIGITS


def note(entry: Mapping) -> str:
    return ""


def finding(entries: Sequence[Mapping]) -> str:
    """The claims of a page in one paragraph; their notes stand where the page measures them."""
    unanswered = "What a leak is worth cannot be measured here: it needs four test artists with two tracks each."
    return " ".join(map(claim, entries)) or unanswered


def headline(claims: Sequence[Mapping]) -> str:
    """The verdicts of a run counted in one sentence."""
    if not claims:
        return f"None of {len(CLAIMS)} claims was tested in this run."
    counts = Counter(entry["verdict"] for entry in claims)
    parts = [f"{counts[name]}\u00a0{name}" for name in VERDICTS if counts[name]]
    parts += [f"{len(CLAIMS) - len(claims)} not tested"] if len(claims) < len(CLAIMS) else []
    return f"Of {len(CLAIMS)} claims, {', '.join(parts)} in this run."


def limits(study: Mapping, claims: Sequence[Mapping]) -> list[str]:
    return []
