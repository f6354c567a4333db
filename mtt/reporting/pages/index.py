"""The opening page of the study: what was asked, what was found, how sure, in five minutes.

Conventions: everything quoted comes from ``results.json`` (see ``render_index``), any part of which may be missing;
what a run did not produce is named as such. Scores are shown with three decimals, effects with four.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mtt.reporting.pages.explanations import explanation_section
from mtt.reporting.pages.forest import forest_panels, interval, margin_values, number, seed_values, signed
from mtt.reporting.pages.frame import SITE, Page, duration, render_page
from mtt.study.claims import CLAIMS, is_torn, sentence

LABELS = {  # short enough to stand beside the verdict in the forest plot, on a narrow screen too
    "C1": "shared artists overstate",
    "C2": "Transformer beats CNN, RNN",
    "C3": "augmentation helps",
    "C4": "student beats its teacher",
    "C5": "smaller student is no worse",
    "C6": "little change per iteration",
    "C7": "gain per doubling of length",
}
METRICS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}
WORDS = {
    "ROC-AUC": "how often a track with a tag scores above one without it, averaged over tags: 0.5 is chance, 1 is perfect",
    "PR-AUC": "mean precision over all recalls, averaged over tags; unlike ROC-AUC it depends on how frequent a tag is",
    "pseudo-label": "the probability that a teacher gives a tag of a track that nobody has labelled",
    "KE, KD": "knowledge expansion and knowledge distillation: a student as large as its teacher or larger, and a smaller one",
    "seed, training": "a model trained again from other random numbers; what changes then is luck",
    "superiority, non-inferiority, equivalence": "the interval must lie above zero; above a small loss that is fixed in advance; between a "
    "small loss and a small gain",
    "CLS attention, rollout": "how much each moment counts in the Transformer's summary of a clip, in its layers and through all of them",
    "MSD, CALS": "the Million Song Dataset, and the authors' cleaned, artist-level split of it",
}
MODELS = {  # what a name of the study stands for
    "teacher": "the Transformer, trained on labels with augmentation",
    "teacher-plain": "the teacher without augmentation",
    "teacher-from-scratch": "the teacher from random weights",
    "student": "noisy student of the teacher, of its size (KE)",
    "student-distilled": "noisy student of the teacher, smaller (KD)",
    "student-masked": "a student that ignores negatives which the teacher doubts",
    "control-labelled-only": "as many steps and clips as a student, all labelled",
    "control-no-new-audio": "a student with pseudo-labels of training tracks only",
    "control-no-noise": "a student that hears unlabelled clips clean",
    "short-chunk-resnet": "residual CNN (Won 2020)",
    "short-chunk-resnet-student": "noisy student of the residual CNN",
    "fcn": "fully convolutional network (Choi 2016)",
    "crnn": "convolutional recurrent network (Choi 2017)",
    "sample-cnn": "CNN on the raw waveform (Lee 2017)",
    "hand-made": "logistic regression on hand-made features",
}
VERDICTS = ("supported", "contradicted", "inconclusive")
NOT_TESTED = "not tested in this run"
LABEL_LENGTH = 28  # characters


def _mapping(value: object) -> Mapping:
    return value if isinstance(value, Mapping) else {}


def _records(value: object) -> list[Mapping]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _count(value: object) -> str:
    """A count with thin spaces between thousands; the length of a list (of seeds); a dash for nothing."""
    if isinstance(value, list | tuple):
        value = len(value)
    amount = number(value)
    return "–" if amount is None else f"{amount:,.0f}".replace(",", "\u202f")


def _listed(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{str(key).replace('_', ' ')} {_cell(item)}" for key, item in value.items())
    return "" if value is None else _cell(value)


def _cell(value: object) -> str:
    amount = number(value)
    if amount is not None:
        digits = ".0f" if amount == int(amount) else ".4f" if abs(amount) < 1 else ".4g"  # scores below each other end alike
        return f"{amount:{digits}}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_cell(item) for item in value) + "]"
    return "–" if value is None or isinstance(value, float) else str(value)


def by_length(records: object) -> list[dict]:
    """``lengths`` with a row per model and a column per input length; what lacks a model or a length is left out."""
    rows: dict[str, dict] = {}
    for record in _records(records):
        if {"model", "seconds", "roc_auc"} <= set(record):
            row = rows.setdefault(str(record["model"]), {"model": record["model"]})
            row[f"{record['seconds']:g} s"] = record["roc_auc"]
    return list(rows.values())


EXTRAS = {  # part of the results -> its title, and what makes table rows of it
    "lengths": ("ROC-AUC by input length, whole tracks", by_length),
}


def render_index(results: Mapping, out: Path, pages: Sequence[Page], findings: Mapping[str, str] | None = None) -> Path:
    """Write the opening page and return ``out``.

    ``results`` is the content of ``results.json``: ``study``, ``claims`` (entries of ``mtt.study.claims.assess``),
    ``models``, ``lengths``, ``explanations``, all optional. A claim's ``sentence`` is written if it has none; a ``note`` follows it.
    ``findings`` maps a page's slug to its one-sentence finding (default: ``results["findings"]``). A page counts as
    part of the run if its file stands beside ``out``, and so does ``explorer.html``.
    """
    out = Path(out)
    study = _mapping(results.get("study"))
    claims = claim_rows(results.get("claims"))
    findings = _mapping(results.get("findings")) if findings is None else findings
    drawn = [claim for claim in claims if claim["effect"] is not None]
    return render_page(
        out,
        "index.html.j2",
        title=SITE,
        lede="Does the semi-supervised Music Tagging Transformer do what its paper says?",
        description=headline(claims),
        pages=pages,
        provenance=study,
        headline=headline(claims),
        explorer=out.with_name("explorer.html").exists(),
        expected=len(claims),
        claims=claims,
        panels=forest_panels(drawn),
        key=[verdict for verdict in (*VERDICTS, "no verdict") if any(claim["verdict"] == verdict for claim in drawn)],
        seeds=_seeds(study),
        words=WORDS,
        seed_marks=any(claim["by_seed"] for claim in drawn),
        margins=any(margin_values(claim["rule"], claim["margin"]) for claim in drawn),
        models=(models := model_rows(results.get("models"))),
        has_best=any(model[metric]["best"] for model in models for metric in METRICS),
        extras=[extra for key, (title, shape) in EXTRAS.items() if (extra := record_table(shape(results.get(key)), title, key))],
        attends=explanation_section(_records(results.get("explanations"))),
        cards=[
            {
                "page": page,
                "finding": findings.get(page.slug, ""),
                "present": out.with_name(f"{page.slug}.html").exists(),
            }
            for page in pages
        ],
        limits=limits(study, claims),
    )


def headline(claims: Sequence[Mapping]) -> str:
    """The verdicts counted in one sentence."""
    tested = [claim["verdict"] for claim in claims if claim["tested"]]
    if not tested:
        return f"None of {len(claims)} claims was tested in this run."
    counts = Counter(verdict if verdict in VERDICTS else "without a verdict" for verdict in tested)
    parts = [f"{counts[name]}\u00a0{name}" for name in (*VERDICTS, "without a verdict") if counts[name]]
    if len(tested) < len(claims):
        parts.append(f"{len(claims) - len(tested)} not tested")
    return f"Of {len(claims)} claims, {', '.join(parts)} in this run."


def claim_rows(claims: object) -> list[dict]:
    """The seven claims and any other in ``claims``, each with the texts the page shows; untested ones are marked."""
    given = {str(claim.get("id", "")): claim for claim in _records(claims)}
    return [_claim_row(name, given.get(name)) for name in [*CLAIMS, *(name for name in given if name not in CLAIMS)]]


def _claim_row(name: str, claim: Mapping | None) -> dict:
    claim, tested = (claim or {}), claim is not None
    statement = str(claim.get("claim") or (CLAIMS[name].statement if name in CLAIMS else name)).rstrip(".")
    label = LABELS.get(name, statement)
    verdict = str(claim.get("verdict") or "no verdict").lower() if tested else NOT_TESTED
    effect, bounds, by_seed = number(claim.get("effect")), interval(claim.get("interval")), seed_values(claim.get("by_seed"))
    effect_text = "–" if effect is None else signed(effect)
    interval_text = f"[{signed(bounds[0])}, {signed(bounds[1])}]" if bounds else "–"
    metric = str(claim.get("metric") or "")
    return {
        "id": name,
        "claim": statement,
        "label": label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1].rstrip() + "…",
        "tested": tested,
        "verdict": verdict,
        "verdict_class": verdict if verdict in VERDICTS else "unknown",
        "metric": METRICS.get(metric, metric),
        "unit": str(claim.get("unit") or METRICS.get(metric, metric)),
        "contrast": str(claim.get("contrast") or ""),
        "effect": effect,
        "interval": bounds,
        "by_seed": by_seed,
        "seeds_text": ", ".join(signed(value) for value in by_seed) or "–",
        "effect_text": effect_text,
        "interval_text": interval_text,
        "measured": f"{effect_text} {interval_text}" if bounds else effect_text,
        "rule": claim.get("rule"),
        "margin": claim.get("margin"),
        "rule_text": _rule_text(claim),
        "sentence": _sentence(claim),
        "note": str(claim.get("note") or ""),
        "paper": _listed(claim.get("paper")),
        **{key: _count(claim.get(key)) for key in ("n_tracks", "n_artists", "seeds")},
    }


def _sentence(claim: Mapping) -> str:
    if claim.get("sentence"):
        return str(claim["sentence"])
    try:
        return sentence(dict(claim))
    except (KeyError, TypeError, ValueError):  # an entry that is partial, or from another study
        return ""


def _rule_text(claim: Mapping) -> str:
    rule, margin = str(claim.get("rule") or ""), number(claim.get("margin"))
    if not margin:
        return rule
    sign = "±" if rule == "equivalence" else "−" if margin < 0 else ""
    return f"{rule}, margin {sign}{abs(margin):g}".removeprefix(", ")


def model_rows(models: object) -> list[dict]:
    """The models, best ROC-AUC first; a score is ``best`` if its interval does not touch the runner-up's."""
    rows = [model for model in _records(models) if model.get("name")]
    rows.sort(key=lambda model: -(number(model.get("roc_auc")) or 0.0))
    best = {metric: _clear_winner(rows, metric) for metric in ("roc_auc", "pr_auc")}
    return [
        {
            "name": str(model["name"]),
            "about": _about(str(model["name"])),
            "parameters": _count(model.get("parameters")),
            "seconds": duration(model["seconds"]) if number(model.get("seconds")) is not None else "–",
            **{metric: _score(model, metric, model is best[metric]) for metric in ("roc_auc", "pr_auc")},
        }
        for model in rows
    ]


