"""The frame that every page shares: navigation, title, footer, style, and the policy that keeps it off the network.

Conventions: a page is one UTF-8 HTML file with its style, scripts, pictures and sounds inside. Its
Content-Security-Policy forbids everything else, so nothing is fetched even where a cell's output asks for it.
Templates escape all that is not Markup.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from mtt.files import write_whole

log = logging.getLogger(__name__)

MAX_PAGE_BYTES = 3_000_000  # a larger page is written all the same, with a warning
SITE = "Music Tagging Transformer study"
TEMPLATES = Path(__file__).parents[1] / "templates"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:; "
    "media-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
# Without an icon of its own a page makes the browser ask its server for /favicon.ico.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath "
    "d='M2 10v3M5 6v7M8 3v10M11 7v6M14 9v4' stroke='%230072B2' stroke-width='2' stroke-linecap='round'/%3E%3C/svg%3E"
)
PROVENANCE_LABELS = {
    "profile": "Profile", "collection": "Collection", "seeds": "Seeds", "commit": "Commit", "versions": "Versions",
    "machine": "Machine", "started": "Started", "date": "Date", "seconds": "Time taken",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """One page of the study; it is written as ``<slug>.html`` beside ``index.html``."""

    number: int
    slug: str
    title: str
    question: str


@dataclass
class Heading:
    """A line of a page's contents list; ``parts`` are the h3 under an h2."""

    anchor: str
    text: str
    parts: list[Heading] = field(default_factory=list)


def render_page(
    out: Path,
    template: str = "page.html.j2",
    *,
    title: str,
    pages: Sequence[Page] = (),
    provenance: Mapping | None = None,
    **context,
) -> Path:
    """Write one page in the common frame (navigation, title, footer) and return ``out``.

    ``context`` goes to the template: for ``page.html.j2`` that is ``body`` (Markup), ``lede``, ``description``,
    ``contents`` (list of ``Heading``) and ``folded_code`` (whether the page needs the switch that shows all code).
    Everything but Markup is escaped.
    """
    out = Path(out)
    write_page(out, page_text(template, out.stem, title=title, pages=pages, provenance=provenance, **context))
    return out


def page_text(template: str, name: str, *, title: str, pages: Sequence[Page] = (), provenance: Mapping | None = None, **context) -> str:
    """The text of the page ``name``; see ``render_page``."""
    pages = list(pages)
    place = next((i for i, page in enumerate(pages) if page.slug == name), None)
    frame = {
        "site": SITE, "csp": CONTENT_SECURITY_POLICY, "icon": ICON,
        "css": _source("style.css"), "js": _source("page.js"),
        "title": title, "pages": pages, "provenance": provenance_rows(provenance or {}), "home": name == "index",
        "current": None if place is None else pages[place],
        "previous": pages[place - 1] if place else None,
        "following": pages[place + 1] if place is not None and place + 1 < len(pages) else None,
        "lede": "", "description": "", "body": "", "contents": [], "folded_code": False,
    }  # fmt: skip
    return environment().get_template(template).render(frame | context)


def write_page(out: Path, text: str) -> int:
    """Write ``text`` to ``out`` at once or not at all; returns its size in bytes.

    A page above ``MAX_PAGE_BYTES`` is written all the same, and a warning in the log names it.
    """
    data = text.encode("utf-8")
    write_whole(out, data)
    if len(data) > MAX_PAGE_BYTES:
        log.warning("%s: %.1f MB, more than the %.1f MB a page should have; shorten its sounds or drop figures",
                    out.name, len(data) / 1e6, MAX_PAGE_BYTES / 1e6)  # fmt: skip
    return len(data)


@functools.cache
def environment() -> jinja2.Environment:
    """The template environment of all pages: everything is escaped, an unknown name is an error."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def provenance_rows(provenance: Mapping) -> list[tuple[str, str]]:
    """The footer's (label, value) pairs: known keys first, in a fixed order; empty ones left out."""
    keys = [key for key in PROVENANCE_LABELS if key in provenance] + [key for key in provenance if key not in PROVENANCE_LABELS]
    rows = []
    for key in keys:
        value = provenance[key]
        if value is None or value == "" or value == [] or value == {}:
            continue
        label = PROVENANCE_LABELS.get(key, str(key).replace("_", " ").capitalize())
        rows.append((label, duration(value) if key == "seconds" else _listed(value)))
    return rows


def duration(seconds: object) -> str:
    """``4 min 12 s`` from 252; anything that is not a number is returned as text."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        return str(seconds)
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _source(name: str) -> Markup:
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))


def _listed(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
