"""Every sentence on claims and on the opening page, worded by the numbers that it quotes.

Conventions: a function takes entries and curves of results.json and gives plain text; scores are macro ROC-AUC, an interval is that of 95%
over replicates. Words follow intervals: what an interval does not settle is "not shown", which is not "does not". A paragraph quotes at
most five numbers: what a figure or a table beside it shows is left to that. What there is nothing to say of is "".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from mtt.evaluation.replicates import over_replicates
from mtt.findings.claims import CLAIMS, HEADLINE, INCONCLUSIVE, LEAST, NOT_CONVERGED, VERDICTS
from mtt.findings.curves import equal_artists, settled
from mtt.findings.reference import standing
from mtt.reporting.numbers import counted, joined, number, signed

DIGITS, MOST_DIGITS = 3, 6  # decimals of a quoted figure: more than 3 where rounding would move it onto a border
QUESTION = "Does a music tagger learn from music that nobody has labelled?"
COMPOSED = (
    "The music is composed by a program, not recorded: its artists, tags, moments and missing labels are known exactly, which lets each "
    "claim be tested. It shows how the method behaves at small scale, not how well it tags recordings; its scores cannot be set beside "
    "the paper’s. Models are trained and chosen on observed labels; tests count against the true ones."
)
TUNED = (
    "Settings and budgets were chosen on composed tuning corpora, numbered from 900, which appear in no result; rules and margins were "
    "written down before the corpora of the results were made."
)
CHANGES = (  # what was changed after results had been seen, and why: it follows the promise above
    "Changed after results of the first replicate had been seen: the baseline of hand-made features hears the whole track, and validation "
    "chooses how it is regularised. The rule for convergence as first written counted any change by twice the clips; since tuning showed "
    "models that these make worse, past their best exposure, it counts what they add."
)


def claim(entry: Mapping) -> str:
    """A sentence that reports an entry of results.json: its verdict, or beside a reference how far this run agrees."""
    known, replicates = CLAIMS[entry["id"]], counted(entry["replicates"], "replicate")
    if there := entry["reference"]:
        where = f"where the reference run ({_shown(there)}, {there['verdict']}) expects them"
        about = f"{standing(entry).capitalize()} on “{known.label}”"
        return f"{about}: {sum(there['agrees'])} of {replicates} ({_shown(entry)} on average) lie {where}."
    numbers = (entry["effect"], *(entry["interval"] or ()))
    digits = _decimals(numbers, (0.0, *known.borders))
    bounds = "no interval"
    if entry["interval"]:
        bounds = f"interval {' to '.join(number(end, digits) for end in entry['interval'])}"
    return f"{entry['verdict'].capitalize()}: {_worded(entry, digits)} ({bounds}; {replicates})."


def short(entry: Mapping) -> str:
    """``claim`` for a place that shows verdict and interval beside it."""
    text = claim(entry).partition(": ")[2] if entry["reference"] else f"{_worded(entry, DIGITS).partition(';')[0]}."
    return text[0].upper() + text[1:]


def _worded(entry: Mapping, digits: int) -> str:
    known, effect, size = CLAIMS[entry["id"]], signed(entry["effect"], digits), number(entry["effect"], digits)
    wording = known.wording.get(entry["verdict"], known.wording[INCONCLUSIVE])
    return f"{known.subject} {wording.format(effect=effect, size=size, margin=f'{abs(known.margin):g}', versus=entry['versus'])}"


def _decimals(values: Sequence[float], borders: Sequence[float], fewest: int = DIGITS) -> int:
    """Fewest decimals, up to MOST_DIGITS, that leave every value on its side of every border."""
    sides = np.sign(np.subtract.outer(values, borders))
    for digits in range(fewest, MOST_DIGITS):
        if (np.sign(np.subtract.outer([round(value, digits) for value in values], borders)) == sides).all():
            return digits
    return MOST_DIGITS


def _shown(one: Mapping) -> str:
    return signed(one["effect"], DIGITS)


def _side(one: Mapping) -> int:
    """1 and -1 for an interval above and below 0, else 0."""
    low, high = one["interval"] or (-np.inf, np.inf)
    return int(low > 0) - int(high < 0)


def note(entry: Mapping) -> str:
    """What a reader must know beside a verdict; it follows the claim's sentence."""
    aside = CLAIMS[entry["id"]].aside
    return ASIDES[aside](entry) if aside else ""


