from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.codecs import Codec
from holdfast.codecs.layers import Layers
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.simulation import Simulation
from holdfast.triggers.per_layer import PerLayer

from ..tiny import Blobs, Cut, Line, notes, play, simulation

HALVE = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}


def blobs(**fields: Any) -> Simulation:
    trigger = {"name": "per_layer", **fields.pop("trigger", {})}
    return simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(), trigger=trigger, **fields)


def test_sends_what_has_moved_far_enough_since_it_was_sent() -> None:
    trigger = PerLayer(threshold=1, relative=False).fitted([(2,), (1,)])
    state, x_KD = trigger.start(torch.zeros(2, 3)), torch.zeros(2, 3)
    said_KD = torch.tensor([[0.6, 0.8, 0.7], [3.0, 4.0, 0.1]])  # lengths 1 and 0.7; 5 and 0.1
    state, first_KD = trigger.trim(state, said_KD, x_KD)
    assert first_KD.tolist() == [[0, 0, 0], [3, 4, 0]]
    assert trigger.speakers(state, 1, x_KD, x_KD, torch.zeros(2))[1].tolist() == [False, True]
    state, second_KD = trigger.trim(state, said_KD, x_KD)
    np.testing.assert_allclose(second_KD, [[1.2, 1.6, 1.4], [3, 4, 0]], rtol=1e-6)
    np.testing.assert_allclose(state["unsent"], [[0, 0, 0], [0, 0, 0.2]], rtol=1e-6)


def test_the_threshold_may_be_a_multiple_of_the_tensors_own_length() -> None:
    trigger = PerLayer(threshold=0.1).fitted([(2,), (1,)])
    x_KD, said_KD = torch.tensor([[3.0, 4.0, 0.0]]), torch.tensor([[0.4, 0.2, 0.001]])  # 0.447 of 5, and of 0
    assert trigger.trim(trigger.start(x_KD), said_KD, x_KD)[1].tolist() == [[0, 0, pytest.approx(0.001)]]
    said_KD[0, 1] = 0.4  # 0.566 of 5
    assert trigger.trim(trigger.start(x_KD), said_KD, x_KD)[1].all()


def test_what_is_not_finite_is_sent_and_not_kept() -> None:
    trigger = PerLayer(threshold=9, relative=False).fitted([(1,), (1,)])
    state, said_KD = trigger.trim(trigger.start(torch.zeros(1, 2)), torch.tensor([[torch.nan, 1.0]]), torch.zeros(1, 2))
    assert said_KD.isnan().tolist() == [[True, False]]
    assert state["unsent"].tolist() == [[0, 1]]


def test_nothing_is_lost() -> None:
    trigger, source = PerLayer(threshold=2, relative=False).fitted([(3,), (4,), (1,)]), torch.Generator().manual_seed(1)
    state, learned_KD, heard_KD = trigger.start(torch.zeros(5, 8)), torch.zeros(5, 8), torch.zeros(5, 8)
    for _ in range(12):
        said_KD = torch.randn(5, 8, generator=source)
        learned_KD += said_KD
        state, sent_KD = trigger.trim(state, said_KD, torch.zeros(5, 8))
        heard_KD += sent_KD
        torch.testing.assert_close(heard_KD + state["unsent"], learned_KD)
        assert (state["unsent"][:, :3].norm(dim=1) <= 2).all()


def test_a_threshold_of_0_changes_nothing_and_skips_what_rests() -> None:
    plain = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(), trigger="periodic")
    np.testing.assert_allclose(play(blobs(trigger={"threshold": 0}), 4), play(plain, 4), rtol=1e-6)


def test_silence_and_bytes_in_a_simulation_by_hand() -> None:
    # The model is one tensor. Node 0 moves by ½ of what is left of 8, node 1 by ½ of what is left of 2: 4, and 1; of
    # these only the first is more than 2. In round 2, from 4, node 0 moves by 2, and node 1 has 1 - 1 = 0 left.
    algorithm, trigger = FedAvg(**HALVE), {"name": "per_layer", "threshold": 2, "relative": False}
    problem = Line(inputs=((1.0,),) * 2, targets=(8.0, 2.0))
    sim = simulation(algorithm=algorithm, trigger=trigger, problem=problem, nodes=2, partition=Cut())
    assert play(sim, 3).flatten().tolist() == [4.0, 4.0, 8.0]
    assert notes(sim).by_node(1, "bytes_up") == {0: 4 + 4 + 1}
    assert notes(sim).by_node(2, "bytes_up") == {}
    assert notes(sim).by_node(3, "bytes_up") == {0: 4 + 4 + 1}, "twice 2, which it owed and learned again"


def test_sends_fewer_bytes_of_a_network_and_learns() -> None:
    plain = simulation(problem=Blobs(), nodes=3, algorithm=FedAvg(), trigger="periodic")
    lazy = blobs(trigger={"threshold": 0.05}, rounds=20)
    for sim in (plain, lazy):
        play(sim, 20)
    sums = [sum(notes(sim).values[round, "bytes_up", None] for round in range(1, 21)) for sim in (plain, lazy)]
    assert sums[1] < 0.8 * sums[0]
    assert lazy.measure(20)["test_loss"] < 1.2 * plain.measure(20)["test_loss"]


def test_other_codecs_encode_zeros() -> None:
    sim = blobs(trigger={"threshold": 0.05}, codec="float16")
    play(sim, 2)
    assert set(notes(sim).by_node(2, "bytes_up").values()) <= {2 * sim.run.engine.layout.columns}


def test_buffers_go_along_and_do_not_speak_alone() -> None:
    quiet = blobs(trigger={"threshold": 1e9})
    sim = simulation(
        problem=Blobs(batch_norm=True),
        nodes=3,
        algorithm=FedAvg(),
        trigger={"name": "per_layer", "threshold": 1e9, "relative": False},
    )
    for each in (quiet, sim):
        play(each, 2)
    assert not notes(sim).by_node(2, "bytes_up")
    trigger = PerLayer(threshold=1, relative=False).fitted([(1,)])
    _, said_KD = trigger.trim(trigger.start(torch.zeros(1, 1)), torch.tensor([[5.0, 7.0]]), torch.zeros(1, 2))
    assert said_KD.tolist() == [[5, 7]]


def test_brings_a_codec_along() -> None:
    fields = {"problem": Blobs(), "algorithm": "fedavg"}
    assert Experiment(**fields, trigger="per_layer").codec == Layers()
    assert Experiment(**fields).codec is None
    codec = Experiment(**fields, trigger="per_layer", codec="int8").codec
    assert isinstance(codec, Codec)
    assert codec.component_name() == "int8"


@pytest.mark.parametrize(
    "algorithm", [{"name": "fedavg", "keep_local": True}, "dynamic_averaging", "scaffold", "feddyn"]
)
def test_refuses_algorithms_whose_nodes_keep_or_say_more(algorithm: object) -> None:
    with pytest.raises(InputError, match="trigger must let nodes say all or nothing with"):
        Experiment(problem=Blobs(), algorithm=algorithm, trigger="per_layer")


def test_refuses_peers() -> None:
    with pytest.raises(InputError, match="trigger must need no broadcast of a coordinator with dsgd"):
        Experiment(problem=Blobs(), algorithm="dsgd", topology="cycle", trigger="per_layer")
