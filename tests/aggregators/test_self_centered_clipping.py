from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holdfast.aggregators.self_centered_clipping import SelfCenteredClipping

from ..contract import PROPERTY
from .oracles import as_lists, assert_near
from .oracles_gossip import clipped, neighbourhoods, self_centered_clipping


def test_by_hand() -> None:
    """At distances 3, 4 and 100 with f = 1 the last is clipped to 4, with f = 2 the last two to 3, a fifth of each."""
    x_MD = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [100.0, 0.0], [0.0, 0.0]])
    assert_near(SelfCenteredClipping(f=1)(x_MD), [7 / 5, 4 / 5])
    assert_near(SelfCenteredClipping(f=2)(x_MD), [6 / 5, 3 / 5])
    assert_near(SelfCenteredClipping(f=2, tau=1.0)(x_MD), [2 / 5, 1 / 5])


@PROPERTY
@given(neighbourhoods(), st.sampled_from([0.5, 3.0, 100.0]))
def test_agrees_with_a_plain_loop_and_ignores_weights(some: tuple[int, Tensor, list[int]], tau: float) -> None:
    f, x_MD, weights = some
    weights_M = torch.tensor(weights)
    assert_near(SelfCenteredClipping(f=f)(x_MD, weights_M), self_centered_clipping(as_lists(x_MD), f))
    expected = clipped(as_lists(x_MD), [1] * len(x_MD), tau)
    assert_near(SelfCenteredClipping(f=f, tau=tau)(x_MD, weights_M), expected)
