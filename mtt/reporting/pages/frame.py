"""The frame that every page shares: navigation, title, footer, style, and the policy that keeps it off the network.

Conventions: a page is one UTF-8 HTML file with its style, scripts, pictures and sounds inside. Its
Content-Security-Policy forbids everything else, so nothing is fetched even where a cell's output asks for it.
Templates escape all that is not Markup.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from mtt.data.corpus import TAGGED
from mtt.files import write_whole
from mtt.reporting.numbers import duration

SITE = "Music Tagging Transformer study"
TEMPLATES = Path(__file__).parents[1] / "templates"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
    "media-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Page:
    """One page of the study; it is written as ``<slug>.html`` beside ``index.html``."""

    number: int
    slug: str
    title: str
    question: str


def render_page(out: str | Path, template: str, **content) -> Path:
    """Write the page of ``page_text``, whole or not at all, and return ``out``."""
    return write_whole(out, page_text(template, Path(out).stem, **content))


def page_text(template: str, name: str, *, title: str, pages: Sequence[Page] = (), provenance: Mapping | None = None, **content) -> str:
    """The text of the page ``name`` in the common frame.

    ``content`` goes to the template; every page knows ``lede``, ``description`` (the lede, where no other is given), ``contents`` (anchors
    and texts of its headings).
    """
    frame = {
        "site": SITE, "csp": CONTENT_SECURITY_POLICY, "css": source("style.css"), "js": source("page.js"),
        "title": title, "pages": pages, "provenance": provenance_rows(provenance or {}), "home": name == "index", "name": name,
        "current": next((page for page in pages if page.slug == name), None),
        "badge": badge((provenance or {}).get("collection", "")),
        "plays": name == "explorer", "hero": None,
        "lede": "", "description": content.get("lede", ""), "contents": [],
    }  # fmt: skip
    return environment().get_template(template).render(frame | content)


def badge(collection: str) -> str:
    """What a reader must know of the music or its labels on every page."""
    if collection == "synthetic":
        return "composed, not recorded"
    return "labels by a tagger, not by people" if TAGGED in collection else ""


@functools.cache
def environment() -> jinja2.Environment:
    """The template environment of all pages: everything is escaped, an unknown name is an error."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined)


def source(name: str) -> Markup:
    """A style or script from the templates' folder."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def provenance_rows(provenance: Mapping) -> list[tuple[str, str]]:
    """The footer's (label, value) pairs, empty ones left out."""
    rows = []
    for key, value in provenance.items():
        if key == "seconds":
            key, value = "time taken", duration(value)
        elif isinstance(value, Mapping):
            value = [f"{name} {item}" for name, item in value.items()]
        if value:
            rows.append((key.replace("_", " ").capitalize(), ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
