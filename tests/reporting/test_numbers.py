"""Numbers as text: true minus signs, no sign on a zero, lists that say what they leave out."""

from __future__ import annotations

import numpy as np
import pytest

from mtt.reporting.numbers import counted, duration, interval, joined, listed, minus, number, signed, with_interval


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (number(-0.0123), "−0.012"),
        (number(12345.6, 0), "12,346"),
        (number(-0.0004), "0.000"),
        (signed(-0.0123), "−0.0123"),
        (signed(np.float64(0.02), None), "+0.02"),
        (signed(-1e-17, None), "0"),
        (interval(-0.02, 0.001, 3, sign=True), "[−0.020, +0.001]"),
        (with_interval(0.912, 0.905, 0.919), "0.912 [0.905, 0.919]"),
        (with_interval(0.5, np.nan, np.nan), "0.500"),
        (counted(1, "track"), "1 track"),
        (counted(12345, "track"), "12,345 tracks"),
        (listed("abc", 3), "a; b; c"),
        (listed(iter("abc"), most=2), "a; b; and 1 more"),
        (joined([]), ""),
        (joined(["a", "b"], "or"), "a or b"),
        (joined(["a", "b", "c"]), "a, b and c"),
        (duration(4.26), "4.3 s"),
        (duration(252), "4 min 12 s"),
        (duration(3 * 3600 + 65), "3 h 01 min"),
    ],
)
def test_words_of_numbers(text, expected):
    assert text == expected


def test_hyphens_before_numbers_of_others_become_minus_signs():
    assert minus("level -90 dB; a-1.wav, 2030-01-02 and (3-4)") == "level −90 dB; a-1.wav, 2030-01-02 and (3-4)"
