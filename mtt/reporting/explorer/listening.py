"""Tracks to hear: examples, what a corpus was given on purpose, augmentation effects, a model's errors, labels that a teacher found.

Conventions: an excerpt is the middle of a track; a player's title names the track, its description says what to hear.
"""

import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from mtt.data.augment import EFFECTS, apply_effect
from mtt.data.corpus import Corpus
from mtt.explain.spectrogram import mel_power
from mtt.reporting import figures
from mtt.reporting.explorer.choices import worst_errors
from mtt.reporting.explorer.player import PHONE_STYLE, Gallery, Player
from mtt.reporting.explorer.scenes import Scene, corpus_track, full_title
from mtt.reporting.figures.style import HALF
from mtt.reporting.numbers import number

EXCERPT_SECONDS, EFFECT_SECONDS = 5.0, 4.0
TAGS = 8  # under one track
SMALL = 88  # dots an inch of a spectrogram that stands beside others: about one for each frame of an excerpt
UNITS = {"db": "dB", "hz": "Hz", "seconds": "s", "ratio": "of the music’s level"}  # by the end of a parameter's name
BRIEF = (0.08, 0.2)  # of a track that a brief part sounds for
FORMS = {
    "build-up": "parts join one after the other, and all play louder towards the end.",
    "key change": "the same chords, from the middle on some semitones higher.",
    "return": "the opening comes back at the end, after a middle of other players.",
}


def examples(corpus: Corpus, tags: Sequence[str]) -> list[Player]:
    """One track for each tag: the first, in order of id, of an artist not heard yet."""
    heard: set[str] = set()
    players = []
    for tag in tags:
        carriers = corpus.artists[corpus.labels[:, corpus.tags.index(tag)].astype(bool)].sort_index()
        fresh = carriers[~carriers.isin(heard)]
        track_id = (fresh if len(fresh) else carriers).index[0]
        heard.add(carriers.at[track_id])
        players.append(_track_player(corpus, track_id, f"Tags: {', '.join(corpus.tags_of(track_id))}"))
    return players


def peculiar(corpus: Corpus) -> list[Player]:
    """What the embedded corpus was given on purpose: a brief instrument, each form, a track whose labels lack tags. Whole tracks.

    Each is the first, in order of id, of an artist not heard yet; empty where nobody knows who plays when, or what is true.
    """
    if corpus.timeline is None or corpus.truth is None:
        return []
    ids = corpus.is_labelled[corpus.is_labelled].sort_index().index
    played = (
        corpus.timeline.assign(share=corpus.timeline["end"] - corpus.timeline["start"]).groupby(["track_id", "instrument"])["share"].sum()
    )
    played = played / corpus.tracks["seconds"].loc[played.index.get_level_values("track_id")].to_numpy()
    brief = played[played.between(*BRIEF)].reset_index().groupby("track_id")["instrument"].first()
    truth = {track_id: corpus.tags_of(track_id, true=True) for track_id in ids}
    missing = {track_id: [tag for tag in tags if tag not in corpus.tags_of(track_id)] for track_id, tags in truth.items()}
    kinds = [
        ("Brief", brief[brief.index.isin(ids)].map("{}, which plays for a short stretch only and is a tag of the whole track.".format))
    ]
    for form in (tag for tag in corpus.tags if corpus.tag_kinds.get(tag) == "form"):
        carriers = [track_id for track_id in ids if form in truth[track_id] and form not in missing[track_id]]
        kinds.append((form.capitalize(), pd.Series(FORMS.get(form, ""), index=carriers, dtype=object)))
    texts = {track_id: f"true, but not written down: {', '.join(tags)}." for track_id, tags in missing.items() if len(tags) > 1}
    kinds.append(("Missing labels", pd.Series(texts, dtype=object)))
    players, heard = [], set()
    for kind, found in kinds:
        for track_id, text in found.sort_index().items():
            if corpus.artists[track_id] not in heard:
                heard.add(corpus.artists[track_id])
                players.append(_timeline_player(corpus, track_id, f"{kind}: {text} Labels: {', '.join(corpus.tags_of(track_id))}."))
                break
    return players


