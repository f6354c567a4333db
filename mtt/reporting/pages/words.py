"""What a reader must know beside a verdict, worded by the numbers.

Conventions: figures are macro ROC-AUC, "a [lo, hi]" an effect with its 95% interval. A note follows the sentence of its claim, on its page
and on the opening page.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import torch

from mtt.config import SAMPLE_RATE, StudyConfig
from mtt.data.corpus import Corpus
from mtt.evaluation.bootstrap import Difference
from mtt.models import build_model
from mtt.reporting.pages.table import signed
from mtt.study import recipes
from mtt.study.claims import CLAIMS
from mtt.study.workspace import Result, Study

CONTROLS = {  # a control's name -> how it differs from a student, and what beating it would show to help
    "control-labelled-only": ("as many steps and clips, all of them labelled", "the pseudo-labels"),
    "control-no-new-audio": ("pseudo-labels of its own training tracks only", "the new audio"),
    "control-no-noise": ("without noise", "the noise"),
}


def leak(leaked_share: float) -> str:
    """C1: how much of a leak the experiment measures, beside that of a split of random tracks."""
    return (
        "Here every test artist was heard in training, the most that a split can leak; "
        f"in a split of random tracks {leaked_share:.0%} of the test tracks are by such an artist."
    )


def other_baselines(study: Study, teacher: Result, baselines: list[Result], strongest: Result) -> str:
    """C2: the teacher minus every baseline but the strongest."""
    others = {result.name: study.compare(teacher, result) for result in baselines if result.name != strongest.name}
    return f"Minus the other baselines it is {_listed(others)}." if others else ""


def controls(differences: Mapping[str, Difference], student: Difference) -> str:
    """C4: the student minus each control, and what that says of where its score comes from; ``student`` is the claim's effect."""
    against = {told: differences[f"student minus {name}"] for name, (told, _) in CONTROLS.items()}
    helps = [part for name, (_, part) in CONTROLS.items() if differences[f"student minus {name}"].lo > 0]
    rest = [part for _, part in CONTROLS.values() if part not in helps]
    small = abs(CLAIMS["C6"].margin)
    parts = [f"The difference is below the {small:g} that C6 calls little."] if 0 < student.lo and student.effect < small else []
    parts.append(f"The student minus its controls: {_listed(against)}.")
    shown = f"{_joined(helps)} {'helps' if len(helps) == 1 else 'help'} here" if helps else ""
    doubt = f"it is not shown that {_joined(rest, 'or')} {'helps' if len(rest) == 1 else 'help'}" if rest else ""
    parts.append(f"So {'; '.join(filter(None, (shown, doubt)))}{'' if shown else ' here'}.")
    return " ".join(parts)


def slopes(table: pd.DataFrame) -> str:
    """C7: each model's change per doubling, from ``sweeps.slopes``."""
    columns = table[["ROC-AUC per doubling", "low", "high"]].itertuples()
    changes = ", ".join(f"{name} {signed(value)} [{signed(low)}, {signed(high)}]" for name, value, low, high in columns)
    return f"Change per doubling of the length: {changes}."


def trained_lengths(tables: Mapping[str, pd.DataFrame]) -> str:
    """What happens to models that are trained and tested at other lengths, from ``sweeps.train_length_curves``."""
    parts = []
    for name, table in tables.items():
        first, last = table.iloc[0], table.iloc[-1]
        parts.append(
            f"{name} goes from {first['estimate']:.3f} at {first['seconds']:g} s to {last['estimate']:.3f} at {last['seconds']:g} s"
        )
    return f"Trained anew at each length, {_joined(parts)}." if parts else ""


def scored_against(corpus: Corpus) -> str:
    """Which labels the tests count against."""
    if corpus.truth is None:
        return "Scores are counted against the labels of the collection."
    text = "Scores are counted against the true tags of the test tracks, not against their labels, of which some are missing"
    return f"{text}; training never sees the truth."


def time_steps(config: StudyConfig) -> pd.DataFrame:
    """What clips of the study's length leave of time in each model: seconds its paper had, seconds here, steps after its convolutions."""
    rows = {}
    for recipe in (recipes.teacher(config), *(recipes.baseline(config, name) for name, _ in config.baselines)):
        model = build_model(recipe.model, 2, seed=0).eval()
        seen: list[int] = []
        hook = model.blocks.register_forward_hook(lambda _module, _inputs, output, seen=seen: seen.append(output.shape[-1]))
        with torch.inference_mode():
            model(torch.zeros(1, round(config.train.clip_seconds * SAMPLE_RATE)))
        hook.remove()
        rows[recipe.name] = {
            "clip in its paper": f"{model.native_seconds:.3g} s",
            "clip here": f"{config.train.clip_seconds:g} s",
            "steps in time": seen[0],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def time_steps_sentence(table: pd.DataFrame) -> str:
    """Which models have no time left to work on."""
    single = [str(name) for name in table.index[table["steps in time"] == 1]]
    if not single:
        return ""
    clip = f"a clip of {table['clip here'].iloc[0]}"
    text = f"After their convolutions {_joined(single)} {'has' if len(single) == 1 else 'have'} a single step in time left of {clip}."
    if "crnn" in single:
        text += " The CRNN's recurrence then has nothing to follow: here it is tested as a CNN."
    return f"{text} Their layouts are those of their papers, made for longer input, and were not tuned to this one."


def _listed(differences: Mapping[str, Difference]) -> str:
    return ", ".join(f"{signed(d.effect, 3)} [{signed(d.lo, 3)}, {signed(d.hi, 3)}] ({name})" for name, d in differences.items())


def _joined(parts: list[str], word: str = "and") -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
