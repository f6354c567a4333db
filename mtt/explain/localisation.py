"""Are explanations right? Tag curves and attention against who really plays when.

Conventions
-----------
- *Localisation score*: ROC-AUC over the points of a curve within one track, of the curve against the instrument's timeline; 0.5 is chance.
  A point is positive when the instrument sounds at its time, the centre of its window. A track counts for an instrument that sounds at 10
  to 90% of its points: elsewhere there is too little to tell apart.
- Attention is the same for all tags and says nothing across windows, so its score is that of its mean over overlapping windows
  (``attention_curves``), brought to the points of the tag curve, against the same truth.
- Intervals are 95% percentile intervals over resampled artists, as in ``mtt.evaluation.bootstrap``: a mean over tracks in each resample. A
  mean over tags weighs each tag alike, and its resamples take the same artists for all tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import interval
from mtt.evaluation.metrics import roc_auc
from mtt.explain.attention import attention_curves
from mtt.explain.curves import KeptRecording, tag_curves
from mtt.explain.recording import tag_names
from mtt.models.frontend import TaggingModel
from mtt.models.transformer import MusicTaggingTransformer

SHARES = (0.1, 0.9)  # of the points at which an instrument must sound for its track to count
MEAN = "mean over tags"  # the last row of ``localisation_scores``
EXPLANATIONS = ("curve", "attention", "rollout")


def track_localisation(
    model: TaggingModel, corpus: Corpus, track_ids: Sequence[str], window: float | None = None, hop: float = 0.5
) -> pd.DataFrame:
    """Localisation of each instrument in each track that counts for it.

    Columns: ``track_id``, ``artist``, ``tag``, ``share`` (of the points at which it sounds), and the ROC-AUC of ``curve``, ``attention``
    and ``rollout``, the last two NaN for a model without attention. ``window`` and ``hop`` are seconds, as in ``tag_curves``. Raises
    ``ValueError`` for a corpus without a timeline, or none of whose instruments is a tag of the model.
    """
    names, spans = output_names(model, corpus), _spans(corpus, track_ids)
    tags = [name for name in names if name in set(corpus.timeline["instrument"])]
    if not tags:
        raise ValueError(f"{corpus.name}: none of the timeline's instruments is a tag of the model; its tags are {', '.join(names)}")
    rows = []
    for track_id in track_ids:
        heard = KeptRecording(corpus.read(track_id))
        curves = tag_curves(model, heard, window, hop)
        sounds = np.stack([_sounding(spans.get((track_id, tag)), curves.times) for tag in tags], axis=1)
        shares = sounds.mean(axis=0)
        counts = np.flatnonzero((shares >= SHARES[0]) & (shares <= SHARES[1]))
        if not counts.size:
            continue
        columns = [names.index(tags[i]) for i in counts]
        scores = {"curve": curves.probabilities[:, columns]}
        if isinstance(model, MusicTaggingTransformer):
            attended = attention_curves(model, heard, window, hop)
            for name, values in (("attention", attended.cls), ("rollout", attended.rollout)):
                scores[name] = np.repeat(_at_points(values, attended.times, curves.times)[:, None], counts.size, axis=1)
        found = {name: roc_auc(sounds[:, counts].astype(np.uint8), values) for name, values in scores.items()}
        about = {"track_id": track_id, "artist": corpus.artists.at[track_id]}
        rows += [{**about, "tag": tags[i], "share": shares[i], **{k: v[n] for k, v in found.items()}} for n, i in enumerate(counts)]
    return pd.DataFrame(rows, columns=["track_id", "artist", "tag", "share", *EXPLANATIONS])


def localisation_scores(
    model: TaggingModel,
    corpus: Corpus,
    track_ids: Sequence[str],
    window: float | None = None,
    hop: float = 0.5,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean localisation of each tag over the tracks that count for it, best curve first, then the mean over tags.

    Index ``tag``, the last row MEAN; columns ``tracks``, ``artists``, and for each of ``curve``, ``attention`` and ``rollout`` the mean
    ROC-AUC and its interval ``…_lo``, ``…_hi`` (NaN with fewer than two artists, and for a model without attention). Raises ``ValueError``
    as ``track_localisation`` does, and where no track counts.
    """
    found = track_localisation(model, corpus, track_ids, window, hop)
    if not len(found):
        raise ValueError(f"{corpus.name}: no instrument sounds part of the time in the {len(track_ids)} tracks; give more tracks")
    return summarise_localisation(found, resamples, seed)


