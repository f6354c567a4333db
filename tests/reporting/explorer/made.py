"""What the tests of players and the explorer share: sounds, pictures, scenes, and a visit to a page."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from mtt.config import SAMPLE_RATE
from mtt.explain.attention import AttentionCurves
from mtt.explain.curves import TagCurves
from mtt.explain.recording import Recording
from mtt.reporting.explorer.scenes import Heard, Scene, Track
from mtt.reporting.figures.draw import Picture, canvas, time_axis

SECONDS = 8.0
TAGS = ["piano", "drums", "jazz", "rock", "sad", "fast"]


def noise(seconds, seed=0):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * SAMPLE_RATE))).astype(np.float32)


def tune(hertz=220.0, seconds=SECONDS):
    return (0.2 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)).astype(np.float32)


def timeline(seconds=SECONDS):
    """A picture of the piano's second and of the flute after it."""
    sheet, axes = canvas("Who plays", 1.6)
    axes[0, 0].broken_barh([(0, 1)], (0, 0.8))
    axes[0, 0].broken_barh([(1, seconds - 1)], (1, 0.8))
    time_axis(axes[0, 0], seconds)
    return Picture(sheet, "piano from 0 to 1 s, then a flute")


def attention(frames, layers, heads, seed=0):
    random = np.random.default_rng(seed)
    cls = 3 * random.random((layers, heads, len(frames)))
    return AttentionCurves(frames, cls, random.random(len(frames)), cls[-1].mean(axis=0))


def scene(title="First tune", artist="Somebody", wave=None, attends=True, **known):
    """The teacher hears piano at 0.25 all along; the student's probability of it rises from 0 at 0 s to 1 at 8 s."""
    times, frames = np.arange(0, 8.5, 0.5), np.arange(0.05, 8, 0.1)
    teacher = np.tile([0.25, 0.8, 0.7, 0.6, 0.1, 0.05], (len(times), 1))
    student = np.column_stack([times / 8, teacher[:, 1:]])
    heard = {}
    for name, values in (("teacher", teacher), ("student", student)):
        heard[name] = Heard(TagCurves(times, values, TAGS, 3.0, 0.5), attention(frames, 2, 4) if attends else None)
    truth = {"piano": [(4.0, 8.0)], "drums": [(0.0, 8.0)], "sad": []}
    known = {"labels": ["drums"], "true_labels": ["piano", "drums"], "truth": truth, "note": "A clear success: it is a tune."} | known
    return Scene(Track(Recording(tune() if wave is None else wave), title, artist, **known), heard)


def scene_of_curves(curves, seconds=3.0, **known):
    """A scene of noise with these curves by model: {tag: probability} at one moment."""
    made = {
        name: Heard(TagCurves(np.array([1.5]), np.array([list(values.values())]), list(values), 3.0, 0.5))
        for name, values in curves.items()
    }
    return Scene(Track(Recording(noise(seconds)), **({"title": "Any"} | known)), made)


def page_data(text):
    """The scenes that a page holds."""
    return json.loads(re.search(r'<script type="application/json" id="scenes">(.*?)</script>', text, re.DOTALL)[1])


class Visit:
    """A page in the browser: ``elsewhere`` is what it asked for and does not hold itself, ``complaints`` what its console said."""

    def __init__(self, page):
        self.page, self.elsewhere, self.complaints = page, [], []
        page.on("request", lambda request: self._asked(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url):
        if not url.startswith(("data:", "file:", "blob:null/")):
            self.elsewhere.append(url)

    @property
    def quiet(self):
        return (self.elsewhere, self.complaints) == ([], [])

    def wait(self, expression, argument=None, within=None):
        """Playwright's own waiting needs eval, which the pages' policy forbids."""
        for _ in range(1500):
            if (within or self.page).evaluate(expression, argument):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"never true: {expression}")

    def seek(self, seconds, place=0):
        script = """([seconds, place]) => new Promise(done => { const audio = document.querySelectorAll('audio')[place];
            audio.addEventListener('seeked', () => requestAnimationFrame(done), {once: true}); audio.currentTime = seconds; })"""
        self.page.evaluate(script, [seconds, place])

    def now(self, place=0):
        return self.page.evaluate("place => document.querySelectorAll('audio')[place].currentTime", place)

    def paused(self):
        return self.page.evaluate("document.querySelector('audio').paused")

    def fits(self):
        return self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
