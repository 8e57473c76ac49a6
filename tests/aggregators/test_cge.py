from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.cge import Cge
from holdfast.aggregators.mean import Mean
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import cge, with_liars


def test_by_hand() -> None:
    """The norms are 5, 10, 1 and 2."""
    x_MD = torch.tensor([[3.0, 4.0], [-6.0, 8.0], [0.0, 1.0], [-2.0, 0.0]])
    assert_near(Cge(f=1)(x_MD), [1 / 3, 5 / 3])
    torch.testing.assert_close(Cge(f=0)(x_MD), Mean()(x_MD))


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1))
    assert_near(Cge(f=f)(x_MD), cge(as_lists(x_MD), f))


def test_a_tie_goes_to_the_lower_row() -> None:
    x_MD = torch.tensor([[3.0, 4.0], [0.0, 5.0], [-5.0, 0.0]])
    assert Cge(f=1)(x_MD).tolist() == [1.5, 4.5]


def test_broken_rows_beyond_f_still_stay_out() -> None:
    x_MD = torch.tensor([[torch.nan], [torch.inf], [1.0], [3.0]])
    assert Cge(f=1)(x_MD).item() == 2.0
    assert Cge(f=1)(torch.full((3, 1), torch.nan)).isnan().all()


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9))
def test_order_does_not_matter_and_it_scales_with_the_rows(seed: int, order: list[int], scale: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(Cge(f=2)((scale * x_MD)[order]), scale * Cge(f=2)(x_MD))


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.sampled_from([0.5, 3.0, 1e30, torch.inf, torch.nan]))
def test_is_no_longer_than_the_longest_honest_row(seed: int, f: int, lie: float) -> None:
    honest_HD, x_MD = with_liars(seed, f, lie)
    assert Cge(f=f)(x_MD.float()).norm() <= honest_HD.norm(dim=1).max() + 1e-6


def test_ignores_weights_and_asks_for_an_honest_majority() -> None:
    x_MD = normal_rows(1, 5, 2)
    assert torch.equal(Cge(f=2)(x_MD, torch.arange(5)), Cge(f=2)(x_MD))
    with pytest.raises(InputError, match="at least 5 rows"):
        Cge(f=2)(x_MD[:4])
