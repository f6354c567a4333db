"""The opening page of the study: what was asked, what was found, how sure, in five minutes.

Conventions: everything quoted comes from ``results.json``; a claim that the run did not test is named as such. Scores are shown with three
decimals, effects with four.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mtt.reporting import figures
from mtt.reporting.pages import tables
from mtt.reporting.pages.frame import SITE, Page, duration, render_page
from mtt.reporting.pages.table import Table, shown, signed, table, with_interval
from mtt.study.claims import CLAIMS, Claim, is_torn
from mtt.study.recipes import ABOUT

METRICS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}
FOREMOST = "student"  # the model whose explanations are told first


def render_index(results: Mapping, out: str | Path, pages: Sequence[Page]) -> Path:
    """Write the opening page and return ``out``.

    ``results`` is the content of ``results.json`` (``mtt.reporting.run.collect_results``). A page counts as part of the run if its file
    stands beside ``out``, and so does ``explorer.html``.
    """
    out, entries = Path(out), results["claims"]
    tested, told = {entry["id"]: entry for entry in entries}, results["explanations"]
    spoken = [(entry["model"] == FOREMOST, entry["sentence"]) for entry in told if entry["explanation"] != "attention rollout"]
    return render_page(
        out,
        "index.html.j2",
        title=SITE,
        lede=QUESTION,
        description=headline(entries),
        pages=pages,
        provenance=results["study"],
        headline=headline(entries),
        explorer=out.with_name("explorer.html").exists(),
        claims=[_told(claim, tested.get(claim.id)) for claim in CLAIMS.values()],
        plot=_plot(entries) if entries else "",
        numbers=_numbers(entries),
        seeds=len(results["study"]["seeds"]),
        words=WORDS,
        models=_scores(results["models"]) if results["models"] else "",
        lengths=_lengths(results["lengths"]) if results["lengths"] else "",
        sentences=[sentence for foremost, sentence in spoken if foremost],
        others=[sentence for foremost, sentence in spoken if not foremost],
        explanations=_explanations(told) if told else "",
        cards=[(page, results["findings"].get(page.slug, ""), out.with_name(f"{page.slug}.html").exists()) for page in pages],
        limits=limits(results["study"], entries),
    )


def _told(claim: Claim, entry: Mapping | None) -> dict:
    """What the page says of a claim; ``figures`` only of one that was tested."""
    if entry is None:
        return {"claim": claim, "verdict": NOT_TESTED, "glyph": "untested", "said": "", "figures": ""}
    measured = with_interval(entry["effect"], *entry["interval"], 4, sign=True)
    contrast = claim.contrast[0].upper() + claim.contrast[1:]
    judged = f"{contrast}: {measured} {claim.unit}; rule: {_rule(claim)}."
    said = f"{entry['sentence']} {entry['note']}".strip()
    return {"claim": claim, "verdict": entry["verdict"], "glyph": entry["verdict"], "said": said, "figures": judged}


def _plot(entries: Sequence[Mapping]) -> Markup:
    rows = tables.claims(entries).set_axis([f"{entry['id']} {CLAIMS[entry['id']].label}" for entry in entries])
    return Markup(figures.paired_differences(rows, title="The claims, tested")._repr_html_())


def _numbers(entries: Sequence[Mapping]) -> Table:
    rows = []
    for entry in entries:
        claim, effect = CLAIMS[entry["id"]], with_interval(entry["effect"], *entry["interval"], 4, sign=True)
        by_seed = ", ".join(map(signed, entry["by_seed"])) or "–"
        sizes = entry["n_tracks"], entry["n_artists"], entry["seeds"]
        rows.append((f"{claim.id} {claim.label}", effect, claim.unit, by_seed, entry["verdict"], _rule(claim), *sizes))
    return table(("claim", "effect", "unit", "single trainings", "verdict", "rule", "tracks", "artists", "seeds"), rows)


def _rule(claim: Claim) -> str:
    if not claim.margin:
        return claim.rule
    sign = "±" if claim.rule == "equivalence" else "−" if claim.margin < 0 else ""
    return f"{claim.rule}, margin {sign}{abs(claim.margin):g}"


def _scores(models: Sequence[Mapping]) -> Table:
    """The models, best ROC-AUC first; a score is bold if its interval does not touch the runner-up's."""
    models = sorted(models, key=lambda model: -model["roc_auc"])
    winners = {metric: _clear_winner(models, metric) for metric in METRICS}
    rows = []
    for model in models:
        scores = []
        for metric in METRICS:
            score = with_interval(model[metric], *model[f"{metric}_interval"])
            scores.append(Markup("<b>{}</b>").format(score) if model["name"] == winners[metric] else score)
        name = Markup('{}<br><span class="about">{}</span>').format(model["name"], _about(model["name"]))
        rows.append((name, *scores, model["parameters"], duration(model["seconds"])))
    bold = " Bold: the best, where its interval does not touch the next one’s." if any(winners.values()) else ""
    caption = f"Scores on the test tracks with 95\u00a0% intervals, best ROC-AUC first.{bold}"
    return table(("model", *METRICS.values(), "parameters", "training"), rows, caption=caption)


