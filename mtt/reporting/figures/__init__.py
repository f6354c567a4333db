"""Every figure of the study in one place: ``from mtt.reporting import figures``, then ``figures.model_scores(table)``.

Conventions: a function takes data (arrays, tables, mappings), never models, and gives a ``Picture``: a matplotlib
figure with computed alternative text and a caption. Functions are grouped by content in ``plots_data``,
``plots_split``, ``plots_training``, ``plots_scores``, ``plots_lengths``, ``plots_sound``, ``plots_time`` and ``plots_explain``.
"""

from mtt.reporting.figures.data import (
    durations,
    tag_cooccurrence,
    tag_counts,
    tracks_per_artist,
)
from mtt.reporting.figures.explain import attention_heads, deletion, localisation
from mtt.reporting.figures.lengths import cost_by_length, scores_by_length, tags_by_length
from mtt.reporting.figures.picture import Picture
from mtt.reporting.figures.scores import (
    missing_labels,
    model_scores,
    paired_differences,
    precision_recall,
    reliability,
    tag_scores,
)
from mtt.reporting.figures.sound import before_after, mel_spectrogram, mel_spectrograms
from mtt.reporting.figures.split import split_deviation, split_shares
from mtt.reporting.figures.style import MODEL_COLOURS, SET_STYLES, kind_colours, model_colour, text_colour
from mtt.reporting.figures.time import (
    attention_map,
    attention_over_time,
    tag_curves,
    timeline,
)
from mtt.reporting.figures.training import iterations, learning_curves

__all__ = [
    "MODEL_COLOURS",
    "SET_STYLES",
    "Picture",
    "attention_heads",
    "attention_map",
    "attention_over_time",
    "before_after",
    "cost_by_length",
    "deletion",
    "durations",
    "iterations",
    "kind_colours",
    "learning_curves",
    "localisation",
    "mel_spectrogram",
    "mel_spectrograms",
    "missing_labels",
    "model_colour",
    "model_scores",
    "paired_differences",
    "precision_recall",
    "reliability",
    "scores_by_length",
    "split_deviation",
    "split_shares",
    "tag_cooccurrence",
    "tag_counts",
    "tag_curves",
    "tag_scores",
    "tags_by_length",
    "text_colour",
    "timeline",
    "tracks_per_artist",
]
