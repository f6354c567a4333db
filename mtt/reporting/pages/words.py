"""Every sentence that pages print, worded by the numbers that it quotes: of claims, then in the order of the pages.

Conventions: a function takes numbers (entries of results.json, tables, settings) and gives plain text or Markdown; scores are macro
ROC-AUC, a difference is shown as "effect [lo, hi]" with its 95% interval. What there is nothing to say of is "".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mtt.config import StudyConfig
from mtt.data.corpus import Corpus
from mtt.explain.attention import AttentionMaps
from mtt.findings.claims import CLAIMS, VERDICTS
from mtt.findings.evidence import CHANCE, NAMES, Evidence
from mtt.findings.pseudo_labels import PseudoLabels
from mtt.reporting.numbers import counted, interval, joined, number, signed, with_interval
from mtt.study.recipes import LINEUP
from mtt.study.workspace import Study

DIGITS, MOST_DIGITS = 3, 6  # decimals of a quoted figure: more than 3 where rounding would move it onto a border
LITTLE = next(claim for claim in CLAIMS.values() if claim.rule == "equivalence")  # whose margin says which change is little
WEAK = 0.6  # ROC-AUC below which a score that is surely above chance is called weak; so is one above 0.4 that is surely below
QUESTION = "Does the semi-supervised Music Tagging Transformer do what its paper says?"
EXPLAINED = {  # tests of explanations
    "localisation": "ROC-AUC of a curve within a track against the moments when an instrument plays, mean over tags; chance is 0.5; "
    "95\u00a0% intervals over {} test artists.",
    "deletion": "Loss: how much more the true tags lose in probability without the frames that a model attends to most than without "
    "random ones; 95\u00a0% intervals over {} test artists.",
}
SYNTHETIC = (
    "The music is synthetic: an embedded corpus whose artists, tags and missing labels are known exactly. It shows how the method behaves "
    "at small scale, not how well it tags real recordings; its scores cannot be set beside the paper’s. Tests count against the true tags, "
    "which training never sees."
)
INTERVALS = (
    "Intervals are 95 % intervals from an artist-clustered bootstrap of paired differences on the same test tracks: whole artists are "
    "drawn, since tracks of one artist resemble each other."
)
EARLIER = (
    "Training settings were chosen on validation tracks, but not before any test: while the study was built, earlier settings were tested "
    "on the same tracks, with other verdicts on some claims. README.md lists them, and what another corpus says."
)


def claim(entry: Mapping) -> str:
    """A sentence that reports an entry of results.json, worded by its verdict; it names single trainings that disagree."""
    known, (lo, hi), effect = CLAIMS[entry["id"]], entry["interval"], entry["effect"]
    digits = _decimals((effect, lo, hi), (0.0, *known.borders))
    text = known.wording[entry["verdict"]].format(
        effect=signed(effect, digits), size=number(effect, digits), margin=f"{abs(known.margin):g}", versus=entry["versus"]
    )
    bounds = f"95% interval {number(lo, digits)} to {number(hi, digits)}"
    size = f"{counted(entry['n_tracks'], 'track')} of {counted(entry['n_artists'], 'artist')}, {counted(entry['seeds'], 'seed')}"
    said = f"{entry['verdict'].capitalize()}: {known.subject} {text} ({bounds}; {size})."
    if not known.is_torn(entry["by_seed"]):
        return said
    digits = _decimals(entry["by_seed"], (0.0, *known.borders))
    return f"{said} Single trainings disagree: {', '.join(signed(one, digits) for one in entry['by_seed'])}."


def _decimals(values: Sequence[float], borders: Sequence[float], fewest: int = DIGITS) -> int:
    """Fewest decimals, up to MOST_DIGITS, that leave every value on its side of every border."""
    sides = np.sign(np.subtract.outer(values, borders))
    for digits in range(fewest, MOST_DIGITS):
        if (np.sign(np.subtract.outer([round(value, digits) for value in values], borders)) == sides).all():
            return digits
    return MOST_DIGITS


def note(entry: Mapping) -> str:
    """What a reader must know beside a verdict; it follows the claim's sentence."""
    said, beside = [], entry["beside"]
    if "leaked_share" in beside:
        share = f"{beside['leaked_share']:.0%} of the test tracks are by such an artist"
        said.append(f"Here every test artist was heard in training, the most that a split can leak; in a split of random tracks {share}.")
    if beside.get("others"):
        said.append(f"Against the other baselines the difference is {_differences(beside['others'])}.")
    if "one_step" in beside and beside["one_step"]["models"]:
        said.append(_one_step(**beside["one_step"]))
    if "controls" in beside:
        said.append(_controls(beside["controls"], entry))
    if "slopes" in beside:
        changes = (f"{name} {with_interval(*one, digits=4, sign=True)}" for name, one in beside["slopes"].items())
        said.append(f"Change per doubling of the length: {', '.join(changes)}.")
    return " ".join(said)


