"""The scale anchor: do the signs of the main effects persist in models of nearly the published size?

Conventions: one corpus and one training of each model, so that intervals speak of the choice of test artists alone. The exposure follows
from the minutes there are and the speed of the machine, before anything is trained.
"""

import datetime
from dataclasses import replace
from pathlib import Path

import torch

from mtt.config import ANCHOR, StudyConfig
from mtt.evaluation.bootstrap import interval
from mtt.evaluation.predict import effective_precision, pick_device
from mtt.files import read_json, write_json
from mtt.findings.judge import Effect, Judge, best_control
from mtt.settings import to_dict
from mtt.study.budget import clips_per_second
from mtt.study.recipes import baselines
from mtt.study.replicates import Replicate
from mtt.study.workspace import Study

TRAININGS = 10  # of the teacher's exposure, that all the models and their scoring cost together


def anchor(folder: Path, minutes: float, config: StudyConfig = ANCHOR, progress: bool = True) -> dict:
    """Train the models of the anchor in ``folder`` within about ``minutes`` and return scores and effects; goes on where it stopped."""
    sized = read_json(folder / "exposure.json")
    if sized is None:
        probe = Replicate(config, config.first_replicate, folder / "study" / str(config.first_replicate), progress)
        rate = clips_per_second(probe)
        sized = {"clips_per_second": round(rate, 1), "exposure": max(config.train.batch_size, round(60 * minutes * rate / TRAININGS))}
        write_json(folder / "exposure.json", sized)
    study = Study(replace(config, exposure=sized["exposure"]), folder / "study", progress)
    widest = f"student-w{max(config.student_widths)}"
    judge = Judge(study)
    judge.results = study.make_named(["teacher", "student", "supervised-long", "oracle", *baselines(config), widest])
    student, teacher, control = judge.score("student"), judge.score("teacher"), best_control(judge)
    labels = {name: result.entry.label for name, result in judge.results.items()}
    effects = {
        "student minus its teacher (C4a)": student - teacher,
        f"student minus {labels[control[0]]} (C4b)": student - judge.score(control),
        "oracle minus student": judge.score("oracle") - student,
        **{f"Transformer minus {labels[name]} (C2)": teacher - judge.score(name) for name in baselines(config)},
        f"{labels[widest]} minus student (C5)": judge.score(widest) - student,
    }
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {
        "machine": f"{device}, torch {torch.__version__}, {effective_precision(config.train.precision, pick_device())}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **sized,
        "control": control[0],
        "settings": to_dict(study.config),
        "models": [judge.model_row(result) for result in judge.results.values()],
        "effects": {name: _over_artists(judge, one) for name, one in effects.items()},
    }


def _over_artists(judge: Judge, effect: Effect) -> dict:
    """The effect with its 95 % interval over the choice of test artists."""
    values = effect.values.tolist()
    return {"effect": values[0], "interval": list(interval(judge.resamples(effect)[0])), "by_replicate": values}
