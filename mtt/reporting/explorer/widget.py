"""The explorer inside a notebook: controls of ipywidgets choose what is computed, those of the page what is shown of it.

Conventions: the page is that of ``page`` with one scene, in a frame of its own (``srcdoc``), so that its keys, names and
styles meet nothing of the notebook's; a page that takes another's place goes on at the same moment, with the same tags and the same view.
Recordings, their tokens and all curves that were asked for are kept, so that only what is new is computed. Durations are in seconds.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import ipywidgets
from torch import nn

from mtt.config import SAMPLE_RATE
from mtt.data.corpus import Corpus
from mtt.explain.attention import AttentionCurves, attention_curves
from mtt.explain.curves import TagCurves, tag_curves
from mtt.explain.recording import Recording
from mtt.models.transformer import MusicTaggingTransformer
from mtt.reporting.explorer.page import LONGEST, embedded_page, encode_scene, encode_sound
from mtt.reporting.explorer.scenes import Choice, Scene, known_of
from mtt.reporting.pages.frame import duration
from mtt.study.workspace import Result, Study

HOP = 0.5
WINDOWS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)  # besides the models' own clip lengths
KEPT = 12  # recordings
HEIGHT = 760  # pixels, until the page has said how high it is
WIDE = {"style": {"description_width": "5rem"}, "layout": ipywidgets.Layout(width="min(100%, 46rem)")}


class ExplorerWidget(ipywidgets.VBox):
    """A track under the curves and the attention of chosen models.

    ``track``, ``file`` (a path; it goes before the track while it stands there), ``window`` and ``switches`` (a check box for each model)
    are the controls; ``stage`` holds the page and ``status`` says what could not be done, in one line.

    Args:
        corpus: where the tracks are from.
        choices: what is offered: a label and a track_id each.
        models: by name; the last one is drawn most strongly.
        shown: the models that are switched on at first; all if None.
        about: the note and the tags that it is about, for the tracks that have one.
    """

    def __init__(
        self,
        corpus: Corpus,
        choices: Sequence[tuple[str, str]],
        models: Mapping[str, nn.Module],
        shown: Sequence[str] | None = None,
        about: Mapping[str, tuple[str, Sequence[str]]] | None = None,
    ) -> None:
        if not models or not choices:
            raise ValueError("widget: nothing to explore; give at least one track and one model")
        self.corpus, self.models, self.about = corpus, dict(models), dict(about or {})
        self.key = uuid.uuid4().hex
        self._opened, self._heard = lru_cache(KEPT)(self._open), lru_cache(40 * KEPT)(self._hear)
        clips = sorted({float(model.clip_seconds) for model in self.models.values()})
        self.track = ipywidgets.Dropdown(options=list(choices), description="Track", **WIDE)
        self.file = ipywidgets.Text(
            placeholder="or the path of a file of yours, then Enter", description="File", continuous_update=False, **WIDE
        )
        windows = [(f"{seconds:g} s", seconds) for seconds in sorted({*WINDOWS, *clips})]
        self.window = ipywidgets.SelectionSlider(options=windows, value=clips[-1], description="Window", continuous_update=False, **WIDE)
        on = self.models if shown is None else shown
        self.switches = {name: ipywidgets.Checkbox(value=name in on, description=name, indent=False) for name in self.models}
        self.status, self.stage = ipywidgets.HTML(), ipywidgets.HTML(layout=ipywidgets.Layout(min_height=f"{HEIGHT}px"))
        boxes = ipywidgets.HBox(list(self.switches.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        super().__init__([self.track, self.file, self.window, boxes, self.status, self.stage])
        for control in (self.track, self.file, self.window, *self.switches.values()):
            control.observe(self._changed, names="value")
        self._changed({"owner": None})

    def scene(self) -> Scene:
        """What the controls ask for. Raises ``AudioError`` or ``ValueError`` for what cannot be shown."""
        source, names = self._source(), [name for name, switch in self.switches.items() if switch.value]
        if not names:
            raise ValueError("no model is switched on; choose at least one")
        recording, fields, _ = self._opened(*source)
        heard = {name: self._heard(*source, name, self.window.value) for name in names}
        return Scene(
            wave=recording.read(),
            sample_rate=SAMPLE_RATE,
            curves={name: curves for name, (curves, _) in heard.items()},
            attention={name: attention for name, (_, attention) in heard.items() if attention is not None},
            **fields,
        )

    def _source(self) -> tuple[str, str]:
        path = self.file.value.strip()
        return ("file", path) if path else ("track", self.track.value)

    def _changed(self, change: Mapping) -> None:
        if change["owner"] is self.track and self.file.value:
            self.file.value = ""  # which comes back here
            return
        try:
            page = embedded_page(encode_scene(self.scene(), self._opened(*self._source())[2]), self.key)
        except (OSError, ValueError) as error:  # the page that is there stays
            self.status.value = f'<p role="alert">{html.escape(" ".join(str(error).split()))}</p>'
            return
        self.status.value = ""
        self.stage.value = (
            f'<iframe title="Explorer" allow="autoplay" srcdoc="{html.escape(page)}" '
            f'style="display:block;width:100%;height:{HEIGHT}px;border:0"></iframe>'
        )

    def _open(self, kind: str, name: str) -> tuple[Recording, dict, dict]:
        """A recording, what is known of it as fields of a scene, and its sound and spectrogram as the page wants them."""
        if kind == "track":
            recording, fields = Recording(self.corpus.read(name)), known_of(self.corpus, name, *self.about.get(name, ("", ())))
        else:
            path = Path(name).expanduser()
            whole = Recording(path)
            recording = Recording(whole.read(0, round(LONGEST * SAMPLE_RATE)))
            note = "" if whole.seconds <= LONGEST else f"The first {duration(LONGEST)} of {duration(whole.seconds)}."
            fields = {"title": path.name, "artist": "", "note": note}
        return recording, fields, encode_sound(recording.read(), SAMPLE_RATE)

    def _hear(self, kind: str, source: str, name: str, window: float) -> tuple[TagCurves, AttentionCurves | None]:
        recording, model = self._opened(kind, source)[0], self.models[name]
        curves = tag_curves(model, recording, window, HOP)
        attends = isinstance(model, MusicTaggingTransformer)
        return curves, attention_curves(model, recording, window, HOP) if attends else None


def explore(
    study: Study, results: Mapping[str, Result], choices: Sequence[Choice] = (), shown: Sequence[str] | None = None
) -> ExplorerWidget:
    """The widget over the study's test tracks, those of ``choices`` first, for the first seed's models of ``results``."""
    corpus, about = study.corpus, {track_id: (note, tags) for track_id, note, tags in choices}
    ids = [*about, *(track_id for track_id in study.ids("test") if track_id not in about)]
    tracks = corpus.tracks.loc[ids]
    names = [" – ".join(filter(None, (row.artist, row.title or str(row.Index)))) for row in tracks.itertuples()]
    labels = [
        f"{about[track_id][0].split(':')[0]}: {name}" if track_id in about else name for track_id, name in zip(ids, names, strict=True)
    ]
    order = sorted(range(len(ids)), key=lambda place: (place >= len(about), "" if place < len(about) else labels[place]))
    models = {name: result.stages[0].load_model() for name, result in results.items()}
    return ExplorerWidget(corpus, [(labels[place], ids[place]) for place in order], models, shown, about)
