from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.aksel import Aksel
from holdfast.errors import InputError

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, median, normal_rows, rows
from .oracles_lengths import aksel, with_liars


def test_by_hand() -> None:
    """The median is (2, 1); the squared distances to it are 5, 1, 10 and 164 as well as 0."""
    x_MD = torch.tensor([[0.0, 2.0], [1.0, 1.0], [5.0, 2.0], [-8.0, -7.0], [2.0, 1.0]])
    x_MD[3] = torch.tensor([12.0, -7.0])
    assert_near(Aksel(f=1)(x_MD), [1.0, 4 / 3])
    assert_near(Aksel(f=1, c="rest")(x_MD), [2.0, 1.5])


@PROPERTY
@given(st.integers(0, 3), st.sampled_from(["half", "rest"]), st.data())
def test_agrees_with_a_plain_loop(f: int, c: str, data: st.DataObject) -> None:
    x_MD = data.draw(rows(2 * f + 1))
    count = -(-len(x_MD) // 2) if c == "half" else len(x_MD) - f
    assert_near(Aksel(f=f, c=c)(x_MD), aksel(as_lists(x_MD), count))


def test_a_tie_goes_to_the_lower_row() -> None:
    x_MD = torch.tensor([[1.0], [-1.0], [1.0], [-1.0], [0.0]])
    assert_near(Aksel(f=1)(x_MD), [0.0])
    assert_near(Aksel(f=1)(x_MD[[0, 2, 1, 3, 4]]), [2 / 3])


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD = normal_rows(seed, 7, 3)
    torch.testing.assert_close(Aksel(f=2)((scale * x_MD + shift)[order]), scale * Aksel(f=2)(x_MD) + shift)


@PROPERTY
@given(
    st.integers(0, 10**6),
    st.integers(0, 3),
    st.sampled_from([0.5, 3.0, 1e9, 1e30, torch.inf, torch.nan]),
    st.sampled_from(["half", "rest"]),
)
def test_lies_no_farther_from_the_median_than_the_honest_rows(seed: int, f: int, lie: float, c: str) -> None:
    honest_HD, x_MD = with_liars(seed, f, lie)
    middle_D = torch.tensor(median(as_lists(x_MD.float()), upper=False))
    farthest = (honest_HD - middle_D).norm(dim=1).max()
    assert (Aksel(f=f, c=c)(x_MD.float()) - middle_D).norm() <= farthest + 1e-5


def test_broken_rows_stay_out_and_weights_do_not_count() -> None:
    x_MD = torch.tensor([[1.0, 1.0], [torch.nan, 1.0], [3.0, 3.0], [torch.inf, 2.0], [torch.nan, 2.0]])
    assert Aksel(f=1)(x_MD, torch.tensor([0, 5, 1, 5, 5])).tolist() == [2.0, 2.0]


def test_refuses() -> None:
    with pytest.raises(InputError, match="at least 5 rows"):
        Aksel(f=2)(normal_rows(1, 4, 2))
    with pytest.raises(InputError, match="c must be 'half' or 'rest'"):
        Aksel(c="all")
