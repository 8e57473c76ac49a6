from __future__ import annotations

import torch
from hypothesis import given
from torch import Tensor

from holdfast.aggregators.nna import Nna

from ..contract import PROPERTY
from .oracles import as_lists, assert_near
from .oracles_gossip import neighbourhoods, nna


def test_by_hand() -> None:
    x_MD = torch.tensor([[1.0], [5.0], [2.0], [90.0], [-2.0]])
    assert_near(Nna(f=1)(x_MD), [6 / 4])
    assert_near(Nna(f=2)(x_MD), [1 / 3])


def test_a_tie_goes_to_the_lower_row() -> None:
    assert Nna(f=1)(torch.tensor([[0.0], [2.0], [-2.0]])).item() == 1.0


@PROPERTY
@given(neighbourhoods())
def test_agrees_with_a_plain_loop_and_ignores_weights(some: tuple[int, Tensor, list[int]]) -> None:
    f, x_MD, weights = some
    assert_near(Nna(f=f)(x_MD, torch.tensor(weights)), nna(as_lists(x_MD), f))


def test_the_own_row_counts_among_many_twins() -> None:
    assert torch.equal(Nna(f=4)(torch.zeros(9, 2)), torch.zeros(2))
