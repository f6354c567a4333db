"""Are explanations right? Tag curves and attention against who really plays when.

Conventions: the *localisation score* is the ROC-AUC over the points of a curve within one track against the instrument's timeline; 0.5 is
chance. A point is positive when the instrument sounds at the centre of its window. A track counts for an instrument that sounds at 10 to
90% of its points. Attention is the same for all tags, and is brought to the points of the tag curve. Intervals are 95% percentile intervals
over resampled artists, the same for all tags; a mean over tags weighs each tag alike.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import interval
from mtt.evaluation.metrics import roc_auc
from mtt.explain.attention import curves_with_attention
from mtt.explain.curves import tag_curves
from mtt.explain.recording import Recording, tag_names
from mtt.models.frontend import TaggingModel
from mtt.models.transformer import MusicTaggingTransformer

SHARES = (0.1, 0.9)  # of the points at which an instrument must sound for its track to count
MEAN = "mean over tags"  # the last row of ``summarise_localisation``
EXPLANATIONS = ("curve", "attention", "rollout")


def track_localisation(model: TaggingModel, corpus: Corpus, track_ids: Sequence[str]) -> pd.DataFrame:
    """Localisation of each instrument in each track that counts for it, by windows of the model's clip length.

    Columns: ``track_id``, ``artist``, ``tag``, ``share`` (of the points at which it sounds), and the ROC-AUC of EXPLANATIONS, NaN for a
    model without attention. Raises ``ValueError`` for a corpus without a timeline of a tag of the model.
    """
    names, known = tag_names(model), set() if corpus.timeline is None else set(corpus.timeline["instrument"])
    tags = [name for name in names if name in known]
    if not tags:
        raise ValueError(f"{corpus.name}: has no timeline of when a tag of the model sounds; its tags are {', '.join(names)}")
    rows = []
    for track_id in track_ids:
        heard, played = Recording(corpus.read(track_id)), corpus.timeline[corpus.timeline["track_id"] == track_id]
        attends = isinstance(model, MusicTaggingTransformer)
        curves, attended = curves_with_attention(model, heard) if attends else (tag_curves(model, heard), None)
        truth = pd.DataFrame({tag: _sounding(played[played["instrument"] == tag], curves.times) for tag in tags})
        share = truth.mean()[lambda share: share.between(*SHARES)]
        if share.empty:
            continue
        truth = truth[share.index].to_numpy(dtype=np.uint8)
        found = {"curve": roc_auc(truth, curves.probabilities[:, [names.index(tag) for tag in share.index]])}
        if attended:
            for name, values in (("attention", attended.last_layer), ("rollout", attended.rollout)):
                at_points = _at_points(values, attended.times, curves.times)
                found[name] = roc_auc(truth, np.repeat(at_points[:, None], len(share), axis=1))
        about = {"track_id": track_id, "artist": corpus.artists.at[track_id], "tag": share.index, "share": share.to_numpy()}
        rows += pd.DataFrame(about | found).to_dict("records")
    return pd.DataFrame(rows, columns=["track_id", "artist", "tag", "share", *EXPLANATIONS])


@np.errstate(invalid="ignore")  # the mean of nothing, 0 / 0, is NaN
def summarise_localisation(found: pd.DataFrame, resamples: int = 1000) -> pd.DataFrame:
    """Mean localisation of each tag over the tracks that count for it, best curve first, then the mean over tags (MEAN).

    Columns ``tracks``, ``artists``, and of each of EXPLANATIONS the mean ROC-AUC and its interval ``…_lo``, ``…_hi``; NaN where there is
    none.
    """
    table = found.groupby("tag").agg(tracks=("track_id", "nunique"), artists=("artist", "nunique"))
    table.loc[MEAN] = [found["track_id"].nunique(), found["artist"].nunique()]
    for name in EXPLANATIONS:
        by_track = found.pivot(index=["track_id", "artist"], columns="tag", values=name)
        means = clustered_means(by_track.to_numpy(), by_track.index.get_level_values("artist"), resamples)
        means = np.column_stack((means, np.nansum(means, axis=1) / np.isfinite(means).sum(axis=1)))
        borders = [interval(drawn if artists > 1 else ()) for drawn, artists in zip(means[1:].T, table["artists"], strict=True)]
        table[name] = means[0]
        table[[f"{name}_lo", f"{name}_hi"]] = np.array(borders)
    order = table.index[:-1][np.argsort(-table["curve"].to_numpy()[:-1], kind="stable")]
    return table.loc[[*order, MEAN]].rename_axis("tag")


@np.errstate(invalid="ignore")
def clustered_means(values: np.ndarray, artists: Sequence[str], resamples: int) -> np.ndarray:
    """Means of columns over tracks, and below them those in resamples of artists, (1 + resamples, columns).

    ``values`` (tracks, columns) may hold NaN, which is left out; a mean of nothing is NaN. The same artists are drawn for all columns.
    """
    names, cluster = np.unique(artists, return_inverse=True)
    total, count = np.zeros((2, names.size, values.shape[1]))
    np.add.at(total, cluster, np.nan_to_num(values))
    np.add.at(count, cluster, np.isfinite(values))
    picks = np.random.default_rng(0).multinomial(names.size, np.full(names.size, 1 / names.size), size=resamples)
    weights = np.concatenate((np.ones((1, names.size)), picks))
    return (weights @ total) / (weights @ count)


def _sounding(played: pd.DataFrame, times: np.ndarray) -> np.ndarray:
    """Whether each of ``times`` lies in one of the rows' spans, ``start`` to ``end``."""
    start, end = played[["start", "end"]].to_numpy(dtype=float).T
    return ((times[:, None] >= start) & (times[:, None] < end)).any(axis=1)


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