def effects(corpus: Corpus, track_id: str) -> Gallery:
    """Each augmentation effect alone on the same excerpt, all pictures on one scale, to be heard in turn with the clean one."""
    clean = _excerpt(corpus, track_id, EFFECT_SECONDS)
    picture = functools.partial(figures.mel_spectrogram, loudest=float(mel_power(clean).max()), width=HALF)
    sounds = {"without": (clean, "The excerpt as it is.")}
    for name, effect in EFFECTS.items():
        wave = apply_effect(name, torch.from_numpy(clean)[None], seed=0)[0].numpy()
        sounds[name] = (wave, f"{effect.about[0].upper()}{effect.about[1:]}.{_drawn(name)}")
    players = [Player(wave, picture(wave, name), name, said, SMALL) for name, (wave, said) in sounds.items()]
    return Gallery(players, PHONE_STYLE, choice=True)


def _drawn(name: str, seed: int = 0) -> str:
    """What ``apply_effect`` draws for one excerpt, in words."""
    _, drawn = EFFECTS[name].draw(1, {}, seed)
    unheard = "low_pass_hz" if drawn["seed"].item() % 2 == 0 else "high_pass_hz"  # of the filter's two
    parts = []
    for parameter in (one for one in EFFECTS[name].ranges if one != unheard):
        what, _, unit = parameter.rpartition("_")
        value, unit = drawn[parameter].item(), UNITS.get(unit, unit)
        parts.append(f"{what.replace('_', '-')} {number(value, 0 if abs(value) >= 10 else 2)} {unit}".strip())
    return f" Here: {', '.join(parts)}." if parts else ""


def error_players(corpus: Corpus, track_ids: Sequence[str], scores: np.ndarray, count: int = 4) -> list[Player]:
    """The tracks of ``worst_errors`` to hear, with what the model said and what is true."""
    players = []
    for row, column, missed in worst_errors(corpus.true_labels(track_ids), scores, count):
        track_id, kind = track_ids[row], "Miss" if missed else "False alarm"
        best = ", ".join(corpus.tags[tag] for tag in np.argsort(-scores[row])[:5])
        truth = ", ".join(corpus.tags_of(track_id, true=True))
        said = f"{kind}: {corpus.tags[column]} ({scores[row, column]:.2f}). The model says: {best}. True tags: {truth}."
        players.append(_track_player(corpus, track_id, said))
    return players


def recovered_players(corpus: Corpus, found: pd.DataFrame) -> list[Player]:
    """Tracks whose labels lack a true tag, with the teacher's score for it (``PseudoLabels.recovered``)."""
    text = "Not in its labels: {} (teacher: {:.2f}). Labels: {}."
    return [
        _track_player(corpus, track_id, text.format(tag, score, ", ".join(corpus.tags_of(track_id)) or "none"))
        for track_id, tag, score in found.itertuples(index=False)
    ]


def curve_player(scene: Scene, model: str) -> Player:
    """The whole track under the tag curves of one model: tags that the note is about, then the true and the likeliest ones."""
    track, curves = scene.track, scene.heard[model].curves
    true = track.labels if track.true_labels is None else track.true_labels
    wanted = [tag for tag in dict.fromkeys([*track.about, *true, *scene.tags]) if tag in curves.tags][:TAGS]
    truth = {tag: spans for tag, spans in track.truth.items() if tag in wanted}
    probabilities = np.stack([curves.curve(tag) for tag in wanted], axis=1)
    picture = figures.tag_curves(curves.times, probabilities, wanted, truth, track.wave, f"Tags over time: {model}")
    return Player(track.wave, picture, track.name, track.note)


def _excerpt(corpus: Corpus, track_id: str, seconds: float) -> np.ndarray:
    return corpus.read(track_id, max(0.0, (corpus.tracks.at[track_id, "seconds"] - seconds) / 2), seconds)


def _track_player(corpus: Corpus, track_id: str, description: str) -> Player:
    """A track's excerpt with its mel spectrogram."""
    wave, track = _excerpt(corpus, track_id, EXCERPT_SECONDS), corpus.tracks.loc[track_id]
    title = full_title(track["artist"], track["title"] or str(track_id))
    return Player(wave, figures.mel_spectrogram(wave, title, width=HALF), title, description, SMALL)


def _timeline_player(corpus: Corpus, track_id: str, description: str) -> Player:
    """A whole track with who plays when."""
    track = corpus_track(corpus, track_id)
    sounding = {tag: spans for tag, spans in track.truth.items() if spans}
    return Player(track.wave, figures.timeline(sounding, track.wave, "Who plays when", HALF), track.name, description, SMALL)
