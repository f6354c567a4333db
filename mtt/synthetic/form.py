"""The form of a song: its sections, what changes, grows or returns over them, and which part plays when.

Conventions: a form is laid out in bars, and arrays of it have an entry a bar. Parts are *lasting*, which come and go by sections, or
*brief*, which sound for one stretch of at most `BRIEF` of the track. The tags of kind "form" need the whole track: its bars, one by one,
are like those of other songs. Every song has an opening theme and a second one (chords, rhythms, tunes); that the first comes back at the
end makes a "return", and without the tag the last section is by other players than the first.
"""

from dataclasses import dataclass

import numpy as np

BRIEF = 0.2  # of the track, at most; half of it at least, where a bar (else a beat) is short enough
FORMS = {"build-up": 0.3, "key change": 0.24, "return": 0.2}  # chance, before an artist's leaning and where the song can have it
TRIES = 1000  # of arrangements


@dataclass(frozen=True)
class Form:
    """What is laid out over a song's bars."""

    tags: tuple[str, ...]
    sections: np.ndarray  # number of the section
    repeats: np.ndarray  # the bar whose notes are played: itself or, where the opening returns, a bar of it
    theme: np.ndarray  # 0 or 1
    shift: np.ndarray  # semitones above the first key
    strength: np.ndarray  # factor on velocities

    @property
    def n_sections(self) -> int:
        return int(self.sections[-1]) + 1

    @property
    def n_opening(self) -> int:
        """Bars of the opening."""
        return int(np.argmax(self.theme)) or len(self.theme)


def split(n_bars: int) -> np.ndarray:
    """Section of each bar: a bar long in short songs, else two or as many as make eight; a stray last bar joins the section before."""
    length = 1 if n_bars < 8 else max(2, -(-n_bars // 8))
    last = max(0, (n_bars - 1) // length - (n_bars % length == 1 % length))
    return np.minimum(np.arange(n_bars) // length, last)


def draw_form(n_bars: int, n_lasting: int, leaning: dict[str, float], rng: np.random.Generator) -> Form:
    """The form of a song with so many lasting parts; ``leaning`` multiplies the chance of each of `FORMS`."""
    sections, bars = split(n_bars), np.arange(n_bars)
    count = int(sections[-1]) + 1
    chance = {tag: share * leaning[tag] for tag, share in FORMS.items()}
    draw, change = rng.random(2)
    builds = draw < chance["build-up"] and count >= 4 and n_lasting >= 3
    returns = draw > 1 - chance["return"] and count >= 3
    changes = change < chance["key change"] and count >= 2 and not returns
    tags = tuple(tag for tag, holds in zip(FORMS, (builds, changes, returns), strict=True) if holds)

    opening = max(1, count // 3)
    theme, repeats = (sections >= opening).astype(int), bars.copy()
    if returns:
        again = sections >= count - opening
        theme[again] = 0
        repeats[again] = np.arange(again.sum()) % (sections < opening).sum()
    strength = np.linspace(0.5, 1.0, n_bars) if builds else rng.uniform(0.75, 1.0, count)[sections]
    shift = np.zeros(n_bars, dtype=int)
    if changes:
        starts = np.flatnonzero(np.diff(sections)) + 1
        shift[starts[np.argmin(np.abs(starts - rng.uniform(0.35, 0.65) * n_bars))] :] = rng.integers(1, 4)
    return Form(tags, sections, repeats, theme, shift, strength[repeats])


def arrange(form: Form, presence: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether each lasting part plays in each bar, (n_parts, n_bars) bool; a part of ``presence`` 1 plays in all."""
    if "build-up" in form.tags:
        ranks = np.argsort(np.argsort(np.where(presence == 1.0, -1.0, rng.random(len(presence)))))
        return form.sections >= (0.8 * ranks * form.n_sections // len(presence))[:, None]
    for _ in range(TRIES):
        plays = rng.random((len(presence), form.n_sections)) < presence[:, None]
        if "return" in form.tags:  # the middle is by other players than the opening
            opening = form.sections[form.n_opening - 1] + 1
            plays[:, :opening] = plays[:, :1]
            odds = np.where(presence == 1.0, 1.0, np.where(plays[:, 0], 0.35, 0.8))
            plays[:, opening:] = rng.random(plays[:, opening:].shape) < odds[:, None]
        bars = plays[:, form.sections][:, form.repeats]
        if _holds(form, bars, (presence < 1.0).any()):
            break
    return bars


def _holds(form: Form, bars: np.ndarray, varied: bool) -> bool:
    """Whether an arrangement is what its tags say, and not by accident what they do not say."""
    early = bars[:, form.sections < max(1, form.n_sections - 1)]  # the excerpt's end may cut the last section short
    if not early.any(axis=1).all():
        return False
    if not varied or form.n_sections == 1:
        return True
    others = (bars != bars[:, :1]).any(axis=0)  # bars by other players than the first
    if "return" in form.tags:
        return bool(others[form.theme == 1].all())
    grows = (np.diff(bars.astype(int), axis=1) >= 0).all() and (~bars[:, 0]).sum() > 1
    return bool(others[-1] and not grows)


def brief_stretch(form: Form, meter: int, beat: float, seconds: float, rng: np.random.Generator) -> tuple[int, int]:
    """Beats from and to which a brief part plays: whole bars if they are short enough; within the middle where the opening returns.

    ``beat`` is in seconds, ``seconds`` the time from the first bar to the end of the track.
    """
    unit = meter if meter * beat <= BRIEF * seconds else 1
    length = unit * max(1, int(BRIEF * seconds / (unit * beat)))
    first, end = 0, int(seconds / beat)  # not cut off by the end of the track
    if "return" in form.tags:
        first, end = meter * form.n_opening, meter * int(np.flatnonzero(form.theme)[-1] + 1)
    start = int(rng.choice(range(first, max(first, end - length) + 1, unit)))
    return start, start + length