def _heard(entry: Mapping) -> str:
    heard = entry["facts"]["heard"]
    return (
        f"That is at most: here every test artist was heard. ROC-AUC goes from {number(heard['none'])} with none of them heard over "
        f"{number(heard['half'])} with half to {number(heard['all'])} with all."
    )


def _others(entry: Mapping) -> str:
    return _placed("Beside it", entry["beside"])


def _placed(what: str, found: Mapping[str, Mapping]) -> str:
    """On which side of 0 each of ``found`` lies."""
    sides: dict[int, list[str]] = {1: [], 0: [], -1: []}
    for name, one in found.items():
        sides[_side(one)].append(name)
    says = {1: "above zero", 0: "not shown to differ from zero", -1: "below zero"}
    parts = [f"{says[side]}: {joined(names)}" for side, names in sides.items() if names]
    return f"{what}, {'; '.join(parts)}." if parts else ""


def _controls(entry: Mapping) -> str:
    """Which controls leave the effect standing."""
    stands = [name for name, one in entry["controls"].items() if _side(one) > 0]
    doubt = [name for name in entry["controls"] if name not in stands]
    parts = [f"The student is ahead of {joined(stands)} as well"] if stands else []
    parts += [f"{'it' if parts else 'It'} is not shown to be ahead of {joined(doubt, 'or')}"] if doubt else []
    return f"{'; '.join(parts)}." if parts else ""


def _headroom(entry: Mapping) -> str:
    text = _controls(entry)
    each = {name: one for name, one in entry["beside"].items() if "clean" not in name}
    if len(each) > 1:
        text += f" {_placed('The better model on labels alone is chosen on validation in each replicate; against each by itself', each)}"
    if recovered := entry["facts"].get("recovered"):
        text += f" {_recovered(recovered)}"
    clean = next((one for name, one in entry["beside"].items() if "clean" in name), None)
    if clean:
        says = {1: "helps", 0: "is not shown to help", -1: "does harm"}[_side(clean)]
        text += f" Noise on the pool {says}."
    return text.strip()


def _recovered(one: Mapping) -> str:
    share = f"{100 * one['effect']:.0f}%".replace("-", "−")
    if one["interval"] is None:
        return f"What share of the pool’s own labels’ worth that is ({share}) is not known: its interval is unbounded."
    low, high = (f"{100 * end:.0f}".replace("-", "−") for end in one["interval"])
    return f"Of what the pool’s own labels would add, that is {share} [{low}, {high}]."


def _slopes(entry: Mapping) -> str:
    says = {1: "gains", 0: "is not shown to gain or lose", -1: "loses"}
    parts = [f"{name} {says[_side(one)]}" for name, one in entry["beside"].items()]
    return f"Each for itself, per doubling: {joined(parts)}." if parts else ""


ASIDES = {"heard": _heard, "others": _others, "controls": _controls, "headroom": _headroom, "slopes": _slopes}


def finding(entries: Sequence[Mapping], left_out: Sequence[str] = ()) -> list[str]:
    """The claims of a page, a paragraph each, and what it lacks; their notes stand where the page measures them."""
    unanswered = "What a leak is worth cannot be measured here: it needs four test artists with two tracks each."
    return [*map(claim, entries), *left_out] or [unanswered]


def block(paragraphs: Sequence[str]) -> str:
    """A page's finding as Markdown."""
    return "\n>\n> ".join(["> **Finding.** " + paragraphs[0], *paragraphs[1:]])


