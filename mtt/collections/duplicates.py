"""Cleaning before splitting: exact and near duplicates, and which copy to keep.

Conventions: a duplicate's row is ``track_id, other, detail``; ``other``, the track that it duplicates, comes first in the order of ids. A
*fingerprint* (frames,) of uint32 holds 32 bits for each ``HOP / RATE`` = 46 ms, after Haitsma & Kalker, "A highly robust audio
fingerprinting system" (ISMIR 2002, section 4.2): bit m tells whether the energy step from band m to band m + 1 has grown, here of
logarithmic energies, so that gain and filters cancel, and over ``LAG`` frames. Word 0 marks silence and is never compared. The *bit error
rate* of two aligned fingerprints is the share of bits that differ: measured, 0.12 at most after gain, filter, trim and MP3 at 40 kbit/s,
0.31 at least between different melodies over the same loud drum loop.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy
import soxr
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import PROBLEM_COLUMNS, artist_keys

RATE = 5512.5  # Hz, at which fingerprints are taken
WINDOW = 2048  # samples: 372 ms
HOP = 256  # samples: 46 ms
LAG = 8  # frames
BAND_EDGES_HZ = np.geomspace(300.0, 2000.0, 34)  # 33 bands, 32 steps
FLOOR = 1e-3  # of the mean band energy: quieter bands hold coding noise rather than music
SILENCE = 1e-5  # of the mean frame energy
BLOCK = 1024  # frames transformed at once: bounds the memory that a long track takes, changes nothing

LOSSLESS = (".aif", ".aiff", ".au", ".caf", ".flac", ".rf64", ".w64", ".wav")
MAX_BIT_ERROR = 0.2
MIN_FRAMES = 43  # compared frames (2 s) below which nothing is concluded
MIN_OVERLAP = 0.5  # of the shorter track
MIN_VOTES = 3  # words that agree on an offset before two tracks are compared
NEIGHBOURS = 4  # tracks that share a word are paired with so many of the next ones
OFFSETS = 3  # best offsets compared for a pair

PAIR_COLUMNS = ["track_id", "other", "detail"]


def fingerprint_settings() -> list:
    """All that a fingerprint follows from beside the samples, as JSON types."""
    return [SAMPLE_RATE, RATE, WINDOW, HOP, LAG, BAND_EDGES_HZ.tolist(), FLOOR, SILENCE]


class Fingerprint:
    """The fingerprint of finite mono samples at ``SAMPLE_RATE`` that come in blocks; what is kept of an hour are 10 MB."""

    def __init__(self) -> None:
        self._resample = soxr.ResampleStream(SAMPLE_RATE, RATE, 1, dtype="float32", quality="LQ").resample_chunk
        self._waiting = np.zeros(0, dtype=np.float32)  # at RATE
        self._energies: list[np.ndarray] = []  # (frames, 33)

    def add(self, wave: np.ndarray, last: bool = False) -> None:
        """Add samples (n,); ``last`` is for ``words``."""
        self._waiting = np.concatenate([self._waiting, self._resample(np.ascontiguousarray(wave, dtype=np.float32), last=last)])
        whole = WINDOW + (BLOCK - 1) * HOP
        while len(self._waiting) >= (WINDOW if last else whole):
            self._energies.append(_band_energies(self._waiting[:whole]))
            self._waiting = self._waiting[BLOCK * HOP :]

    def words(self) -> np.ndarray:
        """(frames,) uint32; empty below 0.74 s. Nothing can be added afterwards."""
        self.add(np.zeros(0, dtype=np.float32), last=True)
        energy = np.concatenate(self._energies or [np.zeros((0, len(BAND_EDGES_HZ) - 1), dtype=np.float32)])
        if len(energy) <= LAG:
            return np.zeros(0, dtype=np.uint32)
        mean, loud = energy.mean(), energy.mean(axis=1)
        steps = np.diff(np.log(energy + FLOOR * mean + np.finfo(np.float32).tiny), axis=1)
        words = np.packbits(steps[LAG:] > steps[:-LAG], axis=1, bitorder="little").view("<u4").ravel().astype(np.uint32)
        return np.where((loud[LAG:] > SILENCE * mean) & (loud[:-LAG] > SILENCE * mean), words, np.uint32(0))


def _band_energies(wave: np.ndarray) -> np.ndarray:
    """(frames, 33) energies of ``BAND_EDGES_HZ`` in windows of ``wave`` at ``RATE``."""
    edges = np.round(BAND_EDGES_HZ * WINDOW / RATE).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(wave, WINDOW)[::HOP]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    spectrum = scipy.fft.rfft(frames * window, axis=1)[:, : edges[-1]]
    return np.add.reduceat(spectrum.real**2 + spectrum.imag**2, edges[:-1], axis=1)


def join_fingerprints(fingerprints: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Fingerprints as two arrays that can be stored, of which ``split_fingerprints`` makes them again."""
    return {"lengths": np.array([len(words) for words in fingerprints], dtype=np.int64), "bits": np.concatenate(fingerprints)}


