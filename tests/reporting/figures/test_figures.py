"""Figures show what they are given: positions, order, words; no text is too small, cut off or on top of other text."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.text import Text
from PIL import Image

from mtt.reporting import figures
from mtt.reporting.figures.draw import TIME_AXIS
from mtt.reporting.figures.style import BLUE, GREY, MODEL_COLOURS, ORANGE, VERMILLION

RATE = 22_050
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
    losses = {"train_loss": 0.3 + offset - steps / 5e3, "valid_loss": 0.3 + offset + (steps - 700) ** 2 / 1e7}
    return pd.DataFrame({"step": steps, **losses, "kept": steps == 800})


def differences():
    frame = table({"C1 shared artists overstate the score": 0.03, "C4 student": 0.005, "C5": -0.02}, 0.004)
    return frame.assign(verdict=["supported", "inconclusive", "contradicted"], margin_low=[np.nan, np.nan, -0.005])


def localised(offset, model):
    """Localisation of five tags and their mean, without attention for a CNN."""
    names = [*TAGS, "mean over tags"]
    frame = pd.DataFrame({"tracks": 9, "artists": 9, "curve": 0.6 + offset, "attention": 0.5, "rollout": 0.52}, index=names)
    frame.loc[:, "curve"] = 0.6 + offset + np.linspace(0.2, 0, len(names))
    for name in ("curve", "attention", "rollout"):
        frame[f"{name}_lo"], frame[f"{name}_hi"] = frame[name] - 0.05, frame[name] + 0.05
    attention = [column for column in frame if column.startswith(("attention", "rollout"))]
    return frame.assign(**dict.fromkeys(attention, np.nan)) if "resnet" in model else frame


def dropped(offset):
    drop = np.array([0.05 + offset, 0.03, 0.04])
    return pd.DataFrame({"drop": drop, "lo": drop - 0.01, "hi": drop + 0.01}, index=["attended", "random", "shifted"])


def samples():
    """Every figure once, with data that makes names long and labels crowd."""
    rng = np.random.default_rng(0)
    times = np.arange(0.5, 10, 0.25)
    models = {"teacher": 0.93, "student KE": 0.931, "teacher without augmentation": 0.92, "short_chunk_resnet": 0.90}
    labels = (rng.random((200, 5)) < [0.5, 0.4, 0.3, 0.3, 0.1]).astype(np.uint8)
    reliability = pd.DataFrame({"predicted": [0.1, 0.5, 0.9], "observed": [0.15, 0.5, 0.8], "count": [900, 90, 9]})
    iterations = pd.concat(
        [table([0.92, 0.93, value]).assign(architecture=name, iteration=[0, 1, 2]) for name, value in (("KE", 0.931), ("KD", 0.93))],
        ignore_index=True,
    )
    costs = {
        name: pd.DataFrame({"seconds": [3, 6, 12], "milliseconds": [a, 3 * a, 9 * a], "megabytes": [a, 2 * a, 4 * a]})
        for name, a in (("teacher", 3.0), ("FCN", 2.9))
    }
    segments = pd.DataFrame({"name": ["drums", "piano", "piano"], "start": [0, 2, 8], "end": [10, 5, 9.5]})
    probabilities = rng.random((times.size, 5))
    return {
        "tag_counts": figures.tag_counts(
            dict(zip(TAGS, [90, 70, 800, 3, 55], strict=True)),
            dict(zip(TAGS, ["genre", "genre", "instrument", "instrument", "mood"], strict=True)),
            1000,
        ),
        "cooccurrence": figures.tag_cooccurrence(labels, TAGS),
        "lift": figures.tag_cooccurrence(labels, TAGS, "lift"),
        "tracks_per_artist": figures.tracks_per_artist([1, 2, 2, 7, 9]),
        "many_tracks_per_artist": figures.tracks_per_artist([1, 2, 2, 7, 300]),
        "durations": figures.durations([29.5, 30, 30, 30.2]),
        "split_deviation": figures.split_deviation({"random": rng.gamma(1, 0.05, 30), "ours": rng.gamma(1, 0.005, 30)}),
        "split_shares": figures.split_shares(
            pd.DataFrame(rng.uniform(0.1, 0.7, (5, 3)), TAGS, ["train", "valid", "test"]),
            {"train": 0.7, "valid": 0.15, "test": 0.15},
        ),
        "learning_curves": figures.learning_curves({name: history(k / 500) for k, name in enumerate(models)}),
        "model_scores": figures.model_scores(table(models), reference="teacher"),
        "tag_scores": figures.tag_scores({"teacher": table(dict.fromkeys(TAGS, 0.9)), "student KE": table(dict.fromkeys(TAGS, 0.91))}),
        "paired_differences": figures.paired_differences(differences()),
        "reliability": figures.reliability({"teacher": reliability, "student KE": reliability}),
        "missing_labels": figures.missing_labels(rng.beta(3, 2, 200), rng.beta(1, 8, 900), threshold=0.4),
        "precision_recall": figures.precision_recall(pd.DataFrame({"precision": [0.9, 0.4], "recall": [0.1, 0.8]}, ["top 1%", "top 5%"])),
        "scores_by_length": figures.scores_by_length({"teacher": by_length(0.004), "FCN": by_length(0.0039)}, trained_on=3),
        "tags_by_length": figures.tags_by_length(pd.DataFrame(rng.random((5, 4)), TAGS, [3.0, 6, 12, 29])),
        "cost_by_length": figures.cost_by_length(costs),
        "iterations": figures.iterations(iterations),
        "mel_spectrogram": figures.mel_spectrogram(tone(), RATE),
        "before_after": figures.before_after(tone(), 0.1 * tone(), RATE, "gain of −20 dB"),
        "tag_curves": figures.tag_curves(times, probabilities, TAGS, {"piano": [(1, 4)], "mellow": []}),
        "tag_curves_over_sound": figures.tag_curves(times, probabilities, TAGS, waveform=tone(seconds=10), sample_rate=RATE),
        "attention": figures.attention_over_time(times, rng.random(times.size), tone(seconds=10), RATE),
        "attention_by_layer": figures.attention_over_time(times, {f"layer {k}": rng.random(times.size) for k in range(4)}),
        "attention_map": figures.attention_map(rng.random((times.size,) * 2), times),
        "timeline": figures.timeline(segments, 10),
        "localisation": figures.localisation({name: localised(k / 50, name) for k, name in enumerate(models)}),
        "localisation_of_one": figures.localisation({"short_chunk_resnet": localised(0, "short_chunk_resnet")}),
        "deletion": figures.deletion({name: dropped(k / 50) for k, name in enumerate(models)}, share=0.2),
        "attention_heads": figures.attention_heads(rng.random((2, 8, 9, 9)), times[:9]),
    }


@pytest.fixture(scope="module")
def pictures():
    return samples()


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
            width = min(box.x1, second.x1) - max(box.x0, second.x0)
            height = min(box.y1, second.y1) - max(box.y0, second.y0)
            if width > 1 and height > 1.5:
                faults.append(f"{words} lies on {other.get_text()!r}")
    return faults


def test_text_is_large_enough_whole_and_apart(pictures):
    assert {name: faults for name, picture in pictures.items() if (faults := text_faults(picture.figure))} == {}


def test_text_faults_are_found():
    picture = figures.timeline(pd.DataFrame({"name": ["a"], "start": [0], "end": [1]}))
    axes = picture.figure.axes[0]
    for x, y, words, size in ((0.1, 0.5, "one", 9), (0.11, 0.5, "two", 9), (0.5, 0.5, "tiny", 5)):
        axes.text(x, y, words, fontsize=size, transform=axes.transAxes)
    picture.figure.text(0.97, 0.5, "beyond the edge")
    assert text_faults(picture.figure) == ["'one' lies on 'two'", "'tiny' is too small", "'beyond the edge' is cut off"]


def test_every_picture_is_words_and_a_light_image_without_global_state(pictures):
    for name, picture in pictures.items():
        assert len(picture.alt) > 60, name
        assert any(digit in picture.alt for digit in "0123456789"), name
        assert picture.figure.get_suptitle(), name
    assert pyplot.get_fignums() == []


def test_images_are_1200_pixels_wide_and_light(pictures):
    for name in ("tag_counts", "paired_differences", "before_after"):
        png = pictures[name].png()
        assert Image.open(io.BytesIO(png)).width == 1200
        assert len(png) < 120_000, name


def test_same_data_same_image():
    first, again = (figures.paired_differences(differences()) for _ in range(2))
    png = first.png()
    assert again.png() == png and again.alt == first.alt
    assert first.png() == png  # drawing leaves the figure as it was


def test_time_figures_are_marked_for_the_player(pictures):
    marked = {name for name, picture in pictures.items() if any(axes.get_gid() == TIME_AXIS for axes in picture.figure.axes)}
    assert marked == {
        "mel_spectrogram",
        "before_after",
        "tag_curves",
        "tag_curves_over_sound",
        "attention",
        "attention_by_layer",
        "attention_map",
        "timeline",
    }


# --- a collection and its split ------------------------------------------------------------------------------------


def test_tag_counts_sorts_within_kinds_and_names_shares(pictures):
    axes = pictures["tag_counts"].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "rock",
        "jazz",
        "piano",
        "electric guitar",
        "mellow",
    ]
    assert [bar.get_width() for bar in axes.patches] == [90, 70, 800, 3, 55]
    words = [text.get_text() for text in axes.texts]
    assert "800  (80.0%)" in words and {"genre", "instrument", "mood"} <= set(words)
    assert "5 tags, from 800 to 3 tracks. piano 800; rock 90;" in pictures["tag_counts"].alt


def test_tag_counts_names_a_tag_without_kind():
    with pytest.raises(ValueError, match="tag 'jazz' has no kind"):
        figures.tag_counts({"rock": 2, "jazz": 1}, {"rock": "genre"})


def shown_matrix(picture):
    axes = picture.figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    return pd.DataFrame(axes.collections[0].get_array().reshape(len(names), -1).filled(np.nan), names, names)


def test_cooccurrence_values():
    # a: tracks 0-3; b: tracks 2-5; c: tracks 6, 7: a and b share two of four, c meets neither
    labels = np.zeros((8, 4), np.uint8)
    labels[:4, 0] = labels[2:6, 1] = labels[6:, 2] = 1
    conditional = shown_matrix(figures.tag_cooccurrence(labels, ["a", "b", "c", "never"]))
    assert sorted(conditional.index) == ["a", "b", "c"]
    assert conditional.loc["a", "b"] == conditional.loc["b", "a"] == 50
    assert conditional.loc["a", "c"] == 0 and np.isnan(conditional.loc["a", "a"])
    labels[0, 2] = 1
    lift = shown_matrix(figures.tag_cooccurrence(labels, ["a", "b", "c", "never"], "lift"))
    assert lift.loc["a", "b"] == pytest.approx(0.0)  # 2 of 8 together, as 4/8 * 4/8 says
    assert lift.loc["a", "c"] == pytest.approx(np.log2((1 / 8) / (4 / 8 * 3 / 8)))
    assert np.isnan(lift.loc["b", "c"])


def test_cooccurrence_checks_its_input():
    with pytest.raises(ValueError, match=r"labels have shape \(3, 2\) for 1 tags"):
        figures.tag_cooccurrence(np.ones((3, 2)), ["a"])
    with pytest.raises(ValueError, match="unknown measure 'cosine'"):
        figures.tag_cooccurrence(np.ones((3, 2)), ["a", "b"], "cosine")
    with pytest.raises(ValueError, match=r"1 tag\(s\) with a track"):
        figures.tag_cooccurrence(np.array([[1, 0]]), ["a", "b"])


def test_histograms_hold_every_track():
    for picture, total in ((figures.tracks_per_artist({"x": 1, "y": 90, "z": 3}), 3), (figures.durations([1.0, 2, 2]), 3)):
        assert sum(bar.get_height() for bar in picture.figure.axes[0].patches) == total
    assert "3 artists with 94 tracks; between 1 and 90 tracks each, median 3" in figures.tracks_per_artist([1, 90, 3]).alt
    with pytest.raises(ValueError, match="every artist needs at least one track"):
        figures.tracks_per_artist([0, 2])
    with pytest.raises(ValueError, match="finite, non-negative seconds"):
        figures.durations([np.nan])


def test_split_deviation_puts_the_best_method_first():
    picture = figures.split_deviation({"random": [0.1, 0.3], "ours": [0.0, -0.02]})
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ours", "random"]
    assert "ours mean 1.00, largest 2.00; random mean 20.00, largest 30.00" in picture.alt
    assert axes.lines[1].get_xdata()[0] == pytest.approx(0.01)
    with pytest.raises(ValueError, match="method 'empty' has no or non-finite deviations"):
        figures.split_deviation({"empty": []})


def test_split_shares_shows_the_worst_tags():
    shares = pd.DataFrame({"train": [0.7, 0.5, 0.72], "test": [0.3, 0.5, 0.28]}, index=["a", "b", "c"])
    picture = figures.split_shares(shares, {"train": 0.7, "test": 0.3}, top=2)
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
    train = next(line for line in axes.lines if line.get_label().startswith("train"))
    np.testing.assert_allclose(train.get_xdata(), [-20, 2])
    assert "largest deviation 20.0 percentage points (b)" in picture.alt


# --- scores --------------------------------------------------------------------------------------------------------


def test_model_scores_sorts_and_draws_the_intervals():
    picture = figures.model_scores(table({"FCN": 0.88, "teacher": 0.93}), "PR-AUC", reference="FCN")
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["teacher", "FCN"]
    reference, interval, dot = axes.lines[:3]
    np.testing.assert_allclose(reference.get_xdata(), 0.88)
    np.testing.assert_allclose(interval.get_xdata(), [0.92, 0.95])
    np.testing.assert_allclose([dot.get_xdata()[0], dot.get_ydata()[0]], [0.93, 0])
    assert dot.get_color() == MODEL_COLOURS["teacher"]
    assert "best first: teacher 0.930 [0.920, 0.950]; FCN 0.880 [0.870, 0.900]." in picture.alt
    with pytest.raises(ValueError, match="reference 'CRNN' is not among"):
        figures.model_scores(table({"FCN": 0.88}), reference="CRNN")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.drop(columns="low"), "column 'low' is missing"),
        (lambda frame: frame.iloc[:0], "the table is empty"),
        (lambda frame: frame.assign(high=[1.0, np.nan]), "row 'b' of column 'high' is not a finite number"),
        (lambda frame: frame.assign(low=[0.1, 2.0]), "row 'b' has low above high"),
    ],
)
def test_estimates_are_checked(change, match):
    with pytest.raises(ValueError, match=match):
        figures.model_scores(change(table({"a": 0.5, "b": 0.6})))


def test_tag_scores_orders_by_the_first_model_and_keeps_the_ends():
    first, second = table({tag: k / 10 for k, tag in enumerate("abcdef")}), table(dict.fromkeys("fedcba", 0.5))
    axes = figures.tag_scores({"teacher": first, "KE": second}, top=2).figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["f", "e", "b", "a"]
    with pytest.raises(ValueError, match="the tags of 'KE' differ"):
        figures.tag_scores({"teacher": first, "KE": second.drop("a")})
    with pytest.raises(ValueError, match="4 models in one figure"):
        figures.tag_scores(dict.fromkeys("wxyz", first))


def test_tag_scores_of_a_difference_show_zero():
    zero = [line for line in figures.tag_scores({"a": table({"x": 0.005})}).figure.axes[0].lines if line.get_linewidth() == 1]
    assert [list(line.get_xdata()) for line in zero] == [[0, 0]]
    assert all(line.get_linewidth() != 1 for line in figures.tag_scores({"a": table({"x": 0.5})}).figure.axes[0].lines)


def test_paired_differences_shows_verdicts_and_margins(pictures):
    axes = pictures["paired_differences"].figure.axes[0]
    words = {text.get_text(): text for text in axes.texts}
    assert {"supported", "inconclusive", "contradicted", "−0.020 [−0.024, −0.012]"} <= set(words)
    dots = [line for line in axes.lines if len(np.atleast_1d(line.get_xdata())) == 1]
    assert [dot.get_color() for dot in dots] == [BLUE, GREY, VERMILLION]
    margins = [line for line in axes.lines if np.ptp(line.get_ydata()) == pytest.approx(0.72)]
    assert [(list(line.get_xdata()), np.mean(line.get_ydata())) for line in margins] == [([-0.005, -0.005], 2)]
    assert "margin fixed in advance" in axes.get_xlabel()
    assert "C5: −0.020 [−0.024, −0.012], contradicted" in pictures["paired_differences"].alt
    with pytest.raises(ValueError, match="column 'verdict' is missing"):
        figures.paired_differences(table({"C1": 0.1}))


def test_reliability_reports_the_mean_distance(pictures):
    # (900 * 0.05 + 90 * 0 + 9 * 0.1) / 999
    assert "teacher 0.046; student KE 0.046" in pictures["reliability"].alt


def test_missing_labels_counts_what_a_threshold_masks():
    picture = figures.missing_labels([0.2, 0.6, 0.8, 0.9], [0.1] * 9 + [0.7], threshold=0.5)
    assert "missing labels (n = 4): median 0.700, 75.0% masked; true negatives (n = 10): median 0.100, 10.0% masked" in picture.alt
    upper, lower = picture.figure.axes
    assert sum(bar.get_height() for bar in upper.patches) == pytest.approx(100)
    assert upper.get_ylim() == lower.get_ylim()
    with pytest.raises(ValueError, match="true negatives must be one or more probabilities"):
        figures.missing_labels([0.2], [-3.0])


def test_precision_recall_joins_both(pictures):
    assert "top 5%: precision 0.400, recall 0.800" in pictures["precision_recall"].alt
    colours = {line.get_color() for line in pictures["precision_recall"].figure.axes[0].lines}
    assert {BLUE, ORANGE} <= colours


# --- training and length -------------------------------------------------------------------------------------------


def test_single_trainings_are_strokes_under_their_interval():
    table = differences()
    assert "single trainings" not in figures.paired_differences(table).figure.axes[0].get_xlabel()
    table["by_seed"] = [(0.01, 0.02)] + [()] * (len(table) - 1)
    axes = figures.paired_differences(table).figure.axes[0]
    upright = [line.get_xdata() for line in axes.lines if np.ptp(line.get_ydata()) == pytest.approx(0.16)]
    assert [list(xs) for xs in upright] == [[0.01] * 2, [0.02] * 2] and "strokes: single trainings" in axes.get_xlabel()


def test_learning_curves_mark_the_weights_that_are_kept(pictures):
    assert "teacher 0.3010 at step 800 of 1,000" in pictures["learning_curves"].alt
    upper, lower = pictures["learning_curves"].figure.axes
    rings = [line for line in upper.lines if line.get_color() == "white"]
    assert [ring.get_xdata()[0] for ring in rings] == [800] * 4
    assert upper.get_ylim() != lower.get_ylim()  # a sum of two losses would flatten the other
    with pytest.raises(ValueError, match="learning_curves of x: column 'train_loss' is missing"):
        figures.learning_curves({"x": history(0).drop(columns="train_loss")})
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.learning_curves({})


def test_learning_curves_accept_steps_without_training_loss():
    frame = history(0)
    frame.loc[3, "train_loss"] = np.nan
    lower = figures.learning_curves({"teacher": frame}).figure.axes[1]
    assert 400 not in lower.lines[0].get_xdata() and len(lower.lines[0].get_xdata()) == 9


def test_lengths_double_from_tick_to_tick(pictures):
    axes = pictures["scores_by_length"].figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3", "6", "12", "24", "29"]
    band = axes.collections[0].get_paths()[0].vertices
    expected = by_length(0.004)
    assert band[:, 1].min() == pytest.approx(expected["low"].min()) and band[:, 1].max() == pytest.approx(expected["high"].max())
    with pytest.raises(ValueError, match="an input length of 0 s"):
        figures.scores_by_length({"x": by_length(0).assign(seconds=[0, 1, 2, 3, 4])})


def test_tags_by_length_is_a_change_from_the_shortest():
    picture = figures.tags_by_length(pd.DataFrame({12: [0.8, 0.95], 3: [0.9, 0.9]}, index=["lo-fi", "jazz"]))
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["jazz", "lo-fi"]
    np.testing.assert_allclose(np.asarray(axes.collections[0].get_array()).ravel(), [0, 0.05, 0, -0.1], atol=1e-12)
    assert "jazz +0.050; lo-fi −0.100" in picture.alt
    with pytest.raises(ValueError, match="at least two lengths"):
        figures.tags_by_length(pd.DataFrame({3: [0.9]}))


def test_cost_leaves_memory_out_where_it_was_not_measured():
    cost = pd.DataFrame({"seconds": [3, 6], "milliseconds": [1.0, 2.5]})
    picture = figures.cost_by_length({"teacher": cost})
    assert len(picture.figure.axes) == 1 and "teacher 2.5 ms at 6 s" in picture.alt and "MB" not in picture.alt


def test_iterations_begin_with_the_teacher(pictures):
    axes = pictures["iterations"].figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["teacher", "student 1", "student 2"]
    assert "KE: iteration 0 0.920 [0.910, 0.940]" in pictures["iterations"].alt


# --- time ----------------------------------------------------------------------------------------------------------


def test_a_tone_shows_at_its_frequency_and_time():
    sound = np.concatenate([np.zeros(RATE, np.float32), tone(2000, 1.0)])
    axes = figures.mel_spectrogram(sound, RATE).figure.axes[0]
    image = axes.images[0]
    left, right, low, high = image.get_extent()
    row, column = np.unravel_index(image.get_array().argmax(), image.get_array().shape)
    place = low + (row + 0.5) / image.get_array().shape[0] * (high - low)
    ticks = {label.get_text(): y for label, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert abs(place - ticks["2"]) < 1.5  # mel bands of 128
    loud = image.get_array().max(axis=0) > -40
    onset = left + (np.argmax(loud) + 0.5) / loud.size * (right - left)
    assert onset == pytest.approx(1.0, abs=0.035)  # half a window
    assert axes.get_xlim() == (0, 2)


def test_before_and_after_share_one_scale(pictures):
    before, after = pictures["before_after"].figure.axes[:2]
    assert before.images[0].get_clim() == after.images[0].get_clim()
    assert before.images[0].get_array().max() == pytest.approx(0, abs=1e-4)
    assert after.images[0].get_array().max() == pytest.approx(-20, abs=0.01)


@pytest.mark.parametrize("sound", [np.zeros((2, 100)), np.array([]), np.array([0.0, np.nan])])
def test_spectrogram_refuses_what_is_not_mono_sound(sound):
    with pytest.raises(ValueError, match="need finite mono"):
        figures.mel_spectrogram(sound, RATE)


def test_tag_curves_put_known_truth_first_and_its_bars_below():
    times, curves = np.array([1.0, 2, 3]), np.array([[0.1, 0.9, 0.2], [0.3, 0.8, 0.2], [0.2, 0.7, 0.3]])
    picture = figures.tag_curves(times, curves, ["piano", "rock", "sax"], {"piano": [(0.5, 2.5)], "sax": []}, top=3)
    axes = picture.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["piano", "sax", "rock"]
    assert "piano 0.30 at 2.0 s, truly 0.5–2.5 s" in picture.alt and "sax 0.30 at 3.0 s, truly never" in picture.alt
    bars = [area for area in axes.collections if tuple(area.get_facecolor()[0][:3]) == (230 / 255, 159 / 255, 0)]
    assert len(bars) == 1
    np.testing.assert_allclose(bars[0].get_paths()[0].get_extents().intervalx, [0.5, 2.5])
    assert [text.get_text() for text in axes.texts if text.get_text() != "peak"] == ["0.30", "0.30", "0.90"]


@pytest.mark.parametrize(
    ("curves", "truth", "match"),
    [
        (np.zeros((2, 2)), {}, r"probabilities \(2, 2\) for 3 times, 2 tags"),
        (np.full((3, 2), 1.5), {}, "apply the sigmoid first"),
        (np.zeros((3, 2)), {"cello": []}, "truth for 'cello', which is not among the tags"),
    ],
)
def test_tag_curves_check_their_input(curves, truth, match):
    with pytest.raises(ValueError, match=match):
        figures.tag_curves([0, 1, 2], curves, ["a", "b"], truth)


def test_sound_needs_its_rate():
    with pytest.raises(ValueError, match="give sample_rate in Hz too"):
        figures.attention_over_time([0.0, 1.0], np.ones(2), waveform=tone())


def test_attention_is_relative_to_uniform():
    picture = figures.attention_over_time([0.0, 1.0, 2.0, 3.0], np.array([1, 1, 5, 1]) / 8)
    assert "attention most at 2.0 s (2.5 times uniform)" in picture.alt
    with pytest.raises(ValueError, match="must be 2 numbers of 0 or more"):
        figures.attention_over_time([0.0, 1.0], np.array([-1.0, 2.0]))


def test_attention_map_says_how_local_it_is():
    weights = 0.5 * np.eye(10) + 0.5 * np.eye(10)[:, ::-1]
    picture = figures.attention_map(weights, np.arange(10) * 2.0)
    assert "attention of 10 by 10 moments over 18.0 s; 50% of it stays within 1 s" in picture.alt
    axes = picture.figure.axes[0]
    assert axes.get_xlim() == (-1, 19) and axes.get_ylim() == (19, -1)
    with pytest.raises(ValueError, match=r"weights \(3, 2\) for 3 times"):
        figures.attention_map(np.ones((3, 2)), [0, 1, 2])


def test_timeline_draws_segments_in_order_of_entry(pictures):
    axes = pictures["timeline"].figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["drums", "piano"]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 10), (2, 3), (8, 1.5)]
    assert "piano 2.0–5.0 s, 8.0–9.5 s" in pictures["timeline"].alt
    with pytest.raises(ValueError, match="segment 0 does not end after its start"):
        figures.timeline(pd.DataFrame({"name": ["a"], "start": [2], "end": [2]}))


def test_localisation_stands_where_it_is_with_chance_marked():
    tables = {"teacher": localised(0.0, "teacher"), "short_chunk_resnet": localised(0.1, "short_chunk_resnet")}
    picture = figures.localisation(tables)
    panels = picture.figure.axes
    assert [panel.get_title("left") for panel in panels] == ["tag curve", "CLS attention", "attention rollout"]
    assert all(panel.lines[0].get_xdata() == [0.5, 0.5] for panel in panels)
    curves = [line for line in panels[0].lines if len(line.get_xdata()) == 6]
    assert [line.get_color() for line in curves] == [BLUE, VERMILLION]
    np.testing.assert_allclose(curves[0].get_xdata(), [0.6, *tables["teacher"]["curve"][:-1]])  # the mean stands first
    assert len([line for line in panels[1].lines if len(line.get_xdata()) == 6]) == 1  # a CNN has no attention
    assert "tag curve of the teacher 0.600" in picture.alt and "CLS attention of the short_chunk_resnet" not in picture.alt


def test_drops_are_drawn_and_told():
    picture = figures.deletion({"teacher": dropped(0.0)}, share=0.2)
    points = [float(line.get_xdata()[0]) for line in picture.figure.axes[0].lines if line.get_marker() in "oDs"]
    assert points == pytest.approx([0.05, 0.03, 0.04])
    assert "teacher, most attended +0.0500 [+0.0400, +0.0600]" in picture.alt
    with pytest.raises(ValueError, match="nothing to draw"):
        figures.deletion({}, share=0.2)


def test_heads_are_apart_and_of_one_scale():
    maps = np.full((2, 2, 5, 5), 0.2)
    maps[1, 0] = np.eye(5)
    picture = figures.attention_heads(maps, np.arange(5.0))
    shown = [panel for panel in picture.figure.axes if panel.images]
    assert [panel.get_title("left") for panel in shown] == [f"layer {i}, head {j}" for i in (1, 2) for j in (1, 2)]
    assert len({panel.images[0].get_clim() for panel in shown}) == 1
    assert "layer 2 head 1 100%" in picture.alt and "layer 1 head 1 20%" in picture.alt
    with pytest.raises(ValueError, match="for 4 times"):
        figures.attention_heads(maps, np.arange(4.0))
