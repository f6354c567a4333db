"""What the package knows beforehand: the full run's effects, which new replicates are held against, and what tuning corpora showed.

Conventions: ``reference.json`` holds ``study``, ``claims``, ``curves`` and ``models`` of the committed full run's results.json;
``tuning.json`` what ``mtt.findings.tuning`` wrote, ``anchor.json`` what ``mtt.findings.anchor`` did on a GPU. All are made by the program;
no number in them is edited.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from mtt.config import FULL, StudyConfig
from mtt.evaluation.replicates import over_replicates, prediction
from mtt.files import MttError, read_json, write_whole
from mtt.settings import to_dict

FOLDER = Path(__file__).parent
CONVERGED, GAINING, LOSING = "converged", "not converged", "past its best"
# The settings that convergence follows from.
LEARNING = ("collection", "corpus", "labelled_artists", "exposure", "teacher", "init_from", "train")


@cache
def reference() -> dict:
    """The full run's results; empty before there is one."""
    return read_json(FOLDER / "reference.json") or {}


@cache
def tuning() -> dict:
    """``convergence`` and ``power`` as found on tuning corpora; empty before they were looked at."""
    return read_json(FOLDER / "tuning.json") or {}


def convergence(config: StudyConfig) -> list[dict]:
    """What twice the exposure changed on tuning corpora (``mtt.findings.tuning``), each row with its ``state``: by the margin, is more
    of use, of no use, or harmful? No rows where models learn otherwise in ``config``.
    """
    known, asked = tuning(), to_dict(config)
    if not known or any(known["settings"][key] != asked[key] for key in LEARNING):
        return []
    changes = [(row, row["change"] / row["margin"]) for row in known["convergence"]]
    return [row | {"state": GAINING if change >= 1 else LOSING if change <= -1 else CONVERGED} for row, change in changes]


@cache
def scale_anchor() -> dict:
    """What models of nearly the published size showed (``mtt.findings.anchor``); empty before any were trained."""
    return read_json(FOLDER / "anchor.json") or {}


def keep_reference(results: str | Path) -> Path:
    """Make the results.json of a full run on composed music the reference. Raises ``MttError`` for another file."""
    found = read_json(Path(results))
    about = found.get("study") if isinstance(found, dict) else None
    if not isinstance(about, dict) or (about.get("profile"), about.get("collection")) != ("full", "synthetic"):
        raise MttError(f"{results}: is no results.json of --profile full on the embedded corpus; the reference is such a run")
    kept = {name: found[name] for name in ("study", "claims", "curves", "models")}
    text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))  # for programs: one line
    return write_whole(FOLDER / "reference.json", f"{text}\n")


def compare(config: StudyConfig, claim: str, values: Sequence[float], settings: Sequence[str] = ()) -> dict | None:
    """A claim's effects beside the reference: its effect there, the interval for one new replicate, and which of ``values`` lie in it.

    None for a run that is judged by itself: the full run, one whose models learn otherwise (a collection is one), and one that measures
    something else since ``settings`` are others.
    """
    known = next((one for one in reference().get("claims", []) if one["id"] == claim), None)
    same = all(getattr(config, name) == getattr(FULL, name) for name in (*LEARNING, *settings))
    if config.profile != "demo" or not same or known is None or len(known["by_replicate"]) < 2:
        return None
    low, high = prediction(over_replicates(known["by_replicate"]))
    kept = {name: known[name] for name in ("effect", "interval", "sd", "verdict", "by_replicate")}
    return kept | {"prediction": [low, high], "agrees": [bool(low <= value <= high) for value in values]}


def agreement(entries: Sequence[Mapping]) -> tuple[int, int]:
    """Of so many entries that have a reference, how many have all their replicates within its prediction: (agree, compared)."""
    compared = [standing(one) for one in entries if one["reference"]]
    return compared.count("agrees"), len(compared)


def standing(entry: Mapping) -> str:
    """What an entry says of its claim: whether all its replicates agree with the reference, where it has one, else its verdict."""
    known = entry["reference"]
    return entry["verdict"] if not known else "agrees" if all(known["agrees"]) else "differs"