def summarise_localisation(found: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> pd.DataFrame:
    """``localisation_scores`` from the rows of ``track_localisation``."""
    by_tag = found.groupby("tag")
    table = by_tag.agg(tracks=("track_id", "nunique"), artists=("artist", "nunique"))
    table.loc[MEAN] = [found["track_id"].nunique(), found["artist"].nunique()]
    for name in EXPLANATIONS:
        wide = found.set_index(["track_id", "artist", "tag"])[name].unstack("tag").reindex(columns=table.index[:-1])
        means, drawn = clustered_means(wide.to_numpy(), wide.index.get_level_values("artist").to_numpy(), resamples, seed)
        table[name] = [*means, _mean_of_defined(means[None])[0]]
        columns = [*drawn.T, _mean_of_defined(drawn)]
        borders = [_interval(values, artists) for values, artists in zip(columns, table["artists"], strict=True)]
        table[f"{name}_lo"], table[f"{name}_hi"] = zip(*borders, strict=True)
    order = table.index[:-1][np.argsort(-table["curve"].to_numpy()[:-1], kind="stable")]
    return table.loc[[*order, MEAN]].rename_axis("tag")


def output_names(model: TaggingModel, corpus: Corpus) -> list[str]:
    """Names of the model's outputs: its own, or the corpus's tags where it has none and their number fits."""
    if not getattr(model, "tags", None) and model.n_tags == len(corpus.tags):
        return list(corpus.tags)
    return tag_names(model)


def _spans(corpus: Corpus, track_ids: Sequence[str]) -> dict[tuple[str, str], np.ndarray]:
    """(track_id, instrument) → (n, 2) starts and ends, of these tracks."""
    if corpus.timeline is None:
        raise ValueError(f"{corpus.name}: has no timeline of who plays when; localisation needs one (the embedded corpus has it)")
    groups = corpus.timeline[corpus.timeline["track_id"].isin(track_ids)].groupby(["track_id", "instrument"])
    return {key: rows[["start", "end"]].to_numpy(dtype=float) for key, rows in groups}


def _sounding(spans: np.ndarray | None, times: np.ndarray) -> np.ndarray:
    if spans is None:
        return np.zeros(len(times), dtype=bool)
    return ((times[:, None] >= spans[:, 0]) & (times[:, None] < spans[:, 1])).any(axis=1)


def _at_points(values: np.ndarray, times: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean of ``values`` over the ``times`` that are nearest to each point; between the times where a point has none."""
    borders = np.concatenate(([-np.inf], (points[1:] + points[:-1]) / 2, [np.inf]))
    if len(points) > 1:  # the ends reach as far as half a step
        borders[0], borders[-1] = points[0] - (points[1] - points[0]) / 2, points[-1] + (points[-1] - points[-2]) / 2
    place = np.searchsorted(borders, times, side="right") - 1
    inside = (place >= 0) & (place < len(points))
    count = np.bincount(place[inside], minlength=len(points))
    total = np.bincount(place[inside], values[inside], minlength=len(points))
    return np.where(count > 0, total / np.maximum(count, 1), np.interp(points, times, values))


# --- Means over resampled artists ---


def clustered_means(values: np.ndarray, artists: np.ndarray, resamples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means of columns over tracks, (columns,), and in resamples of artists, (resamples, columns).

    ``values`` (tracks, columns) may hold NaN, which is left out; a mean of nothing is NaN. The same artists are drawn for all columns.
    """
    if resamples < 2:
        raise ValueError(f"resamples is {resamples}; at least 2 are needed, and some 1000 for a 95% interval")
    names, cluster = np.unique(artists, return_inverse=True)
    there = np.isfinite(values)
    total, count = np.zeros((2, names.size, values.shape[1]))
    np.add.at(total, cluster, np.where(there, values, 0))
    np.add.at(count, cluster, there)
    picks = np.random.default_rng(seed).multinomial(names.size, np.full(names.size, 1 / max(names.size, 1)), size=resamples)
    weights = np.concatenate((np.ones((1, names.size)), picks))
    counts = weights @ count
    means = np.where(counts > 0, weights @ total / np.maximum(counts, 1), np.nan)
    return means[0], means[1:]


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean of each row over what is not NaN; NaN where all is."""
    there = np.isfinite(values)
    counts = there.sum(axis=1)
    return np.where(counts > 0, np.where(there, values, 0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _interval(values: np.ndarray, artists: int) -> tuple[float, float]:
    kept = values[np.isfinite(values)]
    return interval(kept) if artists > 1 and kept.size > 1 else (np.nan, np.nan)
