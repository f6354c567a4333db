"""The opening page of the study: what was asked, what was found, how sure, in five minutes.

Conventions: everything quoted comes from ``results.json``; a claim that the run did not test is named as such. Scores are shown with three
decimals, effects with four.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from mtt.findings.claims import CLAIMS, Claim
from mtt.reporting import figures
from mtt.reporting.numbers import signed, with_interval
from mtt.reporting.pages import tables, words
from mtt.reporting.pages.frame import SITE, Page, render_page
from mtt.reporting.pages.table import Table, shown, table

FOREMOST = "student"  # the model whose explanations are told first


def render_index(results: Mapping, out: str | Path, pages: Sequence[Page]) -> Path:
    """Write the opening page from the content of ``results.json``; pages and explorer count as made if they stand beside ``out``."""
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
        explorer=out.with_name("explorer.html").exists(),
        claims=[(claim, _rule(claim), tested.get(claim.id)) for claim in CLAIMS.values()],
        plot=_plot(entries) if entries else "",
        numbers=_numbers(entries),
        seeds=1,
        models=tables.models(results["models"]) if results["models"] else "",
        lengths="",
        sentences=[sentence for foremost, sentence in spoken if foremost],
        others=[sentence for foremost, sentence in spoken if not foremost],
        explanations=tables.explanations(told) if told else "",
        cards=[(page, _answer(page, results), out.with_name(f"{page.slug}.html").exists()) for page in pages],
        limits=words.limits(results["study"], entries),
    )


def _answer(page: Page, results: Mapping) -> str:
    """The verdicts on a page's claims; of a page without claims, the beginning of what it found."""
    verdicts = [f"{entry['id']} {entry['verdict']}" for entry in results["claims"] if CLAIMS[entry["id"]].page == page.slug]
    return ", ".join(verdicts) or results["findings"].get(page.slug, "").partition(". ")[0]


def _plot(entries: Sequence[Mapping]) -> Markup:
    drawn = {name: figures.claims_plot(entries) for name in ("wide", "narrow")}
    return Markup("".join(picture.svg(name) for name, picture in drawn.items()))


def _numbers(entries: Sequence[Mapping]) -> Table:
    rows = []
    for entry in entries:
        claim, effect = (
            CLAIMS[entry["id"]],
            with_interval(entry["effect"], *(entry["interval"] or (float("nan"), float("nan"))), 4, sign=True),
        )
        by_seed = ", ".join(map(signed, entry["by_replicate"])) or "–"
        sizes = entry["n_tracks"], entry["n_artists"], entry["replicates"]
        rows.append((f"{claim.id} {claim.label}", effect, claim.unit, by_seed, entry["verdict"], _rule(claim), *sizes))
    return table(("claim", "effect", "unit", "single trainings", "verdict", "rule", "tracks", "artists", "seeds"), rows)


def _rule(claim: Claim) -> str:
    if not claim.margin:
        return claim.rule
    sign = "±" if claim.rule == "equivalence" else "−" if claim.margin < 0 else ""
    return f"{claim.rule}, margin {sign}{abs(claim.margin):g}"


def _lengths(records: Sequence[Mapping]) -> Table:
    """ROC-AUC with a row per model and a column per input length."""
    scores = pd.DataFrame(records).set_index(["model", "seconds"])["roc_auc"].unstack(sort=False)
    return shown(scores.rename(columns="{:g} s".format), digits=4)
