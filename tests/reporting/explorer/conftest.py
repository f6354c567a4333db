"""A browser's visit to a page, small models with the tags of the tiny collection."""

from __future__ import annotations

import dataclasses

import pytest

from mtt.models import build_model
from mtt.reporting.explorer.page import render_explorer
from tests.reporting.explorer.made import Visit, scene
from tests.tiny import TINY_MODEL

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; media-src data:"


@pytest.fixture
def visit(browser, tmp_path):
    """Opens the explorer of scenes (two by default), or a page that holds the given HTML."""
    contexts = []

    def opened(*content, width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        made, path = Visit(context.new_page()), tmp_path / "page.html"
        if content and isinstance(content[0], str):
            head = f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}"><title>Sound</title>'
            path.write_text(f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(content)}</body></html>")
        else:
            render_explorer(content or [scene(), scene("Second tune", "Other")], path)
        made.page.goto(path.as_uri())
        made.wait("[...document.querySelectorAll('audio')].every(audio => audio.readyState >= 1)")
        return made

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def models():
    """A network without attention, and two Transformers of two layers."""
    architectures = {"fcn": {"architecture": "fcn"}, "teacher": {"layers": 2}, "student": {"layers": 2}}
    made = {}
    for seed, (name, changes) in enumerate(architectures.items()):
        made[name] = build_model(dataclasses.replace(TINY_MODEL, max_positions=64, **changes), 3, seed=seed).eval()
        made[name].tags, made[name].clip_seconds = ["high", "low", "middle"], 1.0
    return made
