"""The search behind ``make.split_by_artist``: which whole groups (artists) go to which set.

Simulated annealing (Kirkpatrick, Gelatt & Vecchi 1983, Science 220:671) by moves of one group and swaps of two, from a random partition of
the right sizes; greedy iterative stratification (Sechidis et al. 2011) places single items and takes no decision back. Conventions: a set's
*deviation* in a column is its share of the column's total minus its ratio. Column 0 of a table counts a group's items, column t > 0 those
with tag t - 1. No set of positive ratio is left empty while there are groups enough.
"""

import numpy as np
from numba import njit
from scipy import sparse

# Cost of a deviation d: |d| + CURVATURE d^2, so that the mean falls but no tag is left far behind.
CURVATURE = 40.0
SIZE_WEIGHT = 10.0  # of the number of items, where a tag weighs 1
PROPOSALS_PER_GROUP, PROPOSALS = 1_500, (50_000, 10_000_000)  # at least and at most
BLOCK = 500_000  # proposals drawn at once
TEMPERATURES = (10.0, 3e-3)  # first and last, in units of the mean cost change of a random move


def cut_line(sizes: np.ndarray, ratios: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Groups of ``sizes`` (n,) in random order, cut where ``ratios`` (sets,) say, at the groups' middles: a set number for each, (n,)."""
    order = rng.permutation(len(sizes))
    middle = (np.cumsum(sizes[order]) - sizes[order] / 2) / sizes.sum()
    open_sets = np.flatnonzero(ratios)
    assigned = np.empty(len(sizes), dtype=np.int64)
    assigned[order] = open_sets[np.searchsorted(np.cumsum(ratios[open_sets])[:-1], middle)]
    for empty in np.setdiff1d(open_sets, assigned):
        candidates = np.flatnonzero(assigned == np.bincount(assigned).argmax())
        if len(candidates) > 1:
            assigned[candidates[sizes[candidates].argmin()]] = empty
    return assigned


def stratify(table: sparse.csr_matrix, ratios: np.ndarray, seed: int) -> np.ndarray:
    """Set number of each group, (n,), from (n, 1 + n_tags) integer counts and ``ratios`` (sets,) that sum to 1."""
    rng = np.random.default_rng(seed)
    sizes = table[:, [0]].toarray().ravel()
    assigned = cut_line(sizes, ratios, rng)
    open_sets = np.flatnonzero(ratios)
    if len(open_sets) == 1 or len(sizes) <= len(open_sets):
        return assigned
    totals = np.asarray(table.sum(axis=0)).ravel()
    # Integer counts of each set (sets, columns): no rounding piles up over millions of moves.
    state = np.stack([np.asarray(table[assigned == s].sum(axis=0)).ravel() for s in range(len(ratios))])
    weights = np.ones(len(totals))
    # A tag of one group always costs least in the largest set: together such tags must not outweigh the sizes.
    lone_tags = int((np.bincount(table.indices, minlength=len(totals))[1:] == 1).sum())
    weights[0] = SIZE_WEIGHT + (1.0 + CURVATURE) * lone_tags
    slack = sizes.max() / totals[0] + 1e-12  # a size deviation that is always within reach
    wall = 4.0 * weights.sum() * (1.0 + 2.0 * CURVATURE) * totals[0]  # an item beyond costs more than tags gain
    csr = (table.indptr, table.indices, table.data)
    targets = (1.0 / np.maximum(totals, 1), ratios, weights, slack)
    tried = zip(rng.integers(len(assigned), size=1_000), rng.choice(open_sets, size=1_000), strict=True)
    changes = [_change(g, s, assigned, state, csr, (*targets, 0.0)) for g, s in tried if s != assigned[g]]
    hot, cold = (factor * max(np.mean(np.abs(changes or [0.0])), 1e-12) for factor in TEMPERATURES)
    steps = int(np.clip(PROPOSALS_PER_GROUP * len(sizes), *PROPOSALS))
    members = np.bincount(assigned, minlength=len(ratios))
    for start in range(0, steps, BLOCK):
        n = min(BLOCK, steps - start)
        temperatures = hot * (cold / hot) ** ((start + np.arange(n)) / steps)
        draws = rng.integers(len(sizes), size=(n, 2)), rng.integers(2 * len(open_sets), size=n), rng.random(n)
        _anneal(assigned, state, members, csr, (*targets, wall), open_sets, temperatures, *draws)
    return assigned


@njit(cache=True)
def _cost(deviation, column, weight, slack, wall):
    cost = weight * (abs(deviation) + CURVATURE * deviation * deviation)
    if column == 0 and abs(deviation) > slack:
        cost += wall * (abs(deviation) - slack)
    return cost


@njit(cache=True)
def _change(group, target, assigned, state, csr, targets):
    """Cost change if ``group`` went to set ``target``."""
    starts, columns, counts = csr
    scale, ratios, weights, slack, wall = targets
    source = assigned[group]
    change = 0.0
    for k in range(starts[group], starts[group + 1]):
        t, n = columns[k], counts[k]
        for s, moved in ((source, -n), (target, n)):
            before = state[s, t] * scale[t] - ratios[s]
            after = (state[s, t] + moved) * scale[t] - ratios[s]
            change += _cost(after, t, weights[t], slack, wall) - _cost(before, t, weights[t], slack, wall)
    return change


@njit(cache=True)
def _move(group, target, assigned, state, members, csr):
    starts, columns, counts = csr
    source = assigned[group]
    for k in range(starts[group], starts[group + 1]):
        state[source, columns[k]] -= counts[k]
        state[target, columns[k]] += counts[k]
    members[source] -= 1
    members[target] += 1
    assigned[group] = target


@njit(cache=True)
def _anneal(assigned, state, members, csr, targets, open_sets, temperatures, groups, turns, luck):
    """Metropolis search that never empties a set, in place.

    A proposal takes ``groups`` (proposals, 2), its turn in [0, 2 sets) (below the number of sets: move the first group to that set, above:
    swap the two groups) and its luck in [0, 1).
    """
    for step in range(len(luck)):
        group, other = groups[step]
        swap = turns[step] >= len(open_sets)
        source = assigned[group]
        target = assigned[other] if swap else open_sets[turns[step]]
        if target == source or (not swap and members[source] == 1):
            continue
        change = _change(group, target, assigned, state, csr, targets)
        if swap:  # its second half is judged after the first
            _move(group, target, assigned, state, members, csr)
            change += _change(other, source, assigned, state, csr, targets)
        accepted = change <= 0 or luck[step] < np.exp(-change / temperatures[step])
        if accepted and swap:
            _move(other, source, assigned, state, members, csr)
        elif accepted:
            _move(group, target, assigned, state, members, csr)
        elif swap:
            _move(group, source, assigned, state, members, csr)