def finding(entries: Sequence[Mapping]) -> str:
    """The claims of a page in one paragraph; their notes stand where the page measures them."""
    unanswered = "What a leak is worth cannot be measured here: it needs four test artists with two tracks each."
    return " ".join(map(claim, entries)) or unanswered


def _one_step(models: Sequence[str], clip: float) -> str:
    verb = "has" if len(models) == 1 else "have"
    text = f"After their convolutions {joined(models)} {verb} a single step in time left of a clip of {clip:g} s."
    if "crnn" in models:
        text += " The CRNN's recurrence then has nothing to follow: here it is tested as a CNN."
    return f"{text} Their layouts are those of their papers, made for longer input, and were not tuned to this one."


def _controls(differences: Mapping, entry: Mapping) -> str:
    """The student minus each control, and what that says of where its score comes from."""
    helps = [LINEUP[name].shows for name, (_, lo, _) in differences.items() if lo > 0]
    rest = [LINEUP[name].shows for name in differences if LINEUP[name].shows not in helps]
    little = 0 < entry["interval"][0] and entry["effect"] < LITTLE.margin
    text = f"The difference is below the {LITTLE.margin:g} that {LITTLE.id} calls little. " if little else ""
    text += f"The student minus its controls: {_differences({LINEUP[name].about: one for name, one in differences.items()})}."
    shown = [f"{joined(helps)} {'helps' if len(helps) == 1 else 'help'} here"] if helps else []
    doubt = [f"it is not shown that {joined(rest, 'or')} {'helps' if len(rest) == 1 else 'help'}"] if rest else []
    return f"{text} So {'; '.join(shown + doubt)}{'' if shown else ' here'}."


