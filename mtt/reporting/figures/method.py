"""Pictures of the method, drawn from the settings in use: how a track is made, the Transformer with its shapes, the noisy student with its
controls, C1.
"""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mtt.config import SAMPLE_RATE, StudyConfig
from mtt.models.frontend import MIN_FRAMES
from mtt.reporting.figures.draw import Picture, canvas, figure
from mtt.reporting.figures.style import BLUE, EDGE, GREEN, GREY, INK, ORANGE, text_colour

MARK = {"boxstyle": "circle,pad=0.25", "facecolor": text_colour(ORANGE), "edgecolor": "none"}  # of a control

Place = tuple[float, float, float, float]  # centre, width and height, in inches


def _sheet(title: str, height: float) -> tuple[Figure, Axes]:
    """A canvas without axes, in inches from its lower left corner."""
    sheet, ((axes,),) = canvas(title, height)
    axes.set_axis_off()
    axes.set(xlim=(0, 7.5), ylim=(0, height - 0.35))
    return sheet, axes


def _box(axes: Axes, place: Place, text: str, colour: str = EDGE) -> None:
    """A box with a heading and, below it, lines of text."""
    x, y, width, height = place
    look = {"boxstyle": "round,pad=0,rounding_size=0.06", "linewidth": 1.5, "facecolor": "#FFFFFF", "edgecolor": colour}
    axes.add_patch(FancyBboxPatch((x - width / 2, y - height / 2), width, height, **look))
    lines = text.split("\n")
    for row, line in enumerate(lines):
        weight = "bold" if row == 0 else "normal"
        axes.text(x, y + 0.16 * ((len(lines) - 1) / 2 - row), line, ha="center", va="center", fontsize=8, fontweight=weight, color=INK)


def _path(axes: Axes, points: Sequence[tuple[float, float]], text: str = "", at: tuple[float, float] = (0, 0), colour: str = INK) -> None:
    """A line through ``points`` with an arrow at its end, and ``text`` beside it."""
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.3, solid_joinstyle="miter")
    axes.annotate(
        "", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.3, "shrinkB": 0, "shrinkA": 0}
    )
    axes.text(*at, text, ha="center", va="center", fontsize=8, color=text_colour(colour))


def shapes(config: StudyConfig, tags: int) -> list[tuple[str, str]]:
    """The Transformer's stages by name, with what leaves each of them for one clip."""
    model, seconds = config.teacher, config.train.clip_seconds
    samples = round(seconds * SAMPLE_RATE)
    frames = 1 + samples // model.hop
    tokens, bands = frames // MIN_FRAMES, model.n_mels // 8
    return [
        ("waveform", f"{seconds:g} s\n{samples:,} samples"),
        ("spectrogram", f"{model.n_mels} bands ×\n{frames} frames"),
        ("3 conv blocks", f"{model.channels} channels,\n{bands} × {tokens}"),
        ("tokens + CLS", f"{tokens} + 1,\neach of {model.width}"),
        ("Transformer", f"{model.layers} layers,\n{model.heads} heads"),
        ("CLS gives tags", f"{tags} probabilities,\none each"),
    ]


@figure
def architecture(config: StudyConfig, tags: int) -> Picture:
    """The Music Tagging Transformer, left to right, with the shape of what leaves each stage."""
    sheet, axes = _sheet("The Music Tagging Transformer, and what one clip becomes in it", 1.35)
    told = _chain(axes, shapes(config, tags), 0.8)
    return Picture(sheet, f"Diagram, left to right, of the Music Tagging Transformer. {told}.")


@figure
def making(steps: Mapping[str, str]) -> Picture:
    """How a track comes to be: what is drawn at each of ``steps``, left to right."""
    lines = 1 + max(text.count("\n") + 1 for text in steps.values())
    sheet, axes = _sheet("How a track comes to be", 0.55 + 0.16 * lines + 0.15)
    told = _chain(axes, list(steps.items()), 0.16 * lines + 0.15)
    return Picture(sheet, f"Diagram, left to right, of how one track is made. {told}.")


def _chain(axes: Axes, stages: Sequence[tuple[str, str]], height: float) -> str:
    """A box for each of ``stages`` (name, text) with arrows from left to right; the same in words."""
    step = 7.5 / len(stages)
    for place, (name, text) in enumerate(stages):
        x, y, width = (place + 0.5) * step, height / 2 + 0.1, step - 0.14
        _box(axes, (x, y, width, height), f"{name}\n{text}", BLUE)
        if place:
            _path(axes, [(x - step + width / 2, y), (x - width / 2, y)])
    return "; ".join(f"{name}: {text}".replace("\n", " ") for name, text in stages)


