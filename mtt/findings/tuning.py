"""What is looked at before any result, on corpora that no result comes from: are models converged, and how small an effect can be seen?

Conventions: tuning corpora have the numbers TUNING and above; settings are chosen on them, and a study of such a number is no result.
*Converged* means that twice the exposure adds less than CHANGE to the validation score, as a mean over the tuning corpora; what it makes
worse is past its best exposure.
"""

from dataclasses import replace

import numpy as np

from mtt.config import TUNING, StudyConfig
from mtt.evaluation.replicates import smallest_effect
from mtt.files import home, write_json
from mtt.findings.claims import CLAIMS
from mtt.findings.judge import Judge
from mtt.findings.reference import FOLDER
from mtt.settings import to_dict
from mtt.study import recipes
from mtt.study.budget import CHANGE
from mtt.study.recipes import Recipe
from mtt.study.schedule import make_cells
from mtt.study.workspace import Study

NEEDED = ["student-permuted", "teacher-fresh", "leak-a", "leak-b", recipes.HAND_MADE]  # by the claims, beside the core


def tune(config: StudyConfig, corpora: int, progress: bool = True) -> dict:
    """Look at ``corpora`` tuning corpora with these settings and keep what was found beside the reference; read back what is there.

    One corpus tells ``convergence`` alone: ``power`` needs a spread.
    """
    config = replace(config, first_replicate=TUNING, replicates=corpora, retrained=0)
    study = Study(config, home() / "runs" / f"tuning-{config.profile}", progress)
    for replicate in study.replicates:
        replicate.prepare()
    found = {"settings": to_dict(config), "convergence": convergence(study)}
    if corpora > 1:
        found["power"] = power(study)
    write_json(FOLDER / "tuning.json", found)
    return found


def convergence(study: Study) -> list[dict]:
    """Validation ROC-AUC, and with twice the exposure: of teacher and student by labelled artists, baselines, other clip lengths."""
    sizes = {n: f"-{n}" for n in study.config.scarcity} | {study.config.labelled_artists or 0: ""}
    models = [(n, study.lineup[f"{kind}{sizes[n]}"].recipe) for n in sorted(sizes) for kind in ("teacher", "student")]
    others = {*recipes.baselines(study.config), *recipes.lengths(study.config)} - {"teacher"}
    models += [(study.config.labelled_artists or 0, study.lineup[name].recipe) for name in study.lineup if name in others]
    asked = [recipe for _, once in models for recipe in (once, _doubled(once))]
    cells = make_cells([one.job(recipe) for recipe in asked for one in study.replicates], study.progress)
    scores = np.reshape([cell.metrics["valid"]["roc_auc"] for cell in cells], (len(models), 2, -1))
    return [
        {
            "model": recipe.name, "artists": artists, "exposure": recipe.exposure, "margin": CHANGE,
            "change": float(doubled.mean() - valid.mean()), "valid": valid.tolist(), "doubled": doubled.tolist(),
        }
        for (artists, recipe), (valid, doubled) in zip(models, scores, strict=True)
    ]  # fmt: skip


def _doubled(recipe: Recipe) -> Recipe:
    train = replace(recipe.train, steps=2 * recipe.train.steps)
    return replace(recipe, name=f"{recipe.name}-doubled", train=train)


def power(study: Study) -> list[dict]:
    """The smallest effect that each claim would see with the replicates of the full study, from its spread over the tuning corpora."""
    judge, rows = Judge(study), []
    judge.results = study.make_named(NEEDED + recipes.core(study.config) + [f"student-w{width}" for width in study.config.student_widths])
    for claim in CLAIMS.values():
        if (found := claim.measure(judge)) is not None:
            sd = float(np.std(found.effect.values, ddof=1))
            rows.append({"id": claim.id, "sd": sd, "smallest": {str(n): smallest_effect(sd, n) for n in (2, 5, 10)}})
    return rows