def report(entry: Mapping | None) -> str:
    """A claim and what a reader must know beside it, as Markdown."""
    return f"{claim(entry)}\n\n{note(entry)}".strip() if entry else ""


def headline(entries: Sequence[Mapping]) -> str:
    """How the claims of a run stand, counted in one sentence."""
    if not entries:
        return f"None of {len(CLAIMS)} claims was tested in this run."
    compared = [standing(entry) for entry in entries if entry["reference"]]
    if compared:
        verb = "agrees" if len(compared) == 1 else "agree"
        return f"{compared.count('agrees')} of {counted(len(compared), 'effect')} {verb} with the reference run."
    counts = Counter(entry["verdict"] for entry in entries)
    parts = [f"{counts[name]}\u00a0{name}" for name in VERDICTS if counts[name]]
    parts += [f"{len(CLAIMS) - len(entries)} not tested"] if len(entries) < len(CLAIMS) else []
    return f"Of {len(CLAIMS)} claims, {', '.join(parts)} in this run."


def answer(entries: Sequence[Mapping], curves: Mapping, borrowed: Sequence[str] = ()) -> list[str]:
    """Whether unlabelled music helps here, when, and how sure that is, in a sentence each; nothing where it was not tested.

    ``curves`` are those that the page shows, and those named in ``borrowed`` the reference run's.
    """
    entry = next((one for one in entries if one["id"] == HEADLINE), None)
    if entry is None:
        return []
    said = [_helps(entry), _when(curves.get("scarcity", []), "scarcity" in borrowed), _sure(entry)]
    return [sentence for sentence in said if sentence]


def _helps(entry: Mapping) -> str:
    there = entry["reference"]
    where, verdict = ("in the reference run", there["verdict"]) if there else ("here", entry["verdict"])
    tagger, best = "a tagger that also learns from it", "the best one that has the same labels alone"
    said = {
        "supported": f"Yes, {where} unlabelled music helps: {tagger} is better than {best}",
        "contradicted": f"No, {where} unlabelled music does harm: {tagger} is worse than {best}",
        "not shown": f"It is not shown that unlabelled music helps {where}: {tagger} is better than {best}, but a control may explain that",
        INCONCLUSIVE: f"It is open whether unlabelled music helps {where}: {tagger} may be better than {best}, or no better",
        NOT_CONVERGED: f"It is open whether unlabelled music helps {where}: longer training may make {best} better",
    }[verdict]
    return f"{said}; this run {standing(entry)}." if there else f"{said}."


def _when(rows: Sequence[Mapping], borrowed: bool) -> str:
    """How the gain depends on the number of labelled artists, where models are converged; what the pool is worth in them."""
    if len(rows := settled(rows)) < 2:
        return ""
    first, last = rows[0], rows[-1]
    change = over_replicates(np.subtract(first["gain"]["by_replicate"], last["gain"]["by_replicate"]))
    says = "The gain is not shown to depend on how many labels there are"
    if change.lo > 0:
        says = "The fewer labels, the more it adds"
    elif change.hi < 0:
        says = "The more labels, the more it adds"
    whose = " in the reference run" if borrowed else ""
    ends = f"{_shown(first['gain'])} with {first['artists']:,} labelled artists, {_shown(last['gain'])} with {last['artists']:,}"
    return f"{says}{whose}: {ends}.{_worth(rows)}"


def _worth(rows: Sequence[Mapping]) -> str:
    """The most that the pool is worth, in labelled artists, among the sizes at which the student's gain is surely above 0."""
    found = [(equal - row["artists"], row) for row, equal in zip(rows, equal_artists(rows), strict=True) if _side(row["gain"]) > 0]
    found = [(more, row) for more, row in found if np.isfinite(more) and more >= 0.5]
    if not found:
        return ""
    more, _ = max(found, key=lambda one: one[0] / one[1]["artists"])
    return f" At best it replaces the labels of about {counted(round(more), 'artist')}."


