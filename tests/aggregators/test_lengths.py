from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.aggregators.lengths import lengths, shrinkage
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.nnm import Nnm

from ..contract import PROPERTY
from .oracles import as_lists, assert_near, normal_rows, rows
from .oracles_lengths import length


@PROPERTY
@given(rows(1), st.data())
def test_agrees_with_a_plain_loop(x_MD: torch.Tensor, data: st.DataObject) -> None:
    centre = data.draw(st.lists(st.integers(-3, 3), min_size=x_MD.shape[1], max_size=x_MD.shape[1]))
    away = [[a - b for a, b in zip(row, centre, strict=True)] for row in as_lists(x_MD)]
    assert_near(lengths(Mixture(x_MD)), [length(row) for row in as_lists(x_MD)])
    assert_near(lengths(Mixture(x_MD), torch.tensor(centre).float()), [length(row) for row in away])


def test_of_mixtures_and_of_what_they_are_written_down() -> None:
    x_GMD, centre_GD = normal_rows(1, 2, 7, 5), normal_rows(2, 2, 5)
    mixed = Nnm(f=2).transform_rows({}, Mixture(x_GMD))[1]
    written = Mixture(mixed.tensor())
    torch.testing.assert_close(lengths(mixed), lengths(written))
    torch.testing.assert_close(lengths(mixed, centre_GD), lengths(written, centre_GD))
    torch.testing.assert_close(lengths(written), written.x_MD.norm(dim=-1))
    torch.testing.assert_close(lengths(written, centre_GD), (written.x_MD - centre_GD[:, None]).norm(dim=-1))


def test_squares_that_overflow_do_not_matter() -> None:
    x_MD = torch.tensor([[3e38, 0.0], [-3e38, 0.0], [torch.inf, 0.0]])
    expected_MM = torch.tensor([[3e38, 3e38, torch.inf], [0.0, 6e38, torch.inf]], dtype=torch.float64)
    torch.testing.assert_close(lengths(Mixture(x_MD)), expected_MM[0])
    torch.testing.assert_close(lengths(Mixture(x_MD), x_MD[0]), expected_MM[1])


def test_what_is_left() -> None:
    lengths_M = torch.tensor([0.0, 4.0, 16.0, torch.inf])
    assert shrinkage(lengths_M, 8.0).tolist() == [1.0, 1.0, 0.5, 0.0]
    assert shrinkage(lengths_M, torch.tensor([0.0])).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert shrinkage(lengths_M, torch.tensor([torch.inf])).tolist() == [1.0, 1.0, 1.0, 0.0]
