"""The opening page of the study: the answer, the curves behind it, the claims, the models, and how sure all that is.

Conventions: everything quoted comes from ``results.json``, or from the reference where the page says so; a claim that the run did not
test is named as such. Scores and effects have three decimals.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from markupsafe import Markup

from mtt.findings.claims import CLAIMS, Claim
from mtt.findings.reference import reference, standing
from mtt.reporting import figures
from mtt.reporting.figures.draw import Picture
from mtt.reporting.numbers import number, signed, with_interval
from mtt.reporting.pages import remarks, tables, words
from mtt.reporting.pages.frame import SITE, Page, render_page
from mtt.reporting.pages.table import Table, table
from mtt.study.recipes import LABELLED

CURVES = ("scarcity", "trap")  # that the answer is about
FOREMOST = "student"  # the model whose explanations are told
WIDTHS = {"wide": 7.5, "narrow": 4.0}  # inches of a figure; the page shows the one that fits it


def render_index(
    results: Mapping, out: str | Path, pages: Sequence[Page], known: Mapping | None = None, hero: Mapping | None = None
) -> Path:
    """Write the opening page from the content of ``results.json``; the pages and the explorer are to stand beside ``out``.

    ``known`` are the results of the reference run (the package's by default), whose curves stand in on composed music where this run has
    none of its own. ``hero`` is a scene that plays near the top, as ``encode_scene`` gives it.
    """
    entries, own = results["claims"], results.get("curves", {})
    tested, told = {entry["id"]: entry for entry in entries}, results["explanations"]
    composed = results["study"]["collection"] == "synthetic"
    comparable = [row for row in results["models"] if row.get("learns_from", LABELLED) == LABELLED]  # of the same labels
    there = (reference() if known is None else known).get("curves", {}) if composed else {}
    curves = {name: own[name] for name in CURVES if len(own.get(name, [])) > 1}
    borrowed = {name: there[name] for name in CURVES if name not in curves and there.get(name)}
    converged = [remarks.convergence(results["convergence"])] if composed else []
    return render_page(
        out,
        "index.html.j2",
        title=SITE,
        lede=words.QUESTION,
        description=words.headline(entries),
        pages=pages,
        provenance=results["study"],
        answer=words.answer(entries, curves | borrowed, list(borrowed)),
        method=Markup(figures.noisy_student().svg(least="500px")),
        way=remarks.way(results["study"], results["models"], own.get("scarcity", [])),
        curves=list(_curves(curves, borrowed, own.get("scarcity", []))),
        claims=[(claim, *_told(tested.get(claim.id))) for claim in CLAIMS.values()],
        plot=_drawn("claims_plot", entries) if entries else "",
        numbers=_numbers(entries),
        published=_published(tested),
        budget=_drawn("variance_budget", results["variance"])
        if len(results["study"]["replicates"]) > 2 and results.get("variance")
        else "",
        models=tables.models(results["models"]) if results["models"] else "",
        models_plot=_drawn("models_plot", comparable) if comparable else "",
        sentences=[one["sentence"] for one in told if one["model"] == FOREMOST and one["explanation"] != "rollout"],
        cards=[(page, _answer(page, results)) for page in pages],
        limits=words.limits(results["study"], entries) + converged,
        hero=hero,
    )


def _told(entry: Mapping | None) -> tuple[str, str]:
    """A claim's verdict and its short sentence; empty where it was not tested."""
    return (standing(entry), words.short(entry)) if entry else ("", "")


def _published(tested: Mapping[str, Mapping]) -> Table:
    """What each claim compares, what stands beside it, and what others reported."""
    rows = []
    for claim in CLAIMS.values():
        note = tested[claim.id]["note"] if claim.id in tested else ""
        rows.append((f"{claim.id} {claim.label}", f"{claim.contrast[0].upper()}{claim.contrast[1:]}.", note or "–", claim.paper or "–"))
    return table(("claim", "measured", "beside it", "published"), rows)


def _answer(page: Page, results: Mapping) -> str:
    """How a page's claims stand; of a page without claims, the beginning of what it found, where the opening page does not say it."""
    stands = [f"{entry['id']} {standing(entry)}" for entry in results["claims"] if CLAIMS[entry["id"]].page == page.slug]
    begins = results["findings"].get(page.slug, "").partition(". ")[0]
    return ", ".join(stands) or ("" if any(one["sentence"].startswith(begins) for one in results["explanations"]) else begins)


def _curves(own: Mapping, borrowed: Mapping, points: Sequence[Mapping]) -> Iterator[tuple[str, Markup]]:
    """The pictures behind the answer, each with what it shows: of this run, or its ``points`` over the reference's."""
    if "scarcity" in own:
        yield words.scarcity(own=True), _drawn("scarcity", own["scarcity"])
    elif "scarcity" in borrowed:
        yield words.scarcity(own=False), _drawn("scarcity", points, reference=borrowed["scarcity"])
    if rows := own.get("trap") or borrowed.get("trap"):
        yield words.trap(rows, "trap" in own), _drawn("trap", rows)


def _drawn(name: str, *data: Sequence[Mapping], **options) -> Markup:
    """A figure at both widths."""
    drawn: dict[str, Picture] = {look: getattr(figures, name)(*data, width=width, **options) for look, width in WIDTHS.items()}
    return Markup("".join(picture.svg(look) for look, picture in drawn.items()))


def _numbers(entries: Sequence[Mapping]) -> Table:
    """Every effect, control and comparison, with its replicates."""
    rows = []
    for entry in entries:
        claim = CLAIMS[entry["id"]]
        about = (standing(entry), _rule(claim), number(entry["smallest_effect"]) if entry["smallest_effect"] else "–")
        rows.append((f"{claim.id} {claim.label}", *_cells(entry), *about))
        for part in ("controls", "beside"):
            rows += [(f"{claim.id} {part.rstrip('s')}: {name}", *_cells(one), "", "", "") for name, one in entry[part].items()]
    names = ("effect", "mean, 95% interval", "replicates", "SD", "stands", "rule", "smallest effect seen")
    return table(names, rows)


def _cells(one: Mapping) -> tuple[str, str, str]:
    mean = with_interval(one["effect"], *(one["interval"] or (math.nan, math.nan)), 3, sign=True)
    return mean, ", ".join(signed(value, 3) for value in one["by_replicate"]), "–" if one["sd"] is None else number(one["sd"], 4)


def _rule(claim: Claim) -> str:
    if not claim.margin:
        return claim.rule
    sign = "±" if claim.rule == "equivalence" else "−" if claim.margin < 0 else ""
    return f"{claim.rule}, margin {sign}{abs(claim.margin):g}"