def _differences(found: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(f"{with_interval(*one, sign=True)} ({name})" for name, one in found.items())


def collection(corpus: Corpus, summary: pd.DataFrame, missing: pd.DataFrame) -> str:
    """One sentence on size, labels and flaws, from ``tables.corpus_summary`` and ``tables.missing_labels``."""
    text = (
        f"{summary.at['labelled', 'tracks']:,} labelled tracks of {summary.at['labelled', 'artists']:,} artists carry "
        f"{summary.at['labelled', 'tags per track']:.1f} of {len(corpus.tags)} tags on average; "
        f"{summary.at['unlabelled', 'tracks']:,} tracks have none, and {len(corpus.problems)} files could not be used."
    )
    return text + (f" Of the true tags, {missing.at['all', 'share']:.0%} are missing from the labels." if len(missing) else "")


def split(study: Study) -> str:
    """Where the split comes from, what the unlabelled pool is, and a warning where sets share artists."""
    corpus, pool, shared = study.collection, study.ids("unlabelled"), study.audit.shared_artists["artists"].max()
    hidden = corpus.is_labelled[pool].sum()
    text = "Whole artists are assigned so that each set gets its share of every tag."
    if corpus.has_split:
        text = f"The sets are {corpus.split_name or 'those that the collection gives'}; a tag's target is each set's share of the tracks."
    if not pool:
        text += " There are no unlabelled tracks: students get pseudo-labels on training tracks, the method without new audio."
    elif hidden and not corpus.has_split:
        text += (
            " Hardly any track lacks labels, so half of the training artists joined the unlabelled pool, with "
            f"{hidden:,} tracks: models never see their labels, which only judge the pseudo-labels."
        )
    elif not corpus.has_split:
        text += " The unlabelled pool keeps artists that stand in neither valid nor test; the rest of the unlabelled tracks is excluded."
    if shared:
        text += (
            f"\n\n**Warning: this split shares artists.** {shared:,} artists stand both in one set and in another, and "
            f"{study.audit.leaked_test_share:.0%} of the test tracks are by an artist in train. Scores on it say little about artists that "
            "were never heard; compare them only with scores published for the same split."
        )
    return text


def rare_tags(study: Study) -> str:
    """How many tags are kept, and by which rule the others are not."""
    least, kept = study.config.minimum_positives, int(study.tag_counts["kept"].sum())
    left_out, rule = len(study.tag_counts) - kept, f"{least} tracks" if least > 1 else "one track"
    if not left_out:
        return f"All {kept} tags have at least {rule} in each of train, valid and test."
    return f"{kept} tags are kept; {left_out} have less than {rule} in train, valid or test, too few to learn or to test, and are left out:"


def scored_against(corpus: Corpus) -> str:
    """Which labels the tests count against."""
    if corpus.truth is None:
        return "Scores are counted against the labels of the collection."
    return "Scores are counted against the true tags of the test tracks, not against their labels; training never sees the truth."


def student_batches(config: StudyConfig) -> str:
    """How a student's batches are made up, beside its teacher's and the controls'."""
    ours, teachers = config.student_batch * config.train.batch_size, config.train.batch_size
    return (
        f"A batch of the teacher holds {teachers} clips; one of a student holds {ours}, of which {ours // 2} are labelled, and one of the "
        f"control on labelled data {ours}. A student takes {config.student_steps:,} steps, the teacher took {config.train.steps:,}."
    )


def power(table: pd.DataFrame) -> str:
    """What ``tables.power`` means for the margins of the claims."""
    expected = table.at["test, expected", "half-width of the interval"]
    compared = "narrower" if expected < LITTLE.margin else "wider"
    return (
        f"With {table.at['test, expected', 'artists']} test artists a difference between two related models should be known to about "
        f"±{expected:.4f} ROC-AUC. That is {compared} than the margin of ±{LITTLE.margin:g} by which C5 and C6 are judged."
    )


def pseudo_labels(labels: PseudoLabels) -> str:
    """Quality of a teacher's pseudo-labels on the pool and on missing labels."""
    found, against = labels.quality(), "the hidden truth" if labels.where == "unlabelled" else "their labels"
    text = (
        f"On {found['tracks']:,} {labels.where} tracks the teacher reaches ROC-AUC {found['roc_auc']:.4f} and PR-AUC {found['pr_auc']:.4f} "
        f"against {against}; its probabilities are off by {found['calibration_error']:.3f} on average."
    )
    if "missing" not in found:
        return text
    return text + (
        f" Of the {found['missing']:,} labels missing from its training tracks, a random one scores higher than a random true negative "
        f"with probability {found['separation']:.2f}, although the teacher was taught that both are negatives."
    )


def trained_lengths(tables: Mapping[str, pd.DataFrame]) -> str:
    """What happens to models that are trained and tested at other lengths, from ``lengths.train_length_curves``."""
    goes = "{} goes from {estimate[0]:.3f} at {seconds[0]:g} s to {estimate[1]:.3f} at {seconds[1]:g} s"
    parts = [goes.format(name, **table.iloc[[0, -1]].reset_index()) for name, table in tables.items()]
    return f"Trained anew at each length, {joined(parts)}." if parts else ""


def explanation(entry: Mapping) -> str:
    """What an entry of ``evidence.records`` says, worded by its intervals."""
    if entry["test"] == "deletion":
        return _deletion(entry)
    low, high = entry["interval"] or (np.nan, np.nan)
    if np.isnan(low):
        says = "was scored, on too few artists for an interval, at"
    elif low > CHANCE:
        says = "points weakly at" if high < WEAK else "points at"
    elif high < CHANCE:
        says = "points weakly away from" if low > 1 - WEAK else "points away from"
    else:
        says = "is not shown to point at"
    score, what = with_interval(entry["effect"], low, high), NAMES[entry["explanation"]]
    return f"The {what} of the {entry['model']} {says} the moments when an instrument plays: ROC-AUC {score}, where chance is {CHANCE:g}."


def _deletion(entry: Mapping) -> str:
    controls = {"random frames": (entry["effect"], *entry["interval"])}
    controls["as many frames elsewhere"] = (entry["elsewhere"], *entry["elsewhere_interval"])
    if all(low > 0 for _, low, _ in controls.values()):
        verdict = "in this test the tags do rest on what it attends to"
    elif any(high < 0 for _, _, high in controls.values()):
        verdict = "in this test its attention is not faithful"
    else:
        verdict = "it is not shown that its attention is faithful"
    drop, digits = entry["drops"]["attended"]["drop"], _decimals(sum(controls.values(), ()), (0.0,), fewest=4)
    compared = [
        f"{abs(effect):.{digits}f} {'more' if effect >= 0 else 'less'} than without {what} ({interval(*bounds, digits, sign=True)})"
        for what, (effect, *bounds) in controls.items()
    ]
    who = f"the {entry['share']:.0%} of frames that the {entry['model']} attends to most"
    change = f"{'lose' if drop >= 0 else 'gain'} {abs(drop):.{digits}f} of probability"
    return f"Without {who}, the true tags {change}. That is {joined(compared)}, so {verdict}."


def _explained(entries: Sequence[Mapping], **wanted: str) -> list[str]:
    """The sentences of the entries that have these values, but for rollout, which is left to the table."""
    return [explanation(entry) for entry in entries if entry["explanation"] != "rollout" and wanted.items() <= entry.items()]


def explanations(entries: Sequence[Mapping], found: Evidence, test: str) -> str:
    """A sentence for each model on one of the tests, as Markdown; the reason where there is none."""
    return "\n".join(f"- {sentence}" for sentence in _explained(entries, test=test)) or found.missing[test]


def explanations_finding(entries: Sequence[Mapping], found: Evidence, model: str) -> str:
    """The sentences on ``model``'s tag curve, its attention and the deletion test, or why there is none."""
    return " ".join([*_explained(entries, model=model), *found.missing.values()])


def attention(name: str, maps: AttentionMaps) -> str:
    """How much attention stays near, and where CLS looks most."""
    near, between, rollout = np.abs(np.subtract.outer(maps.times, maps.times)) <= 0.5, maps.between_frames(), maps.rollout()
    return (
        f"Over all heads, {between[near].sum() / between.sum():.0%} of what frames give to frames stays within half a second "
        f"(looking everywhere alike it would be {near.mean():.0%}). By rollout the {name} looks most at "
        f"{maps.times[rollout.argmax()]:.1f} s of the excerpt, {rollout.max() / rollout.mean():.1f} times as much as on average."
    )


def headline(claims: Sequence[Mapping]) -> str:
    """The verdicts of a run counted in one sentence."""
    if not claims:
        return f"None of {len(CLAIMS)} claims was tested in this run."
    counts = Counter(entry["verdict"] for entry in claims)
    parts = [f"{counts[name]}\u00a0{name}" for name in VERDICTS if counts[name]]
    parts += [f"{len(CLAIMS) - len(claims)} not tested"] if len(claims) < len(CLAIMS) else []
    return f"Of {len(CLAIMS)} claims, {', '.join(parts)} in this run."


def limits(study: Mapping, claims: Sequence[Mapping]) -> list[str]:
    """What a reader must know to weigh the verdicts, from what the run says about itself (the ``study`` part of results.json)."""
    synthetic, profile, seeds = study["collection"] == "synthetic", study["profile"], len(study["seeds"])
    found = [SYNTHETIC if synthetic else f"The collection is {study['collection']}. The verdicts hold for it and need not for other music."]
    found.append(f"The profile is {profile}: it sets the sizes of models and training, and with them every score.")
    trained = "One seed" if seeds == 1 else f"Differences are averaged over {seeds} seeds"
    found.append(f"{trained}: the intervals hold the spread between artists, not the spread between trainings.")
    if torn := [entry["id"] for entry in claims if CLAIMS[entry["id"]].is_torn(entry["by_seed"])]:
        border = "what each of these claims is" if len(torn) > 1 else "what this claim is"
        found.append(f"{', '.join(torn)}: single trainings fall on both sides of {border} compared with; more seeds may turn it.")
    found.append(INTERVALS)
    if len(claims) > 1:
        found.append(f"The intervals are not corrected for testing {len(claims)} claims at once.")
    found.append("Rules and margins were fixed before any result. Inconclusive: the interval allows both answers.")
    return found + [EARLIER] * (synthetic and profile in ("demo", "full") and not study.get("corpus_seed"))
