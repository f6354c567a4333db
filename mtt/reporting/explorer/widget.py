"""The explorer inside a notebook: controls of ipywidgets choose what is computed, those of the page what is shown of it.

Conventions: the page is that of ``page`` with one scene, in a frame of its own (``srcdoc``): its keys, names and styles meet none of the
notebook's. Recordings, their tokens and all curves that were asked for are kept. Durations are in seconds.
"""

import html
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import ipywidgets
from torch import nn

from mtt.data.corpus import Corpus
from mtt.files import MttError, one_line
from mtt.reporting.explorer.choices import Choice, first_models
from mtt.reporting.explorer.page import embedded_page, encode_scene, encode_sound
from mtt.reporting.explorer.scenes import Scene, Track, corpus_track, full_title, heard_by, song_track
from mtt.reporting.explorer.song import open_song
from mtt.reporting.numbers import number
from mtt.study.replicates import Replicate
from mtt.study.workspace import Result

WINDOWS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)  # besides the models' own clip lengths
KEPT = 12  # recordings
BARELY = 0.65  # ROC-AUC on validation tracks, below which a model is said to be barely trained
HEIGHT = 760  # pixels, until the page has said how high it is
WIDE = {"style": {"description_width": "5rem"}, "layout": ipywidgets.Layout(width="min(100%, 46rem)")}
FRAME = f'<iframe title="Explorer" allow="autoplay" srcdoc="{{}}" style="display:block;width:100%;height:{HEIGHT}px;border:0"></iframe>'


class ExplorerWidget(ipywidgets.VBox):
    """A track under the curves and the attention of chosen models.

    A ``file`` (a path, or what was uploaded) goes before the ``track`` while it stands there; ``status`` says that Python is at work, or in
    one line what could not be done, and then no page stands below. ``offered`` are the tracks, each under what the control calls it. Of
    ``models`` the last is drawn most strongly; those ``shown`` are on at first; ``doubts`` are told beside them.
    """

    def __init__(
        self,
        corpus: Corpus,
        offered: Sequence[tuple[str, Choice]],
        models: Mapping[str, nn.Module],
        shown: Sequence[str],
        doubts: Sequence[str] = (),
    ) -> None:
        self.corpus, self.offered, self.models = corpus, list(offered), dict(models)
        self._uploads = TemporaryDirectory(prefix="mtt-")
        self._beside = ThreadPoolExecutor(1)
        self._opened = lru_cache(KEPT)(self._open)
        self._sound = lru_cache(KEPT)(lambda source: encode_sound(self._opened(source)))
        self._heard = lru_cache(40 * KEPT)(lambda source, name, window: heard_by(models[name], self._opened(source).recording, window))
        clips = sorted({float(model.clip_seconds) for model in self.models.values()})
        windows = [(f"{seconds:g} s", seconds) for seconds in sorted({*WINDOWS, *clips})]
        text = {"continuous_update": False, **WIDE}
        self.search = ipywidgets.Text(placeholder="part of a title or an artist, then Enter", description="Search", **text)
        self.track = ipywidgets.Dropdown(options=self.offered, description="Track", **WIDE)
        self.file = ipywidgets.Text(placeholder="or the path of a file of yours, then Enter", description="File", **text)
        self.upload = ipywidgets.FileUpload(description="Upload a file", accept="audio/*")
        self.window = ipywidgets.SelectionSlider(options=windows, value=clips[-1], description="Window", continuous_update=False, **WIDE)
        self.switches = {name: ipywidgets.Checkbox(value=name in shown, description=name, indent=False) for name in self.models}
        self.status, self.stage = ipywidgets.HTML(), ipywidgets.HTML(layout=ipywidgets.Layout(min_height=f"{HEIGHT}px"))
        boxes = ipywidgets.HBox(list(self.switches.values()), layout=ipywidgets.Layout(flex_flow="row wrap"))
        told = ipywidgets.HTML("".join(f"<p>{html.escape(doubt)}</p>" for doubt in doubts))
        super().__init__([self.search, self.track, self.file, self.upload, self.window, boxes, told, self.status, self.stage])
        self.search.observe(self._searched, names="value")
        self.upload.observe(self._uploaded, names="value")
        for control in (self.track, self.file, self.window, *self.switches.values()):
            control.observe(self._changed, names="value")
        self._changed({"owner": None})

    def _changed(self, change: Mapping) -> None:
        if change["owner"] is self.track and self.file.value:
            self.file.value = ""  # which comes back here
            return
        self.status.value = '<p role="status">Listening …</p>'
        try:
            page = self._page()
        except (MttError, OSError) as error:
            self.stage.value, self.status.value = "", f'<p role="alert">{html.escape(one_line(error))}</p>'
        else:
            self.stage.value, self.status.value = FRAME.format(html.escape(page)), ""

    def _searched(self, change: Mapping) -> None:
        """Offer the tracks whose names hold these words, and open the first; all where there is no such track."""
        words = change["new"].casefold().split()
        found = [one for one in self.offered if all(word in one[0].casefold() for word in words)]
        self.status.value = ""
        self.track.options = found or self.offered
        if not found:
            self.status.value = f'<p role="alert">no track has “{html.escape(change["new"])}” in its name; all are offered</p>'

    def _uploaded(self, change: Mapping) -> None:
        for given in change["new"][-1:]:
            path = Path(mkdtemp(dir=self._uploads.name), Path(given["name"]).name)  # the same name may come again with another sound
            path.write_bytes(given["content"])
            self.file.value = str(path)

    def _page(self) -> str:
        """The page of what the controls ask for. Raises ``MttError`` for what cannot be shown."""
        names = [name for name, switch in self.switches.items() if switch.value]
        if not names:
            raise MttError("no model is switched on; choose at least one")
        source = self.file.value.strip() or self.track.value
        scene = Scene(self._opened(source), {name: self._heard(source, name, self.window.value) for name in names})
        return embedded_page(encode_scene(scene, self._sound(source)))

    def _open(self, source: str | Choice) -> Track:
        """A file or a track of the corpus."""
        if isinstance(source, str):
            return song_track(open_song(Path(source).expanduser(), self._beside))
        return corpus_track(self.corpus, *source)


def explore(replicate: Replicate, results: Mapping[str, Result], choices: Sequence[Choice], shown: Sequence[str]) -> ExplorerWidget:
    """The widget over the test tracks of the first replicate, those of ``choices`` first."""
    tracks = replicate.corpus.tracks.loc[replicate.ids("test")]
    names = {track_id: full_title(row["artist"], row["title"] or str(track_id)) for track_id, row in tracks.iterrows()}
    chosen = [(f"{choice.note.split(':')[0]}: {names.pop(choice.track_id)}", choice) for choice in choices]
    others = sorted((name, Choice(track_id, "")) for track_id, name in names.items())
    scores = {name: result.first.metrics["valid"]["roc_auc"] for name, result in results.items()}
    text = "{} is barely trained: its ROC-AUC on validation tracks is {}, where chance is 0.5. What it shows here says little."
    doubts = [text.format(name, number(score, 2)) for name, score in scores.items() if score < BARELY]
    return ExplorerWidget(replicate.corpus, chosen + others, first_models(results), shown, doubts)