def _clear_winner(models: Sequence[Mapping], metric: str) -> str | None:
    first, *others = sorted(models, key=lambda model: -model[metric])
    bounds = f"{metric}_interval"
    return first["name"] if others and first[bounds][0] > others[0][bounds][1] else None


def _about(name: str) -> str:
    """What a model of the study is; nothing for another name."""
    generation = name.removeprefix("student-")
    return f"generation {generation}: the student of the one before" if generation.isdecimal() else ABOUT.get(name, "")


def _lengths(records: Sequence[Mapping]) -> Table:
    """ROC-AUC with a row per model and a column per input length."""
    scores = pd.DataFrame(records).set_index(["model", "seconds"])["roc_auc"].unstack(sort=False)
    return shown(scores.rename(columns="{:g} s".format), digits=4)


def _explanations(entries: Sequence[Mapping]) -> Table:
    """Localisation of each explanation, and what the deletion test found, with a row per model."""
    rows: dict[str, dict[str, str]] = {}
    artists = {entry["test"]: entry["n_artists"] for entry in entries}
    for entry in entries:
        localised = entry["test"] == "localisation"
        low, high = entry["interval"] or (math.nan, math.nan)
        score = with_interval(entry["effect"], low, high, 3 if localised else 4, sign=not localised)
        rows.setdefault(entry["model"], {})[entry["explanation"] if localised else "loss"] = score
    caption = " ".join(EXPLAINED[test].format(count) for test, count in artists.items())
    return shown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("model"), caption=caption)


# --- In words ---

QUESTION = "Does the semi-supervised Music Tagging Transformer do what its paper says?"
NOT_TESTED = "not tested in this run"
EXPLAINED = {  # tests of explanations
    "localisation": "ROC-AUC of a curve within a track against the moments when an instrument plays, mean over tags; chance is 0.5; "
    "95\u00a0% intervals over {} test artists.",
    "deletion": "Loss: how much more the true tags lose in probability without the frames that a model attends to most than without "
    "random ones; 95\u00a0% intervals over {} test artists.",
}
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


def headline(entries: Sequence[Mapping]) -> str:
    """The verdicts counted in one sentence."""
    if not entries:
        return f"None of {len(CLAIMS)} claims was tested in this run."
    counts = Counter(entry["verdict"] for entry in entries) + Counter({"not tested": len(CLAIMS) - len(entries)})
    order = ("supported", "contradicted", "inconclusive", "not tested")
    parts = [f"{counts[verdict]}\u00a0{verdict}" for verdict in order if counts[verdict]]
    return f"Of {len(CLAIMS)} claims, {', '.join(parts)} in this run."


def limits(study: Mapping, entries: Sequence[Mapping]) -> list[str]:
    """What a reader must know to weigh the verdicts, from what the run says about itself."""
    collection, profile, count = study["collection"], study["profile"], len(study["seeds"])
    found = []
    if collection == "synthetic":
        found.append(
            "The music is synthetic: an embedded corpus whose artists, tags and missing labels are known exactly. "
            "It shows how the method behaves at small scale, not how well it tags real recordings; its scores cannot "
            "be set beside the paper’s. Tests count against the true tags, which training never sees."
        )
    else:
        found.append(f"The collection is {collection}. The verdicts hold for it and need not hold for other music.")
    found.append(f"The profile is {profile}: it sets the sizes of models and training, and with them every score.")
    if count == 1:
        found.append("One seed: the intervals hold the spread between artists, not the spread between trainings.")
    else:
        found.append(f"Differences are averaged over {count} seeds; the intervals hold the spread between artists, not between trainings.")
        torn = [entry["id"] for entry in entries if is_torn(CLAIMS[entry["id"]], entry["by_seed"])]
        if torn:
            border = "what each of these claims is" if len(torn) > 1 else "what this claim is"
            found.append(f"{', '.join(torn)}: single trainings fall on both sides of {border} compared with; more seeds may turn it.")
    found.append(
        "Intervals are 95 % intervals from an artist-clustered bootstrap of paired differences on the same test "
        "tracks: whole artists are drawn, since tracks of one artist resemble each other."
    )
    if len(entries) > 1:
        found.append(f"The intervals are not corrected for testing {len(entries)} claims at once.")
    found.append("Rules and margins were fixed before any result. Inconclusive: the interval allows both answers.")
    if collection == "synthetic" and profile in ("demo", "full") and not study.get("corpus_seed"):
        found.append(
            "Training settings were chosen on validation tracks, but not before any test: while the study was built, earlier settings were "
            "tested on the same tracks, with other verdicts on some claims. README.md lists them, and what another corpus says."
        )
    return found
