"""Every figure of the study in one place: ``from mtt.reporting import figures``, then ``figures.claims_plot(entries)``.

A figure is a function that takes data (arrays, tables, mappings; never models) and gives a ``Picture``. The decorator ``@figure`` makes it
one of these: adding a figure touches only the module that it stands in, be it an old or a new one. In reading order:

``style``     colours and matplotlib settings
``draw``      ``Picture``, ``@figure`` and what figures are made of: canvases, rows of dots with intervals, lines
``method``    the Transformer with its shapes, the noisy student with its controls, how C1 is measured
``data``      a collection: artists per set, tracks per tag
``experiment``  claims over replicates, variances, models
``curves``    scarcity, the trap, pools, styles, clip lengths, what each tag gains
``scores``    tags, training, input length, calibration, missing labels
``sound``     mel spectrograms, tag curves over time, attention head by head, tests of explanations
"""

import functools
import importlib
import pkgutil


@functools.cache
def _figures() -> dict:  # read when the first is asked for: who needs a colour alone does not wait for matplotlib
    for found in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{found.name}")
    return importlib.import_module(f"{__name__}.draw").FIGURES


def __getattr__(name: str):
    if name in _figures():
        return _figures()[name]
    raise AttributeError(f"there is no figure {name!r}; there are {', '.join(sorted(_figures()))}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_figures()])
