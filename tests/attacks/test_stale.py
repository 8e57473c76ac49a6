from __future__ import annotations

import pytest
import torch

from holdfast.attacks.stale import Stale
from holdfast.message import RowStore

from .contexts import context, rows


@pytest.mark.parametrize("age", [1, 2, 5])
def test_against_a_plain_list(age: int) -> None:
    attack, truth = Stale(age=age), [rows(2, seed=t) for t in range(8)]
    state = attack.start(2, 5)
    for t, own_BD in enumerate(truth):
        state, sent_BD = attack.corrupt(state, own_BD[:0], own_BD, context(1, 2, round=t))
        assert torch.equal(sent_BD, truth[t - age] if t >= age else own_BD)


def test_each_attacker_counts_its_own_rounds() -> None:
    """Node 2 comes a round later than node 1, and skips one: by hand, from a store as the nodes keep it."""
    attack, store, sent = Stale(age=1), RowStore(), []
    for t, nodes in enumerate([[1], [1, 2], [1], [1, 2]]):
        known = store.recall(torch.tensor(nodes).numpy(), lambda new: attack.start(len(new), 1))
        own_BD = torch.tensor([[10.0 * node + t] for node in nodes])
        state, sent_BD = attack.corrupt(known, own_BD[:0], own_BD, context(*nodes, round=t))
        store.put(torch.tensor(nodes).numpy(), state)
        sent.append(sent_BD.flatten().tolist())
    assert sent == [[10], [10, 21], [11], [12, 21]]


def test_keeps_what_is_no_number() -> None:
    attack, broken = Stale(age=1), torch.full((1, 2), torch.nan)
    state, _ = attack.corrupt(attack.start(1, 2), broken[:0], broken, context(1))
    assert attack.corrupt(state, broken[:0], torch.ones(1, 2), context(1))[1].isnan().all()