CONTROLS = {  # what each control changes, and where in the picture
    "labels alone, as long": ("no pool: as many clips in all, each of them labelled", (1.72, 0.85)),
    "permuted pseudo-labels": ("they belong to other tracks, and must not help", (4.22, 1.35)),
    "without noise": ("the student hears the pool clean", (3.95, 0.85)),
    "oracle": ("the pool’s own labels in place of the teacher’s: what there is to gain", (3.2, 1.86)),
}


@figure
def noisy_student() -> Picture:
    """Who hears what and learns from whom, and where each control changes it."""
    sheet, axes = _sheet("A noisy student, and what its controls take away", 3.75)
    _box(axes, (0.85, 2.4, 1.4, 0.5), "labelled tracks\nwith their labels", GREY)
    _box(axes, (0.85, 1.35, 1.4, 0.5), "pool\nnobody labelled it", GREY)
    _box(axes, (3.2, 2.4, 1.3, 0.5), "teacher\nlearns first", BLUE)
    _box(axes, (3.2, 1.35, 1.3, 0.5), "pseudo-labels\nprobabilities", BLUE)
    _box(axes, (6.2, 1.87, 1.6, 0.72), "student\nhalf of each batch\nlabelled, half pool", GREEN)
    _path(axes, [(1.55, 2.4), (2.55, 2.4)], "with noise", (2.05, 2.5))
    _path(axes, [(0.85, 2.65), (0.85, 3.0), (6.2, 3.0), (6.2, 2.23)], "with noise", (5.2, 3.1))
    _path(axes, [(1.55, 1.45), (2.05, 1.45), (2.05, 2.25), (2.55, 2.25)], "clean", (1.8, 1.85), BLUE)
    _path(axes, [(3.2, 2.15), (3.2, 1.6)], colour=BLUE)
    _path(axes, [(3.85, 1.35), (4.6, 1.35), (4.6, 1.87), (5.4, 1.87)], "what the teacher said", (5.35, 1.32), BLUE)
    _path(axes, [(0.85, 1.1), (0.85, 0.85), (6.2, 0.85), (6.2, 1.51)], "with noise", (5.2, 0.95))
    for row, (name, (change, place)) in enumerate(CONTROLS.items()):
        y = 0.52 - 0.19 * row
        for x, height in (place, (0.25, y)):
            axes.text(x, height, str(row + 1), ha="center", va="center", fontsize=8, fontweight="bold", color="#FFFFFF", bbox=MARK)
        axes.text(0.45, y, name, fontsize=8, fontweight="bold", color=text_colour(ORANGE), va="center")
        axes.text(2.1, y, change, fontsize=8, color=INK, va="center")
    told = "; ".join(f"{row}, {name}: {change}" for row, (name, (change, _)) in enumerate(CONTROLS.items(), 1))
    return Picture(
        sheet, f"Diagram: a teacher learns from labels and scores the clean pool; a student learns from both, with noise. Controls: {told}."
    )


@figure
def crossover() -> Picture:
    """How C1 is measured: two models, each of which has heard one group of the test artists, score both groups."""
    sheet, axes = _sheet("What a leak is worth: two models cross over", 2.45)
    groups = {"A": (1.7, BLUE, "B"), "B": (0.55, GREEN, "A")}
    for name, (y, colour, other) in groups.items():
        _box(axes, (0.95, y, 1.6, 0.5), f"group {name}\nhalf of the test artists", GREY)
        _box(axes, (3.35, y, 1.3, 0.5), f"model {name}\nknows group {name}", colour)
        _box(axes, (6.4, y, 2.0, 0.5), f"the rest of group {name}\nscore of {name} minus score of {other}", GREY)
        _path(axes, [(1.75, y), (2.7, y)], "half its tracks", (2.2, y + 0.12))
        _path(axes, [(4.0, y), (5.4, y)], "heard these artists", (4.7, y + 0.12), colour)
        across, far = groups[other][0], 0.14 if y < 1 else -0.14
        _path(axes, [(4.0, y + far), (5.4, across - far)], colour=GREY)
    axes.text(5.0, 1.12, "never heard", ha="left", va="center", fontsize=8, color=text_colour(GREY))
    return Picture(
        sheet,
        "Diagram of how C1 is measured: the test artists are dealt into groups A and B. Each model learns from half the tracks of one "
        "group; both score the other halves of both. What a leak is worth is, within a group, the score of the model that heard it minus "
        "the other's.",
    )
