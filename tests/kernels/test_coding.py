"""The loops of codecs where bytes, blocks and threads end."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holdfast.kernels import machine
from holdfast.kernels.coding import from_levels, from_powers, to_levels, to_powers, to_signs

from ..contract import PROPERTY
from .oracles import fraction, normal, random_bits

MOST = {8: 127, 4: 7, 2: 1}
ends = pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025, 3001])


def addresses(rows: int) -> np.ndarray:
    return np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(0x5851F42D4C957F2D)


def unpacked(codes: Tensor, columns: int, bits: int) -> list[list[int]]:
    """The codes of a row are the digits of one large number, the first the least."""
    rows = [int.from_bytes(bytes(row), "little") for row in codes.tolist()]
    assert all(row < 2 ** (bits * columns) for row in rows), "what is left of the last byte is not 0"
    return [[row >> (bits * c) & (2**bits - 1) for c in range(columns)] for row in rows]


def norm(block: list[float], euclidean: bool) -> float:
    return math.sqrt(sum(v * v for v in block)) if euclidean else max(map(abs, block))


@ends
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("euclidean", [False, True])
@pytest.mark.parametrize("block", [8, 1024, 2048])
def test_levels_agree_with_a_plain_loop(columns: int, bits: int, euclidean: bool, block: int) -> None:
    x_KD, most = normal(columns, 2, columns, dtype=torch.float32), MOST[bits]
    codes, steps = to_levels(x_KD, addresses(2), block, most, bits, euclidean=euclidean)
    digits = unpacked(codes, columns, bits)
    for row, values in enumerate(x_KD.tolist()):
        starts = range(0, columns, block)
        plain = [norm(values[start : start + block], euclidean) / most for start in starts]
        assert steps[row].tolist() == pytest.approx(plain)
        for c, value in enumerate(values):
            exact = value / plain[c // block]
            up = fraction(int(addresses(2)[row]), c) < exact - math.floor(exact)
            code = digits[row][c]
            level = (code + 128) % 256 - 128 if bits == 8 else code - most
            assert level == min(math.floor(exact) + up, most)


@pytest.mark.parametrize("block", [1, 3, 5, 1027])
def test_bytes_may_have_blocks_of_any_length(block: int) -> None:
    x_KD = normal(block, 2, 2100, dtype=torch.float32)
    codes, steps = to_levels(x_KD, addresses(2), block, 127, 8)
    scale_KD = steps.repeat_interleave(block, dim=1)[:, :2100]
    expected_KD = codes.view(torch.int8) * scale_KD
    assert torch.equal(from_levels(codes, steps, 2100, block, 8, zero=0), expected_KD)
    assert ((expected_KD - x_KD).abs() <= scale_KD * (1 + 1e-4)).all()
    for start in range(0, 2100, block):
        expected_K = x_KD[:, start : start + block].abs().amax(1) / 127
        torch.testing.assert_close(steps[:, start // block], expected_K)


@ends
@pytest.mark.parametrize("bits", [2, 4])
def test_levels_are_unpacked_as_they_were_packed(columns: int, bits: int) -> None:
    """Whole multiples of the step need no rounding, so they arrive as they are."""
    most = MOST[bits]
    x_KD = torch.from_numpy(np.random.default_rng(columns).integers(-most, most + 1, (3, columns))).float()
    x_KD[:, ::8] = most  # so that the step is 1
    codes, steps = to_levels(x_KD, addresses(3), 8, most, bits)
    assert codes.shape == (3, math.ceil(columns * bits / 8))
    assert torch.equal(from_levels(codes, steps, columns, 8, bits, zero=most), x_KD)


@ends
@pytest.mark.parametrize("block", [8, 1024, 2048])
def test_signs_agree_with_a_plain_loop(columns: int, block: int) -> None:
    x_KD = normal(columns, 2, columns, dtype=torch.float32)
    x_KD[:, ::3] = 0
    codes, means = to_signs(x_KD, block)
    rows = from_levels(codes, means, columns, block, bits=1, zero=1, gap=2).tolist()
    assert unpacked(codes, columns, 1) == (x_KD >= 0).int().tolist()
    for values, found in zip(x_KD.tolist(), rows, strict=True):
        blocks = [values[start : start + block] for start in range(0, columns, block)]
        plain = [sum(map(abs, inside)) / len(inside) for inside in blocks]
        expected = [plain[c // block] * (1 if value >= 0 else -1) for c, value in enumerate(values)]
        assert found == pytest.approx(expected)


@ends
def test_powers_agree_with_a_plain_loop(columns: int) -> None:
    x_KD = normal(columns, 2, columns, dtype=torch.float32) * 10.0 ** normal(1, 2, columns, dtype=torch.float32)
    codes, signs = to_powers(x_KD, addresses(2))
    assert unpacked(signs, columns, 1) == (x_KD < 0).int().tolist()
    for row, values in enumerate(x_KD.tolist()):
        for c, value in enumerate(values):
            half, exponent = math.frexp(abs(value))  # |x| = half · 2^exponent, half in [1/2, 1)
            bits = random_bits(int(addresses(2)[row]), c) >> 9
            up = (2 * half - 1) * 2**23 + bits >= 2**23
            assert codes[row, c].item() == exponent - 1 + up + 127
    expected_KD = torch.ldexp(x_KD.sign(), codes.int() - 127)
    assert torch.equal(from_powers(codes, signs), expected_KD)


def test_the_ends_of_float32() -> None:
    """Powers of two stay, what lies below 2⁻¹²⁶ goes there or to 0, and nothing finite becomes infinite."""
    tiny, greatest = 2.0**-126, torch.finfo(torch.float32).max
    x_KD = torch.tensor([[tiny, 2.0**127, -greatest, torch.inf, -torch.inf, torch.nan, -0.0]]).expand(50, -1)
    found_KD = from_powers(*to_powers(x_KD, addresses(50)))
    expected_D = torch.tensor([tiny, 2.0**127, -(2.0**127), torch.inf, -torch.inf, torch.inf, -0.0])
    assert torch.equal(found_KD, expected_D.expand(50, -1))
    small_KD = from_powers(*to_powers(torch.full((4000, 1), 0.25 * tiny), addresses(4000)))
    assert set(small_KD.flatten().tolist()) == {0.0, tiny}
    assert (small_KD == tiny).double().mean().item() == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / 4000) ** 0.5)


@pytest.mark.parametrize("euclidean", [False, True])
def test_blocks_that_have_no_usable_step(euclidean: bool) -> None:
    """Zeros arrive as zeros, what is not finite as NaN; a norm beyond float32 leaves a finite step."""
    greatest = torch.finfo(torch.float32).max
    x_KD = torch.zeros(1, 40)
    x_KD[0, 9], x_KD[0, 17], x_KD[0, 32:] = torch.nan, -torch.inf, greatest
    codes, steps = to_levels(x_KD, addresses(1), 8, 1, 8, euclidean=euclidean)
    assert steps.isnan().tolist() == [[False, True, True, False, False]]
    found_KD = from_levels(codes, steps, 40, 8, 8, zero=0)
    assert found_KD.isnan().tolist() == [[False] * 8 + [True] * 16 + [False] * 16]
    assert torch.equal(found_KD[:, 32:], x_KD[:, 32:])
    assert (found_KD[:, :8] == 0).all()
    means = to_signs(x_KD, 8)[1]
    assert means.isnan().tolist() == [[False, True, True, False, False]]
    assert means[0, 4] == greatest


KERNELS: list[Callable[[Tensor, np.ndarray], tuple[Tensor, ...]]] = [
    lambda x_KD, at_K: to_levels(x_KD, at_K, 64, 127, 8),
    lambda x_KD, at_K: to_levels(x_KD, at_K, 4096, 7, 4, euclidean=True),
    lambda x_KD, at_K: to_levels(x_KD, at_K, 8, 1, 2),
    lambda x_KD, at_K: to_signs(x_KD, 64),
    lambda x_KD, at_K: to_powers(x_KD, at_K),
    lambda x_KD, at_K: (from_levels(*to_levels(x_KD, at_K, 64, 7, 4), x_KD.shape[1], 64, 4, zero=7),),
    lambda x_KD, at_K: (from_powers(*to_powers(x_KD, at_K)),),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rows", [1, 5])
def test_neither_threads_nor_other_rows_nor_layout_change_a_bit(
    kernel: Callable[[Tensor, np.ndarray], tuple[Tensor, ...]],
    rows: int,
    threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "WORTH_THREADS", 1)
    x_KD, at_K = normal(rows, rows, 5003, dtype=torch.float32), addresses(rows)
    threads(1)
    expected = kernel(x_KD, at_K)
    threads(3)
    for found in (kernel(x_KD, at_K), kernel(x_KD.T.contiguous().T, at_K), kernel(x_KD.double(), at_K)):
        assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))
    alone = kernel(x_KD[rows - 1 :], at_K[rows - 1 :])
    assert all(torch.equal(f, e[rows - 1 :]) for f, e in zip(alone, expected, strict=True))


@PROPERTY
@given(st.lists(st.integers(0, 255), min_size=2, max_size=40), st.sampled_from([1, 2, 4, 8]))
def test_any_bytes_of_a_peer_make_finite_rows(codes: list[int], bits: int) -> None:
    columns = len(codes) * 8 // bits
    found_KD = from_levels(torch.tensor([codes], dtype=torch.uint8), torch.ones(1, 1), columns, 512, bits, zero=1)
    assert found_KD.shape == (1, columns)
    assert found_KD.isfinite().all()


def test_no_rows_and_no_columns() -> None:
    for shape in ((0, 5), (3, 0)):
        codes, steps = to_levels(torch.zeros(shape), addresses(shape[0]), 8, 7, 4)
        assert from_levels(codes, steps, shape[1], 8, 4, zero=7).shape == shape
        assert from_powers(*to_powers(torch.zeros(shape), addresses(shape[0]))).shape == shape
