"""Tensors of TensorFlow checkpoints: read as they were written, and refused by name where they were not written so."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtt.reading.tensorbundle import masked_crc32c, read_bundle
from tests.models.test_fuzz import DAMAGE, damaged
from tests.reading.bundles import bundle, field, table

RANDOM = np.random.default_rng(0)
TENSORS = {
    "dense/kernel": RANDOM.standard_normal((3, 2)).astype("<f4"),
    "dense/bias": RANDOM.standard_normal(2).astype("<f4"),
    "dense_1/bias": np.zeros(0, "<f4"),
    "scale": np.array(2.5, "<f4"),
}


def test_tensors_are_read_as_they_were_written():
    index, data = bundle(TENSORS | {"dense/bias/Adam": np.ones(2, "<f4")})
    found = read_bundle(index, data, list(TENSORS))
    assert found.keys() == TENSORS.keys()  # without the optimiser's
    assert all(np.array_equal(found[name], TENSORS[name]) and found[name].shape == TENSORS[name].shape for name in TENSORS)


def test_the_checksum_is_that_of_the_standard():
    """CRC-32C of "123456789" is 0xE3069283 (RFC 3720); LevelDB rotates it right by 15 and adds a constant."""
    crc = 0xE3069283
    assert masked_crc32c(b"123456789") == ((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index, data: (index[:-1], data), "no table of tensors"),
        (lambda index, data: (index[:20] + b"\xff" + index[21:], data), "the table is damaged"),
        (lambda index, data: (index, data[:-4]), "scale does not lie in the data"),
        (lambda index, data: (index, b"\xff" + data[1:]), "dense/bias is damaged"),
        (lambda *_: bundle(TENSORS, kind=2), "dense/kernel is no whole float32 tensor"),
        (lambda *_: bundle(TENSORS, more=field(3, 1)), "dense/kernel is no whole float32 tensor of the first data file"),
        (lambda *_: bundle(TENSORS, shape=(2**62, 2**62)), "dense/kernel does not lie in the data as its shape says"),
        (lambda *_: bundle(TENSORS, size=2**69), "dense/kernel does not lie"),
        (lambda *_: bundle({"dense": TENSORS["scale"]}), "dense/kernel is missing"),
        (lambda *_: (table([(b"", field(1, 2)), (b"x", b"")]), b""), "not one data file"),
        (lambda *_: (table([(b"", field(1, 1)), (b"x" * 1001, b"")]), b""), "leads out of its block"),
        (lambda *_: (table([(b"", b"\xff" * 20), (b"x", b"")]), b""), "does not end"),
        (lambda *_: (table([(b"", b""), (b"x", b"")], compression=b"\1"), b""), "cut or compressed"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        read_bundle(*change(*bundle(TENSORS)), list(TENSORS))


@pytest.mark.parametrize("examples", [pytest.param(300, id="short"), pytest.param(5000, id="long", marks=pytest.mark.long)])
def test_damage_gives_tensors_or_a_value_error(examples):
    """Also inside blocks whose checksums are right."""
    whole, data = bundle(TENSORS)

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(damage=DAMAGE, inside=st.booleans())
    def test(damage, inside) -> None:
        index = bundle(TENSORS, lambda block: damaged(block, damage))[0] if inside else damaged(whole, damage)
        try:
            found = read_bundle(index, data, list(TENSORS))
        except ValueError:
            return
        assert sum(tensor.nbytes for tensor in found.values()) <= len(TENSORS) * len(data)

    test()