def split_fingerprints(lengths: np.ndarray, bits: np.ndarray) -> list[np.ndarray]:
    return np.split(bits, np.cumsum(lengths)[:-1])


def find_near_duplicates(fingerprints: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Pairs of tracks whose fingerprints differ in at most ``MAX_BIT_ERROR`` of the bits where they overlap: track_id, other, detail.

    The overlap may lie anywhere but holds at least half of the shorter track and 2 s of sound. An index of words proposes the pairs, so
    time grows with the number of tracks. Of many copies not every pair is listed, but the pairs connect the group.
    """
    ids = sorted(fingerprints)
    if not ids:
        return pd.DataFrame(columns=PAIR_COLUMNS)
    tracks = [fingerprints[track_id] for track_id in ids]
    rows = []
    for first, second, offset in zip(*_candidates(tracks), strict=True):
        error, offset = min((_bit_error(tracks[first], tracks[second], offset + shift), offset + shift) for shift in (-1, 0, 1))
        if error <= MAX_BIT_ERROR:
            rows.append((ids[second], ids[first], error, offset))
    found = pd.DataFrame(rows, columns=["track_id", "other", "error", "offset"])
    found = found.sort_values(["other", "track_id", "error", "offset"]).drop_duplicates(["other", "track_id"])
    details = [f"bit error rate {row.error:.3f}, offset {row.offset * HOP / RATE:+.2f} s" for row in found.itertuples(index=False)]
    return found.assign(detail=details)[PAIR_COLUMNS].reset_index(drop=True)


def find_duplicates(digests: pd.Series, fingerprints: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Tracks of equal digest (each and the first of its group), and near duplicates among the rest: track_id, other, detail."""
    digests = digests.sort_index()
    first = digests.index.to_series().groupby(digests).transform("first")
    exact = first[first != first.index].rename("other").rename_axis("track_id").reset_index().assign(detail="same content")
    near = find_near_duplicates({track_id: fingerprints[track_id] for track_id in digests.index.difference(exact["track_id"])})
    return pd.concat([exact, near], ignore_index=True)


def _candidates(tracks: list[np.ndarray]) -> tuple[list[int], list[int], list[int]]:
    """Alignments worth comparing: first track, second (later) track, offset in frames (position in first - in second)."""
    words, starts = np.concatenate(tracks), np.cumsum([0, *map(len, tracks)])
    spoken = np.flatnonzero(words)
    entries = words[spoken].astype(np.uint64) << np.uint64(32) | spoken.astype(np.uint64)
    entries.sort()  # by word, then track, then position: one word of 64 bits each keeps 100 000 tracks within memory
    word, spoken = (entries >> np.uint64(32)).astype(np.uint32), (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)
    track = np.searchsorted(starts, spoken, side="right") - 1
    fresh = np.ones(len(word), dtype=bool)  # a loop repeats words: its first round is enough
    fresh[1:] = (word[1:] != word[:-1]) | (track[1:] != track[:-1])
    word, track, position = word[fresh], track[fresh], (spoken - starts[track])[fresh]
    span = 2 * int(np.diff(starts).max()) + 1  # of offsets
    votes = []
    for step in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(word[step:] == word[:-step])
        offset = position[same] - position[same + step] + span // 2
        votes.append((track[same] * len(tracks) + track[same + step]) * span + offset)
    key, count = np.unique(np.concatenate(votes), return_counts=True)
    key, count = key[count >= MIN_VOTES], count[count >= MIN_VOTES]
    pair = key // span
    order = np.lexsort((-count, pair))
    rank = np.arange(len(pair)) - np.searchsorted(pair, pair)  # ``pair`` is sorted, ``order`` permutes only within a pair
    best = order[rank < OFFSETS]
    pair, offset = pair[best], key[best] % span - span // 2
    return (pair // len(tracks)).tolist(), (pair % len(tracks)).tolist(), offset.tolist()


def _bit_error(a: np.ndarray, b: np.ndarray, offset: int) -> float:
    """Bit error rate when frame ``offset`` + i of ``a`` meets frame i of ``b``; 1 where too little overlaps."""
    start, end = max(0, -offset), min(len(b), len(a) - offset)
    x, y = a[start + offset : end + offset], b[start:end]
    compared = (x != 0) & (y != 0)
    frames = np.count_nonzero(compared)
    if frames < max(MIN_FRAMES, MIN_OVERLAP * min(len(a), len(b))):
        return 1.0
    return float(np.bitwise_count((x ^ y)[compared]).sum() / (32 * frames))


def clean(tracks: pd.DataFrame, labelled: pd.Series, duplicates: pd.DataFrame) -> tuple[pd.Index, pd.DataFrame]:
    """Keep one copy of each group of ``duplicates``: the kept ids, in the order of ``tracks``, and the removed (``PROBLEM_COLUMNS``).

    ``labelled``: track_id -> whether it has labels. A copy with an artist is kept, rather a labelled one, then the longest (to the second),
    then one whose format loses nothing, then the first in the order of ids. Where no copy has an artist, all stay.
    """
    artists = artist_keys(tracks["artist"])
    ends = [tracks.index.get_indexer(duplicates[name]) for name in ("track_id", "other")]
    pairs = sparse.coo_matrix((np.ones(len(duplicates)), ends), shape=(len(tracks), len(tracks)))
    group = pd.Series(connected_components(pairs, directed=False)[1], tracks.index)
    lossy = ~tracks["path"].str.lower().str.endswith(LOSSLESS)
    order = {"nameless": artists == "", "unlabelled": ~labelled, "shortness": -tracks["seconds"].round(), "lossy": lossy}
    worth = pd.DataFrame(order | {"id": tracks.index}, tracks.index)
    kept = worth.sort_values(list(worth))["id"].groupby(group).transform("first")
    copies = kept[(kept != kept.index) & (artists != "").reindex(kept).to_numpy()].sort_index()
    details = {frozenset(ends): detail for *ends, detail in duplicates[PAIR_COLUMNS].itertuples(index=False)}
    rows = []
    for track_id, other in copies.items():
        copy, original = tracks.loc[track_id], tracks.loc[other]
        exact = copy["digest"] == original["digest"]
        detail = "same content" if exact else details.get(frozenset((track_id, other)), "through another copy")
        if artists[track_id] != artists[other]:
            detail += f"; artists differ: {copy['artist']} here, {original['artist']} there"
        problem = "exact_duplicate" if exact else "near_duplicate"
        rows.append((track_id, copy["path"], problem, f"copy of {other}, which is kept: {detail}"))
    return tracks.index.drop(copies.index), pd.DataFrame(rows, columns=PROBLEM_COLUMNS)