def _about(name: str) -> str:
    """What a model of the study is; nothing for another name."""
    generation = name.removeprefix("student-")
    return f"generation {generation}: the student of the one before" if generation.isdecimal() else MODELS.get(name, "")


def _clear_winner(models: Sequence[Mapping], metric: str) -> Mapping | None:
    ranked = sorted((model for model in models if number(model.get(metric)) is not None), key=lambda model: -model[metric])
    if len(ranked) < 2:
        return None
    first, second = (interval(model.get(f"{metric}_interval")) for model in ranked[:2])
    return ranked[0] if first and second and first[0] > second[1] else None


def _score(model: Mapping, metric: str, best: bool) -> dict:
    value, bounds = number(model.get(metric)), interval(model.get(f"{metric}_interval"))
    return {
        "value": None if value is None else f"{value:.3f}",
        "interval": f"[{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "",
        "best": best,
    }


def record_table(value: object, title: str, anchor: str) -> dict | None:
    """A plain table of a list of records (or of a mapping name → record); None where there is nothing of that form."""
    if isinstance(value, Mapping):
        value = [{"name": name, **record} for name, record in value.items() if isinstance(record, Mapping)]
    records = _records(value)
    names = list(dict.fromkeys(key for record in records for key in record))
    if not names:
        return None
    numeric = {
        key: all(number(record.get(key)) is not None or interval(record.get(key)) for record in records if key in record) for key in names
    }
    return {
        "title": title,
        "anchor": anchor,
        "columns": [{"name": METRICS.get(key, str(key).replace("_", " ")), "numeric": numeric[key]} for key in names],
        "rows": [[_cell(record.get(key)) for key in names] for record in records],
    }


