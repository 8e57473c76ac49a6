from __future__ import annotations

import torch
from hypothesis import given
from torch import Tensor

from holdfast.aggregators.cs_plus_rg import CsPlusRg

from ..contract import PROPERTY
from .oracles import as_lists, assert_near
from .oracles_gossip import cs_plus_rg, neighbourhoods

X_MD = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [100.0, 0.0], [0.0, 1.0]])


def test_by_hand() -> None:
    """At distances 1, 3, 4 and 100 the last two are clipped to 3, and with f = 2 all of them to 0."""
    assert_near(CsPlusRg(f=1)(X_MD), [6 / 5, 4 / 5])
    assert_near(CsPlusRg(f=2)(X_MD), [0.0, 0.0])
    assert_near(CsPlusRg(f=0)(X_MD), [103 / 5, 1.0])


def test_weights_by_hand() -> None:
    """The heaviest neighbour weighs 2, so 4 are needed beyond: they lie beyond 1, beyond 0 alone, and beyond 3."""
    assert_near(CsPlusRg(f=1)(X_MD, torch.tensor([3.0, 1.0, 1.0, 2.0, 1.0])), [3 / 8, 2 / 8])
    assert_near(CsPlusRg(f=1)(X_MD, torch.tensor([3.0, 1.0, 1.0, 1.0, 2.0])), [0.0, 0.0])
    assert_near(CsPlusRg(f=1)(X_MD, torch.tensor([3.0, 1.0, 2.0, 2.0, 1.0])), [9 / 9, 7 / 9])


@PROPERTY
@given(neighbourhoods())
def test_agrees_with_a_plain_loop(some: tuple[int, Tensor, list[int]]) -> None:
    f, x_MD, weights = some
    assert_near(CsPlusRg(f=f)(x_MD, torch.tensor(weights)), cs_plus_rg(as_lists(x_MD), weights, f))
    assert_near(CsPlusRg(f=f)(x_MD), cs_plus_rg(as_lists(x_MD), [1] * len(x_MD), f))
