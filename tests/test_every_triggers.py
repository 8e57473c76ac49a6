"""What every trigger promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from holdfast.algorithms import PeerAlgorithm, ServerAlgorithm
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.simulation import Simulation
from holdfast.triggers import Trigger
from holdfast.triggers.base import ORDER
from holdfast.types import State

from .contract import check_component
from .tiny import Blobs, notes, play, simulation

every = pytest.mark.parametrize("name", list(catalogue("triggers")))
K, D = 6, 4


def situation(round: int) -> tuple[Tensor, Tensor, Tensor]:
    source = torch.Generator().manual_seed(round)
    return torch.randn(K, D, generator=source), torch.zeros(K, D), torch.rand(K, generator=source)


def told(trigger: Trigger, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, rows: Tensor) -> State:
    """What nodes know when they are asked: their orders, and what of their rows they say."""
    if trigger.plans:
        state = {**state, ORDER: ((torch.arange(K) + round) % 3)[rows].double()}
    return trigger.trim(state, x_KD - reference_KD, reference_KD)[0] if trigger.trims else state


@every
def test_is_a_component(name: str) -> None:
    check_component(catalogue("triggers")[name], Trigger)


@every
def test_says_who_speaks(name: str) -> None:
    trigger = build(Trigger, name)
    state = trigger.start(torch.zeros(K, D))
    for round in range(1, 5):
        x_KD, reference_KD, losses_K = situation(round)
        before_KD = x_KD.clone()
        known = told(trigger, state, round, x_KD, reference_KD, torch.arange(K))
        state, mask_K = trigger.speakers(known, round, x_KD, reference_KD, losses_K)
        assert (mask_K.shape, mask_K.dtype) == ((K,), torch.bool)
        assert mask_K.all() or trigger.may_silence()
        assert state.keys() == known.keys()
        assert all(len(value) == K for value in state.values())
        assert torch.equal(x_KD, before_KD), "changed its input"


@every
def test_a_node_speaks_alike_alone_and_among_others(name: str) -> None:
    trigger, some, all_of_them = build(Trigger, name), torch.tensor([4, 1]), torch.arange(K)
    whole, part = trigger.start(torch.zeros(K, D)), trigger.start(torch.zeros(2, D))
    for round in range(1, 5):
        x_KD, reference_KD, losses_K = situation(round)
        whole = told(trigger, whole, round, x_KD, reference_KD, all_of_them)
        part = told(trigger, part, round, x_KD[some], reference_KD[some], some)
        whole, mask_K = trigger.speakers(whole, round, x_KD, reference_KD, losses_K)
        part, mask_2 = trigger.speakers(part, round, x_KD[some], reference_KD[some], losses_K[some])
        assert torch.equal(mask_K[some], mask_2)


# ---------------------------------------------------------------- in a run


def fields(name: str, algorithm: str, **more: Any) -> dict[str, Any]:
    cls = catalogue("algorithms")[algorithm]
    peers, few = issubclass(cls, PeerAlgorithm), {"local_steps": 2} if "local_steps" in cls.model_fields else {}
    tiny = {
        "problem": Blobs(batch_norm=True),
        "nodes": 5,
        "engine": "stacked",
        "chunk_rows": 8,
    }
    own = {"algorithm": {"name": algorithm, "batch_size": 6, **few}, "topology": "cycle" if peers else "star"}
    return {"trigger": name, "seed": 3, **tiny, **own, **more}


def suits(name: str, algorithm: str) -> bool:
    """Whether an experiment may combine the two; if not, it says so before anything runs."""
    try:
        Experiment(**fields(name, algorithm))
    except InputError as error:
        if error.field == "trigger":
            return False
        raise
    return True


PAIRS = [(name, algorithm) for name in catalogue("triggers") for algorithm in catalogue("algorithms")]


@pytest.mark.parametrize(("name", "algorithm"), PAIRS)
def test_combines_with_every_algorithm_or_says_that_it_does_not(name: str, algorithm: str) -> None:
    if not suits(name, algorithm):
        made = build(Trigger, name)
        peers = issubclass(catalogue("algorithms")[algorithm], PeerAlgorithm)
        if peers:
            assert made.trims or made.plans or build(PeerAlgorithm, algorithm).balanced
        else:
            assert made.trims or build(ServerAlgorithm, algorithm).default_trigger() is not None
        return
    sim = simulation(**fields(name, algorithm, rounds=10))
    play(sim, 3)
    assert not sim.diverged()
    assert all(
        tensor.isfinite().all() for key, tensor in sim.state().items() if not key.startswith(("reports", "losses"))
    )


class Alone(Simulation):
    """Every node computes alone."""

    def hosts(self, cohort: Any) -> list[Any]:
        return [cohort.rows(np.array([row])) for row in range(len(cohort))]


WEATHER = [{"name": "drop", "probability": 0.2}, {"name": "crash", "node": 2, "at_round": 2, "back_at": 4}]


@every
def test_the_grouping_of_the_nodes_does_not_matter(name: str) -> None:
    together, alone = (simulation(kind, **fields(name, "fedavg", faults=WEATHER)) for kind in (Simulation, Alone))
    np.testing.assert_allclose(play(together, 5), play(alone, 5), rtol=1e-4, atol=1e-6)
    spoke = [
        {k: v for k, v in notes(sim).values.items() if k[1] in ("speakers", "bytes_up")} for sim in (together, alone)
    ]
    assert spoke[0] == spoke[1]


@every
def test_goes_on_from_a_checkpoint_to_the_same_bits(name: str) -> None:
    whole, rest = (simulation(**fields(name, "fedavg", faults=WEATHER, participation=0.8)) for _ in range(2))
    play(whole, 2)
    rest.restore({key: tensor.clone() for key, tensor in whole.state().items()})
    assert np.array_equal(play(whole, 3, first=3), play(rest, 3, first=3))
    ends = whole.state(), rest.state()
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) or ends[0][key].isnan().any() for key in ends[0])