def _seeds(study: Mapping) -> int | None:
    """How many seeds the run had; None where it does not say."""
    seeds = study.get("seeds")
    return len(seeds) if isinstance(seeds, list | tuple) else None


def limits(study: Mapping, claims: Sequence[Mapping]) -> list[str]:
    """What a reader must know to weigh the verdicts, from what the run says about itself."""
    collection, profile = str(study.get("collection") or ""), str(study.get("profile") or "")
    count = _seeds(study)
    found = []
    if collection == "synthetic":
        found.append(
            "The music is synthetic: an embedded corpus whose artists, tags and missing labels are known exactly. "
            "It shows how the method behaves at small scale, not how well it tags real recordings; its scores cannot "
            "be set beside the paper’s. Tests count against the true tags, which training never sees."
        )
    elif collection:
        found.append(f"The collection is {collection}. The verdicts hold for it and need not hold for other music.")
    if profile:
        found.append(f"The profile is {profile}: it sets the sizes of models and training, and with them every score.")
    if count == 1:
        found.append("One seed: the intervals hold the spread between artists, not the spread between trainings.")
    elif count:
        found.append(f"Differences are averaged over {count} seeds; the intervals hold the spread between artists, not between trainings.")
        torn = [claim["id"] for claim in claims if claim["id"] in CLAIMS and is_torn(CLAIMS[claim["id"]], claim["by_seed"])]
        if torn:
            border = "what each of these claims is" if len(torn) > 1 else "what this claim is"
            found.append(f"{', '.join(torn)}: single trainings fall on both sides of {border} compared with; more seeds may turn it.")
    found.append(
        "Intervals are 95 % intervals from an artist-clustered bootstrap of paired differences on the same test "
        "tracks: whole artists are drawn, since tracks of one artist resemble each other."
    )
    tested = sum(claim["tested"] for claim in claims)
    if tested > 1:
        found.append(f"The intervals are not corrected for testing {tested} claims at once.")
    found.append("Rules and margins were fixed before any result. Inconclusive: the interval allows both answers.")
    if collection == "synthetic" and profile in ("demo", "full") and not study.get("corpus_seed"):
        found.append(
            "Training settings were chosen on validation tracks, but not before any test: while the study was built, earlier settings were "
            "tested on the same tracks, with other verdicts on some claims. README.md lists them, and what another corpus says."
        )
    return found
