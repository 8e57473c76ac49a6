from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holdfast.kernels import machine
from holdfast.kernels.selection import _by_threshold, greatest

from ..contract import PROPERTY
from .oracles import normal

either = pytest.mark.parametrize("choose", [greatest, _by_threshold])
Choose = Callable[[Tensor, int], Tensor]


def plain(values: list[float], k: int) -> list[int]:
    """The k places that come first when NaN counts most and a tie goes to the lower place."""
    size = [math.inf if math.isnan(v) else abs(v) for v in values]
    order = sorted(range(len(values)), key=lambda c: (not math.isnan(values[c]), -size[c], c))
    return sorted(order[:k])


@either
def test_by_hand(choose: Choose) -> None:
    x_KD = torch.tensor([[1.0, -5.0, 0.0, 3.0, 3.0], [0.0, -0.0, 0.0, 0.0, 0.0]])
    assert choose(x_KD, 2).tolist() == [[1, 3], [0, 1]]
    assert choose(x_KD, 2).dtype == torch.int32


@either
@pytest.mark.parametrize("k", [1, 2, 40, 499, 500])
def test_agrees_with_sorting(choose: Choose, k: int) -> None:
    x_KD = normal(k, 3, 500, dtype=torch.float32)
    x_KD[1] = (2 * x_KD[1]).round()  # many ties
    x_KD[2] *= 10.0 ** torch.linspace(-40, 38, 500)  # many exponents
    x_KD[2, ::99], x_KD[2, 7] = torch.nan, -torch.inf
    assert choose(x_KD, k).tolist() == [plain(row, k) for row in x_KD.tolist()]


@either
@PROPERTY
@given(st.data())
def test_agrees_with_sorting_whatever_the_values(choose: Choose, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0]), min_size=1, max_size=30))
    x_KD = torch.tensor([[math.nan if math.isnan(v) else v for v in values]])  # NaN of one kind
    k = data.draw(st.integers(1, len(values)))
    assert choose(x_KD, k).tolist() == [plain(values, k)]


def test_neither_threads_nor_layout_change_the_choice(
    threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "WORTH_THREADS", 1)
    x_KD = normal(1, 7, 300, dtype=torch.float32)
    threads(1)
    expected = greatest(x_KD, 30)
    threads(3)
    assert torch.equal(greatest(x_KD, 30), expected)
    assert torch.equal(greatest(x_KD.T.contiguous().T, 30), expected)
    assert torch.equal(greatest(x_KD[4:5], 30), expected[4:5])


def test_no_rows() -> None:
    assert greatest(torch.zeros(0, 9), 3).shape == (0, 3)