def _sure(entry: Mapping) -> str:
    """In how many replicates the student is ahead, by how much, and between which bounds that is known."""
    if there := entry["reference"]:
        first = f"in {_ahead(there)} repetitions of the whole experiment there, by {_shown(there)} in score (ROC-AUC) on average"
        return f"How sure: it is ahead {first}, and in {_ahead(entry)} here."
    if entry["replicates"] == 1:
        return "How sure: a single run of the experiment says nothing of others."
    bounds = f" (interval {' to '.join(signed(end, DIGITS) for end in entry['interval'])})" if entry["interval"] else ""
    average = f"by {_shown(entry)} in score (ROC-AUC) on average{bounds}"
    return f"How sure: it is ahead in {_ahead(entry)} repetitions of the whole experiment, {average}."


def _ahead(one: Mapping) -> str:
    return f"{sum(value > 0 for value in one['by_replicate'])} of {len(one['by_replicate'])}"


def scarcity(own: bool) -> str:
    """What the curves against labelled artists are; ``own``: of this run, else of the reference."""
    return (
        "The supervised model has the same labels alone; the oracle learns from the pool with its own labels. What lies between them is "
        f"the headroom. {bands(own)}"
    )


def bands(own: bool) -> str:
    text = f"Bands are 95% intervals over replicates; with fewer than {LEAST} of them, their range."
    return text if own else f"{text} The curves are the reference run’s, points those of this run, which has one number of artists."


def trap(rows: Sequence[Mapping], own: bool) -> str:
    """What measuring a student against its teacher alone would have said."""
    first, last = rows[0], rows[-1]
    says = {1: "beats", 0: "is not shown to beat", -1: "falls short of"}
    over, control, end = first["over_teacher"], first["over_control"], last["over_teacher"]
    link = "but" if _side(control) < _side(over) else "and"
    text = (
        f"A student whose teacher stopped at {first['share']:.0%} of its exposure {says[_side(over)]} that teacher ({_shown(over)}), "
        f"{link} {says[_side(control)]} the teacher that was trained to the end ({_shown(control)}). That one’s own student "
        f"{says[_side(end)]} it ({_shown(end)}). So the headline is a gain over labels alone."
    )
    return text if own else f"{text} These are the reference run’s numbers."


def limits(study: Mapping, entries: Sequence[Mapping]) -> list[str]:
    """What a reader must know to weigh the verdicts, from what the run says about itself (the ``study`` part of results.json)."""
    composed, count = study["collection"] == "synthetic", len(study["replicates"])
    found = [
        COMPOSED if composed else f"The collection is {study['collection']}. What was found holds for it and need not for other music."
    ]
    found += study.get("left_out", [])
    found.append(f"{TUNED}{' ' if CHANGES else ''}{CHANGES}")
    what = "one corpus, its split" if composed else "one split (of a published split, one seed)"
    amount = "This run has one: no interval is bounded." if count == 1 else f"This run has {count}."
    found.append(f"A replicate is {what} and one training of every model. {amount}")
    if any(entry["reference"] for entry in entries):
        found.append("Where the reference run measured the same, this run, of fewer replicates, is held against it and gives no verdict.")
    elif 1 < count < 4:
        few = "are too few for a verdict" if count < LEAST else "decide little: a verdict of so few is a first look"
        found.append(f"{count} replicates {few}.")
    bounded = "They hold corpora, artists and training alike" if composed else "They hold artists, and splits or trainings"
    found.append(
        f"Intervals are 95% t intervals over replicates. {bounded}, and are not corrected for testing {len(entries)} claims at once."
    )
    found.append(
        "Inconclusive: the interval allows both answers. Not shown: a control would explain the effect away. Neither means “does not”."
    )
    found.append(f"The profile is {study['profile']}: it sets the sizes of models and training, and with them every score.")
    return found


# The words of the notebooks' pages.
