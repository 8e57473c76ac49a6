from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.krum import Krum

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, krum_order, normal_rows, rows


def test_by_hand() -> None:
    """Five values, f = 1: two nearest others each; scores 5, 2, 5, 26 and 18002 or so."""
    x_MD = torch.tensor([[0.0], [1.0], [2.0], [5.0], [100.0]])
    assert Krum(f=1)(x_MD).item() == 1.0


@PROPERTY
@given(st.integers(0, 3), st.data())
def test_agrees_with_a_plain_loop(f: int, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 3, 11))
    x = as_lists(x_MD)
    assert_near(Krum(f=f)(x_MD), x[krum_order(x, f)[0]])


def test_a_tie_goes_to_the_lower_row() -> None:
    x_MD = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert Krum(f=1)(x_MD).tolist() == [0.0, 1.0]
    assert Krum(f=1)(x_MD[[1, 2, 3]].repeat(2, 1)).tolist() == [0.0, -1.0]


def test_a_broken_row_wins_only_alone() -> None:
    x_MD = torch.full((5, 2), torch.nan)
    assert Krum(f=1)(x_MD).isnan().all()
    x_MD[3] = 7.0
    assert Krum(f=1)(x_MD).tolist() == [7.0, 7.0]


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 10), st.floats(-5, 5))
def test_order_place_and_scale_of_the_rows_do_not_matter(
    seed: int, order: list[int], scale: float, shift: float
) -> None:
    x_MD = normal_rows(seed, 7, 3)
    expected_D = Krum(f=2)(x_MD)
    assert torch.equal(Krum(f=2)(x_MD[order]), expected_D)
    torch.testing.assert_close(Krum(f=2)(scale * x_MD + shift), scale * expected_D + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, 1e18, 1e30, 3e38, -50.0]))
def test_liars_far_away_never_win(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 7, 3).float()
    x_MD[[0, 4]] = lie
    assert Krum(f=2)(x_MD).abs().max() < 10
