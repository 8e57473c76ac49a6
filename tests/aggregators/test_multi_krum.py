from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.krum import Krum
from holdfast.aggregators.multi_krum import MultiKrum
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, multi_krum, normal_rows, rows


def test_by_hand() -> None:
    """Scores 5, 2, 5, 25: the best two of n - f - 2 = 2 are rows 1 and, by the tie, 0."""
    x_MD = torch.tensor([[0.0], [1.0], [2.0], [5.0], [100.0]])
    assert MultiKrum(f=1)(x_MD).item() == 0.5


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 3, 11))
    m = data.draw(st.none() | st.integers(1, len(x_MD) - f - 2))
    assert_near(MultiKrum(f=f, m=m)(x_MD), multi_krum(as_lists(x_MD), f, m))


def test_one_row_is_krum() -> None:
    x_MD = normal_rows(1, 9, 4)
    assert torch.equal(MultiKrum(f=2, m=1)(x_MD), Krum(f=2)(x_MD))


def test_m_is_checked_against_the_rows() -> None:
    rule = MultiKrum(f=1, m=4)
    assert rule.least == 7
    rule(normal_rows(1, 7, 2))
    with pytest.raises(InputError, match="m must be at most rows - f - 2, here 3, but 4"):
        rule(normal_rows(1, 6, 2))
    with pytest.raises(InputError, match="at least 7 rows"):
        rule(normal_rows(1, 4, 2))
    with pytest.raises(InputError, match="m must be greater than or equal to 1"):
        MultiKrum(m=0)


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(8)), st.floats(0.1, 3), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD = normal_rows(seed, 8, 3)
    expected_D = scale * MultiKrum(f=2)(x_MD) + shift
    torch.testing.assert_close(MultiKrum(f=2)((scale * x_MD + shift)[order]), expected_D)


def test_broken_rows_beyond_f_still_stay_out() -> None:
    x_MD = torch.tensor([[torch.nan], [torch.inf], [torch.nan], [1.0], [3.0], [torch.nan]])
    assert MultiKrum(f=1)(x_MD).item() == 2.0
