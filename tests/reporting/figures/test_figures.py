"""Figures show what they are given: positions, order, words; no text is too small, cut off or on top of other text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mtt.config import FULL, PAPER
from mtt.explain.spectrogram import mel_power
from mtt.findings.reference import convergence
from mtt.models import build_model
from mtt.reporting import figures
from mtt.reporting.figures import method
from mtt.reporting.figures.draw import FIGURES, TIME_AXIS
from mtt.reporting.figures.style import BLUE, HALF, VERMILLION
from tests.reporting import entries
from tests.reporting.conftest import explanations

CURVES = entries.curves()
RATE = 22_050
PLAYED = np.array([[0.0, 0.5, 60, 1.0], [2.0, 1.0, 64, 0.8], [8.0, 1.0, 90, 0.8]])  # onset, duration, pitch, velocity
TAGS = ["rock", "jazz", "piano", "electric guitar", "mellow"]


def table(estimates, width=0.01):
    estimate = pd.Series(estimates, dtype=float)
    return pd.DataFrame({"estimate": estimate, "low": estimate - width, "high": estimate + 2 * width})


def tone(hertz=1000.0, seconds=2.0):
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def by_length(slope):
    seconds = np.array([3.0, 6, 12, 24, 29])
    return table(0.9 + slope * np.log2(seconds)).assign(seconds=seconds)


def history(offset):
    steps = np.arange(100, 1100, 100)
    losses = {"train_loss": 0.3 + offset - steps / 5e3, "valid_roc_auc": 0.9 + offset - (steps - 700) ** 2 / 1e7}
    return pd.DataFrame({"step": steps, **losses, "kept": steps == 800})


@pytest.fixture(scope="module")
def pictures():
    """Every figure at least once, with data that makes names long and labels crowd."""
    rng = np.random.default_rng(0)
    times = np.arange(0.5, 10, 0.25)
    models = {"teacher": 0.93, "student": 0.931, "teacher-plain": 0.92, "short-chunk-resnet-student": 0.90}
    reliability = pd.DataFrame({"predicted": [0.1, 0.5, 0.9], "observed": [0.15, 0.5, 0.8], "count": [900, 90, 9]})
    probabilities, sound = rng.random((times.size, 5)), tone(seconds=10)
    kinds = dict(zip(TAGS, ["genre", "genre", "instrument", "instrument", "mood"], strict=True))
    return {
        "architecture": figures.architecture(FULL, 28),
        "architecture, paper": figures.architecture(PAPER, 50),
        "making": figures.making({"artist": "Ada\nrock 65% and\njazz 35%", "song": "rock", "labels": "5 tags are true"}),
        "noisy_student": figures.noisy_student(),
        "crossover": figures.crossover(),
        "split_sets": figures.split_sets(pd.DataFrame({"tracks": [552, 15], "artists": [186, 5], "labels": [2825, 86]}, ["train", "test"])),
        "tag_cooccurrence": figures.tag_cooccurrence(np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1]]), TAGS),
        "tag_counts": figures.tag_counts(pd.Series([90, 70, 800, 3, 55], TAGS), kinds, 1000),
        "tag_counts, true": figures.tag_counts(pd.Series([90, 70, 800, 0, 55], TAGS), kinds, 1000, pd.Series([100, 90, 800, 0, 99], TAGS)),
        "learning_curves": figures.learning_curves({name: history(k / 500) for k, name in enumerate(models)}),
        "longer_training": figures.longer_training(convergence(FULL)),
        "tag_scores": figures.tag_scores({"teacher": table(dict.fromkeys(TAGS, 0.9)), "student": table(dict.fromkeys(TAGS, 0.91))}),
        "reliability": figures.reliability({"teacher": reliability, "student": reliability}),
        "missing_labels": figures.missing_labels(rng.beta(3, 2, 200), rng.beta(1, 8, 900)),
        "scores_by_length": figures.scores_by_length({"teacher": by_length(0.004), "fcn": by_length(0.0039)}, trained_on=3),
        "claims_plot": figures.claims_plot(entries.entries()),
        "claims_plot, phone": figures.claims_plot(entries.entries(2, reference=True), width=4.0),
        "claims_plot, two": figures.claims_plot(entries.entries()[3:5]),
        "claims_plot, one replicate": figures.claims_plot(entries.entries(1)),
        "scarcity": figures.scarcity(CURVES["scarcity"]),
        "scarcity, not converged": figures.scarcity([row | {"converged": row["artists"] < 192} for row in CURVES["scarcity"]]),
        "scarcity, phone": figures.scarcity(entries.scarcity((48,), 2), CURVES["scarcity"], width=4.0),
        "trap": figures.trap(CURVES["trap"]),
        "trap, phone": figures.trap(CURVES["trap"], width=4.0),
        "variance_budget": figures.variance_budget([{"id": one["id"], **one["variance"]} for one in entries.entries()]),
        "tag_gains": figures.tag_gains(CURVES["tags"]),
        "pools": figures.pools(CURVES["pools"]),
        "styles": figures.styles(CURVES["styles"]),
        "trained_lengths": figures.trained_lengths(CURVES["lengths"]),
        "models_plot": figures.models_plot(entries.models()),
        "models_plot, phone": figures.models_plot(entries.models(), width=4.0),
        "mel_spectrogram": figures.mel_spectrogram(tone(), "A tone"),
        "mel_spectrogram, half": figures.mel_spectrogram(tone(), "A tone", width=HALF),
        "notes, half": figures.notes({"electric guitar": PLAYED, "strings": PLAYED + [0, 1, 7, 0]}, 1.0, 5.0, "Song", HALF),
        "timeline, half": figures.timeline({"electric guitar": [(0.0, 10.0)], "drums": [(2.0, 3.0)]}, sound, "Who plays when", HALF),
        "tag_curves": figures.tag_curves(times, probabilities, TAGS, {"piano": [(1, 4)], "mellow": []}, sound, "Tags"),
        "timeline": figures.timeline({"piano": [(0.0, 10.0)], "drums": [(2.0, 3.0), (5.0, 6.0)]}, sound, "Who plays when"),
        "explanations": figures.explanations(explanations(), "localisation"),
        "explanations, deletion": figures.explanations(explanations(), "deletion"),
        "attention_heads": figures.attention_heads(rng.random((2, 7, 9, 9)), times[:9], "Which moment looks at which"),
    }


def rows(picture, axes=0):
    return [label.get_text() for label in picture.figure.axes[axes].get_yticklabels()]


def marks(axes):
    """The dots of an axes, one line each."""
    return [line for line in axes.lines if line.get_marker() not in ("None", None, "") and len(line.get_xdata())]


def bars(axes):
    """Ends of the intervals, bar by bar: (low, high) pairs."""
    found = [path.vertices for lines in axes.collections for path in lines.get_paths()]
    return [tuple(ends[:, 0]) for ends in found if len(ends) == 2]


def visible_texts(figure):
    """Each text that is drawn, with its box in pixels; tick labels outside the limits are not drawn."""
    figure.draw_without_rendering()
    hidden = set()
    for axes in figure.axes:
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not min(limits) <= tick.get_loc() <= max(limits):
                    hidden |= {id(tick.label1), id(tick.label2)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    # Text's own box: an Annotation's would count its leader line too.
    return [(text, Text.get_window_extent(text)) for text in texts if id(text) not in hidden]


def text_faults(figure):
    texts, page = visible_texts(figure), figure.bbox
    faults = [] if len(texts) >= 3 else ["hardly any text"]
    for place, (text, box) in enumerate(texts):
        words = repr(text.get_text())
        if text.get_fontsize() < 8:  # 13 CSS pixels at 900 pixels' width
            faults.append(f"{words} is too small")
        if box.x0 < -1 or box.y0 < -1 or box.x1 > page.x1 + 1 or box.y1 > page.y1 + 1:
            faults.append(f"{words} is cut off")
        for other, second in texts[place + 1 :]:
            shared = Bbox.intersection(box, second)
            if shared is not None and shared.width > 1 and shared.height > 1.5:
                faults.append(f"{words} lies on {other.get_text()!r}")
    return faults


def test_text_is_large_enough_whole_and_apart(pictures):
    assert {name: faults for name, picture in pictures.items() if (faults := text_faults(picture.figure))} == {}


def test_every_figure_has_words_and_a_title_and_leaves_no_global_state(pictures):
    assert {name.partition(",")[0] for name in pictures} == set(FIGURES) - {"three_bars"}  # a toy of another test
    for name, picture in pictures.items():
        assert len(picture.alt) > 60 and any(digit in picture.alt for digit in "0123456789"), name
        assert "  " not in picture.alt and " -" not in picture.alt, name
        assert picture.figure.get_suptitle(), name
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tag_counts", "5 tags, from 800 to 3 tracks. piano 800; rock 90;"),
        ("learning_curves", "teacher 0.899 at step 800 of 1,000"),
        ("claims_plot", "C4b unlabelled music helps: +0.009 [+0.005, +0.013], supported (beside it: permuted pseudo-labels +0.029"),
        ("claims_plot, phone", "C5 smaller student is no worse: −0.003"),
        ("longer_training", "fcn (48) −0.0024, converged"),
        ("scarcity", "12 artists: supervised 0.740, student 0.774, oracle 0.860, gain +0.034 [+0.029, +0.039], 28% of the headroom"),
        ("scarcity, not converged", "21% of the headroom, not converged"),
        ("scarcity, phone", "Curves are the reference run's, points this run's."),
        ("trap", "8%: student minus its own teacher +0.071"),
        ("variance_budget", "C1: artists 0.0012, training 0.0018, corpus 0.0021, together 0.0030, 6 replicates"),
        ("timeline", "piano 100%; drums 20%"),
        ("reliability", "teacher 0.046; student 0.046"),  # (900 * 0.05 + 90 * 0 + 9 * 0.1) / 999
        ("mel_spectrogram", "A tone: mean −"),
        ("explanations", "student: tag curve 0.740 [0.710, 0.770]; student: CLS attention 0.500"),
        (
            "explanations, deletion",
            "teacher: beside random frames +0.0120 [+0.0020, +0.0220]; teacher: beside",
        ),
    ],
)
def test_the_words_of_a_picture_tell_its_numbers(pictures, name, words):
    assert words in pictures[name].alt


def test_time_figures_are_marked_for_the_player(pictures):
    marked = {name for name, picture in pictures.items() if any(axes.get_gid() == TIME_AXIS for axes in picture.figure.axes)}
    assert marked == {"mel_spectrogram", "mel_spectrogram, half", "notes, half", "tag_curves", "timeline", "timeline, half"}


def test_tag_counts_sorts_within_kinds_and_names_shares(pictures):
    axes = pictures["tag_counts"].figure.axes[0]
    assert rows(pictures["tag_counts"]) == TAGS
    assert [bar.get_width() for bar in axes.patches] == [90, 70, 800, 3, 55]
    assert {"800  (80.0%)", "genre", "instrument", "mood"} <= {text.get_text() for text in axes.texts}


def test_tag_scores_orders_by_the_first_model_and_a_difference_shows_zero():
    first, second = table({"a": 0.1, "b": 0.3, "c": 0.2}), table({"c": 0.5, "b": 0.6, "a": 0.7})
    score, difference = figures.tag_scores({"teacher": first, "student": second}), figures.tag_scores({"a": table({"x": 0.5, "y": -0.5})})
    assert rows(score) == ["b", "c", "a"]
    assert [list(line.get_xdata()) for line in marks(score.figure.axes[0])[:2]] == [[0.3, 0.2, 0.1], [0.6, 0.5, 0.7]]
    assert "x +0.500; y −0.500" in difference.alt
    zeros = [[list(line.get_xdata()) for line in picture.figure.axes[0].lines].count([0, 0]) for picture in (score, difference)]
    assert zeros == [0, 1]


def test_learning_curves_mark_the_weights_that_are_kept_and_pass_over_steps_without_loss(pictures):
    upper, lower = pictures["learning_curves"].figure.axes
    assert [ring.get_xdata()[0] for ring in marks(upper)] == [800] * 4
    assert upper.get_ylim() != lower.get_ylim()
    lower = figures.learning_curves({"teacher": history(0).replace({"train_loss": {0.3 - 400 / 5e3: np.nan}})}).figure.axes[1]
    assert list(lower.lines[0].get_xdata()) == [100, 200, 300, 500, 600, 700, 800, 900, 1000]


def test_a_tone_shows_at_its_frequency_and_time():
    sound = np.concatenate([np.zeros(RATE, np.float32), tone(2000, 1.0)])
    axes = figures.mel_spectrogram(sound, "A tone").figure.axes[0]
    level, (left, right, low, high) = axes.images[0].get_array(), axes.images[0].get_extent()
    place = low + (level.max(axis=1).argmax() + 0.5) / len(level) * (high - low)
    tick = axes.get_yticks()[[label.get_text() for label in axes.get_yticklabels()].index("2")]
    assert abs(place - tick) < 1.5  # mel bands of 128
    loud = level.max(axis=0) > -40
    assert left + (loud.argmax() + 0.5) / loud.size * (right - left) == pytest.approx(1.0, abs=0.035)  # half a window
    assert axes.get_xlim() == (0, 2)


def test_pictures_that_share_a_scale_can_be_compared():
    before = figures.mel_spectrogram(tone(), "A tone")
    after = figures.mel_spectrogram(0.1 * tone(), "The same, quieter", loudest=mel_power(tone()).max())
    (clean, bar), (changed, _) = before.figure.axes, after.figure.axes
    assert clean.images[0].get_clim() == changed.images[0].get_clim() and bar.get_ylabel() == "dB (loudest: 0)"
    assert clean.images[0].get_array().max() == pytest.approx(0, abs=1e-4)
    assert changed.images[0].get_array().max() == pytest.approx(-20, abs=0.01)


def test_tag_curves_put_known_truth_first_and_its_bars_below():
    times, curves = np.array([1.0, 2, 3]), np.array([[0.1, 0.9, 0.2], [0.3, 0.8, 0.2], [0.2, 0.7, 0.3]])
    picture = figures.tag_curves(times, curves, ["piano", "rock", "sax"], {"piano": [(0.5, 2.5)], "sax": []}, tone(), "Tags")
    axes = picture.figure.axes[1]
    assert rows(picture, 1) == ["piano", "sax", "rock"]
    assert "piano 0.30 at 2.0 s, truly 0.5–2.5 s" in picture.alt and "sax 0.30 at 3.0 s, truly never" in picture.alt
    bars = [area for area in axes.collections if tuple(area.get_facecolor()[0][:3]) == (230 / 255, 159 / 255, 0)]
    assert len(bars) == 1
    np.testing.assert_allclose(bars[0].get_paths()[0].get_extents().intervalx, [0.5, 2.5])
    assert [text.get_text() for text in axes.texts if text.get_text() != "peak"] == ["0.30", "0.30", "0.90"]


def test_heads_are_apart_and_of_one_scale():
    maps = np.full((2, 2, 5, 5), 0.2)
    maps[1, 0] = np.eye(5)
    picture = figures.attention_heads(maps, np.arange(5.0), "Which moment looks at which")
    shown = [panel for panel in picture.figure.axes if panel.images]
    assert [panel.get_title("left") for panel in shown] == [f"layer {i}, head {j}" for i in (1, 2) for j in (1, 2)]
    assert len({panel.images[0].get_clim() for panel in shown}) == 1
    assert "layer 2 head 1 100%" in picture.alt and "layer 1 head 1 20%" in picture.alt


def test_claims_are_told_apart_without_colour_with_margins_and_replicates(pictures):
    axes = pictures["claims_plot"].figure.axes[0]
    looks = [(dot.get_marker(), dot.get_color()) for dot in marks(axes) if dot.get_markersize() == 7]
    assert looks == [("o", BLUE)] * 5 + [("o", "white"), ("o", BLUE), ("D", VERMILLION)]
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line.get_xdata()) for line in dashed] == [[-0.005] * 2, [-0.005] * 2, [0.005] * 2]
    assert sum(len(dot.get_xdata()) == 5 and dot.get_markersize() == 2.8 for dot in marks(axes)) == 8
    assert len(rows(pictures["claims_plot, two"])) == 7  # controls and comparisons have rows of their own


def test_an_unbounded_interval_goes_from_side_to_side_and_says_so(pictures):
    axes = pictures["claims_plot, one replicate"].figure.axes[0]
    assert [tuple(ends) == axes.get_xlim() for ends in bars(axes)] == [True] * 8
    assert sum(dot.get_marker() in "<>" for dot in marks(axes)) == 16


def test_the_architecture_has_the_shapes_that_the_model_computes():
    model = build_model(FULL.teacher, 28).eval()
    mel = model.spectrogram(torch.zeros(1, round(FULL.train.clip_seconds * RATE)))
    tokens = model.tokens(mel)
    shapes = dict(method.shapes(FULL, 28))
    assert shapes["spectrogram"] == f"{mel.shape[1]} bands ×\n{mel.shape[2]} frames"
    assert shapes["tokens + CLS"] == f"{tokens.shape[1]} + 1,\neach of {tokens.shape[2]}"
