"""The opening page of the study: what was asked, what was found, how sure, in five minutes.

Conventions: everything quoted comes from ``results.json``; a claim that the run did not test is named as such. Scores are shown with three
decimals, effects with four.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mtt.reporting import figures
from mtt.reporting.numbers import duration, signed, with_interval
from mtt.reporting.pages import tables, words
from mtt.reporting.pages.frame import SITE, Page, render_page
from mtt.reporting.pages.table import Table, shown, table
from mtt.study import recipes
from mtt.study.claims import CLAIMS, Claim
from mtt.study.evidence import NAMES

METRICS = {"roc_auc": "ROC-AUC", "pr_auc": "PR-AUC"}
FOREMOST = "student"  # the model whose explanations are told first


def render_index(results: Mapping, out: str | Path, pages: Sequence[Page]) -> Path:
    """Write the opening page and return ``out``.

    ``results`` is the content of ``results.json`` (``mtt.reporting.run.collect_results``). A page counts as part of the run if its file
    stands beside ``out``, and so does ``explorer.html``.
    """
    out, entries = Path(out), results["claims"]
    tested, told = {entry["id"]: entry for entry in entries}, results["explanations"]
    spoken = [(entry["model"] == FOREMOST, entry["sentence"]) for entry in told if entry["explanation"] != "rollout"]
    return render_page(
        out,
        "index.html.j2",
        title=SITE,
        lede=words.QUESTION,
        description=words.headline(entries),
        pages=pages,
        provenance=results["study"],
        headline=words.headline(entries),
        explorer=out.with_name("explorer.html").exists(),
        claims=[(claim, _rule(claim), tested.get(claim.id)) for claim in CLAIMS.values()],
        plot=_plot(entries) if entries else "",
        numbers=_numbers(entries),
        seeds=len(results["study"]["seeds"]),
        models=_scores(results["models"]) if results["models"] else "",
        lengths=_lengths(results["lengths"]) if results["lengths"] else "",
        sentences=[sentence for foremost, sentence in spoken if foremost],
        others=[sentence for foremost, sentence in spoken if not foremost],
        explanations=_explanations(told) if told else "",
        cards=[(page, _answer(page, results), out.with_name(f"{page.slug}.html").exists()) for page in pages],
        limits=words.limits(results["study"], entries),
    )


def _answer(page: Page, results: Mapping) -> str:
    """The verdicts on a page's claims; of a page without claims, the beginning of what it found."""
    verdicts = [f"{entry['id']} {entry['verdict']}" for entry in results["claims"] if CLAIMS[entry["id"]].page == page.slug]
    return ", ".join(verdicts) or results["findings"].get(page.slug, "").partition(". ")[0]


def _plot(entries: Sequence[Mapping]) -> Markup:
    widths = {"wide": 7.5, "narrow": 4.0}  # inches; the page shows the one that fits it
    drawn = {
        name: figures.paired_differences(tables.claims(entries), title="The claims, tested", width=width) for name, width in widths.items()
    }
    return Markup("".join(picture.svg(name) for name, picture in drawn.items()))


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
        name = Markup('{}<br><span class="about">{}</span>').format(model["name"], getattr(recipes.entry(model["name"]), "about", ""))
        rows.append((name, *scores, model["parameters"], duration(model["seconds"])))
    bold = " Bold: the best, where its interval does not touch the next one’s." if any(winners.values()) else ""
    caption = f"Scores on the test tracks with 95\u00a0% intervals, best ROC-AUC first.{bold}"
    return table(("model", *METRICS.values(), "parameters", "training"), rows, caption=caption)


def _clear_winner(models: Sequence[Mapping], metric: str) -> str | None:
    first, *others = sorted(models, key=lambda model: -model[metric])
    bounds = f"{metric}_interval"
    return first["name"] if others and first[bounds][0] > others[0][bounds][1] else None


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
        rows.setdefault(entry["model"], {})[NAMES[entry["explanation"]] if localised else "loss"] = score
    caption = " ".join(words.EXPLAINED[test].format(count) for test, count in artists.items())
    return shown(pd.DataFrame.from_dict(rows, orient="index").rename_axis("model"), caption=caption)
