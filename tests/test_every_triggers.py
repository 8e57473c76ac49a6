"""What every trigger promises."""

from __future__ import annotations

import pytest
import torch

from holdfast.catalogue import build, catalogue
from holdfast.triggers import Trigger

from .contract import check_component

every = pytest.mark.parametrize("name", list(catalogue("triggers")))
K, D = 6, 4


def situation(round: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(round)
    return torch.randn(K, D, generator=source), torch.zeros(K, D), torch.rand(K, generator=source)


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("triggers")[name], Trigger)


@every
def test_says_who_speaks(name: str) -> None:
    trigger = build(Trigger, name)
    state = trigger.start(torch.zeros(K, D))
    for round in range(1, 5):
        x_KD, reference_KD, losses_K = situation(round)
        before_KD, keys = x_KD.clone(), state.keys()
        state, mask_K = trigger.speakers(state, round, x_KD, reference_KD, losses_K)
        assert (mask_K.shape, mask_K.dtype) == ((K,), torch.bool)
        assert mask_K.all() or trigger.may_silence()
        assert state.keys() == keys
        assert all(len(value) == K for value in state.values())
        assert torch.equal(x_KD, before_KD), "changed its input"


@every
def test_a_node_speaks_alike_alone_and_among_others(name: str) -> None:
    trigger, some = build(Trigger, name), torch.tensor([4, 1])
    whole, part = trigger.start(torch.zeros(K, D)), trigger.start(torch.zeros(2, D))
    for round in range(1, 5):
        x_KD, reference_KD, losses_K = situation(round)
        whole, mask_K = trigger.speakers(whole, round, x_KD, reference_KD, losses_K)
        part, mask_2 = trigger.speakers(part, round, x_KD[some], reference_KD[some], losses_K[some])
        assert torch.equal(mask_K[some], mask_2)
