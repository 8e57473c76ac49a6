from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.dnc import Dnc, _columns
from holdfast.errors import InputError
from holdfast.seeding import generator

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows
from .oracles_spectral import dnc


def test_by_hand() -> None:
    """Around the mean 2 the rows lie at 4, 1, 9 and 0; the 9 goes, and with c = 2 the 4 too."""
    x_MD = torch.tensor([[0.0], [1.0], [5.0], [2.0]])
    assert_near(Dnc(f=1)(x_MD), [1.0])
    assert_near(Dnc(f=1, c=2)(x_MD), [1.5])
    assert_near(Dnc(f=1, c=0.9)(x_MD), [2.0])


@PROPERTY
@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(0, 4), st.integers(1, 4), st.integers(0, 3))
def test_agrees_with_a_singular_value_decomposition(seed: int, f: int, more: int, columns: int, broken: int) -> None:
    x_MD = normal_rows(seed, 2 * f + 1 + more, columns)
    x_MD[: min(f, broken), 0] = torch.nan
    x_MD[-1] += 7
    assert_near(Dnc(f=f, iterations=2)(x_MD), dnc(as_lists(x_MD), f))


def apart(rows: int) -> torch.Tensor:
    """Row i is 9 in column i, and 0 but for its number elsewhere."""
    return torch.arange(rows).unsqueeze(-1) / 100 + 9 * torch.eye(rows)


def test_the_survivors_of_all_iterations_count() -> None:
    """On one column of the first two, the row that stands out there goes; in the end both have."""
    x_MD = apart(5)[:, :2]
    once_D = Dnc(f=1, sample=1)(x_MD)
    assert any(torch.allclose(once_D, x_MD[kept].mean(0)) for kept in ([1, 2, 3, 4], [0, 2, 3, 4]))
    assert_near(Dnc(f=1, sample=1, iterations=30)(x_MD), x_MD[2:].mean(0))


def test_where_nobody_survives_those_count_that_survive_most_often() -> None:
    x_MD, rule = apart(3), Dnc(f=1, sample=1, iterations=31)
    draws = generator(0, "dnc", 0)
    drawn = [int(_columns(3, 1, draws)) for _ in range(31)]
    dropped = [drawn.count(row) for row in range(3)]
    assert min(dropped) > 0
    kept = [row for row in range(3) if dropped[row] == min(dropped)]
    assert_near(rule(x_MD), x_MD[kept].mean(0))


def test_a_sample_takes_one_column_of_each_strip() -> None:
    columns = _columns(1000, 10, generator(1, "dnc", 0))
    assert (columns // 100).tolist() == list(range(10))
    assert not torch.equal(columns, _columns(1000, 10, generator(1, "dnc", 1)))
    assert _columns(10, 10, generator(1, "dnc", 0)).tolist() == list(range(10))


def test_the_round_and_the_seed_choose_the_sample() -> None:
    x_MD = apart(40)
    one_D, again_D = Dnc(sample=1)(x_MD), Dnc(sample=1)(x_MD)
    assert torch.equal(one_D, again_D)
    assert not torch.equal(one_D, Dnc(sample=1).aggregate({"round": torch.tensor(3)}, x_MD)[1])
    assert not torch.equal(one_D, Dnc(sample=1, seed=2)(x_MD))


def test_a_row_broken_outside_the_sample_goes_first() -> None:
    x_MD = normal_rows(1, 7, 500)
    for column in range(0, 500, 50):
        broken_MD = x_MD.clone()
        broken_MD[4, column] = torch.nan
        assert_near(Dnc(f=1, sample=2)(broken_MD), x_MD[[0, 1, 2, 3, 5, 6]].mean(0))
    assert Dnc()(torch.full((3, 2), torch.nan)).isnan().all()


def test_refuses_to_drop_every_row() -> None:
    assert Dnc(f=1, c=4).least == 5
    with pytest.raises(InputError, match="at least 5 rows"):
        Dnc(f=1, c=4)(normal_rows(1, 4, 2))


@PROPERTY
@given(st.integers(0, 10**6), st.permutations(range(7)), st.floats(0.1, 9), st.floats(-5, 5))
def test_moves_and_scales_with_the_rows_in_any_order(seed: int, order: list[int], scale: float, shift: float) -> None:
    x_MD, rule = normal_rows(seed, 7, 30), Dnc(f=2, sample=10, iterations=2)
    torch.testing.assert_close(rule((scale * x_MD + shift)[order]), scale * rule(x_MD) + shift)


@PROPERTY
@given(st.integers(0, 10**6), st.sampled_from([torch.nan, torch.inf, 1e18, 1e30, 3e38, -50.0]))
def test_liars_far_away_are_dropped(seed: int, lie: float) -> None:
    x_MD = normal_rows(seed, 7, 3).float()
    x_MD[[0, 4]] = lie
    assert_near(Dnc(f=2)(x_MD), x_MD[[1, 2, 3, 5, 6]].mean(0))
