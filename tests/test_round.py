from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks import Attack, Context
from holdfast.attacks.label_flip import LabelFlip
from holdfast.codecs import Codec, Payload
from holdfast.cohort import Cohort
from holdfast.problems import Task
from holdfast.runtimes.debug import Debug
from holdfast.runtimes.simulation import Simulation
from holdfast.seeding import Draws
from holdfast.types import State

from .spies import (
    SEEN,
    SpyAttack,
    SpyCodec,
    SpyColluders,
    SpyDSGD,
    SpyFedAvg,
    SpyOmniscient,
    SpyRule,
    SpyTrigger,
    nothing_seen,
    rows,
    seen,
)
from .tiny import Blobs, Cut, Line, line, notes, play, simulation

__all__ = ["nothing_seen"]

STAGES = ["local work", "trigger", "attack", "encode", "decode", "aggregate", "merge"]
STEP: dict[str, Any] = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
# The losses at 0 are 0, 2, 8 and 18, so node 0 stays silent; the others' updates are 1, 2 and 3.
FOUR = line(0.0, 2.0, 4.0, 6.0)


def spied(**fields: Any) -> Simulation:
    parts = {"codec": SpyCodec(), "trigger": SpyTrigger(), "attack": SpyAttack(nodes=(0, 3)), "aggregator": SpyRule()}
    return simulation(**{"algorithm": SpyFedAvg(**STEP), **FOUR, **parts, **fields})


def test_the_order_of_the_stages_with_a_coordinator() -> None:
    sim = spied()
    sim.step(1)
    order = [stage for stage, _ in SEEN]
    assert [stage for stage in order if stage != "decode"] == [stage for stage in STAGES if stage != "decode"]
    assert order.index("encode") < order.index("decode") < order.index("aggregate")
    assert seen("trigger") == [[0.0, 1.0, 2.0, 3.0]]
    assert seen("attack") == [([3], [3.0], [])], "a silent attacker attacks, or the attack sees encoded rows"
    assert seen("encode") == [{1: 1.0, 2: 2.0, 3: 103.0}], "the codec does not see what the attack made"
    assert rows()[0].flatten().tolist() == [1.0, 2.0, 103.0]
    assert sim.models().item() == pytest.approx(106 / 3)


def test_the_order_of_the_stages_among_peers() -> None:
    sim = spied(algorithm=SpyDSGD(lr=0.5, batch_size=None, order="adapt_then_combine"), topology="complete")
    sim.step(1)
    assert [stage for stage, _ in SEEN if stage != "decode"] == STAGES[:4] + ["aggregate"] * 2 + ["merge"]
    assert seen("attack") == [([3], [3.0], [])]
    assert seen("encode") == [{1: 1.0, 2: 2.0, 3: 103.0}]
    # Node 0 has heard three, the others two each and themselves: node 3 keeps its own honest row.
    assert {tuple(x_MD.flatten().sort().values.tolist()) for x_GMD in rows() for x_MD in x_GMD} == {
        (0.0, 1.0, 2.0, 103.0),
        (1.0, 2.0, 103.0),
        (1.0, 2.0, 3.0),
    }


@pytest.mark.parametrize(("attack", "sees"), [(SpyAttack, []), (SpyColluders, []), (SpyOmniscient, [1.0, 2.0])])
@pytest.mark.parametrize("runtime", [Simulation, Debug])
def test_an_attack_sees_what_it_may(attack: type[SpyAttack], sees: list[float], runtime: type[Simulation]) -> None:
    sim = simulation(
        runtime,
        algorithm=SpyFedAvg(**STEP),
        trigger=SpyTrigger(),
        attack=attack(nodes=(3, 4)),
        **line(0.0, 2.0, 4.0, 6.0, 8.0),
    )
    sim.step(1)
    assert seen("attack") == [([3, 4], [3.0, 4.0], sees)], "not the honest nodes that speak, and no other"


def test_nothing_is_attacked_without_attackers() -> None:
    sim = spied(attack=SpyAttack(nodes=0))
    sim.step(1)
    assert seen("attack") == []


def test_an_attack_may_try_the_rule_that_is_in_use() -> None:
    """Krum takes the middle one of 1, 2, 3 and two of 103; of fewer than five rows it would take none."""
    tried: list[list[float] | None] = []

    class Trying(SpyOmniscient):
        def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
            for sent_BD in (own_BD + 100, own_BD[:0]):
                outcome_D = context.outcome(honest_HD, sent_BD)
                tried.append(None if outcome_D is None else outcome_D.tolist())
            assert (context.f, context.least) == (1, 5)
            return state, own_BD

    rule = {"name": "krum", "f": 1}
    fields = {**line(2.0, 4.0, 6.0, 6.0, 6.0), "aggregator": rule, "attack": Trying(nodes=(3, 4))}
    simulation(algorithm=SpyFedAvg(**STEP), **fields).step(1)
    assert tried == [[2.0], None]


def test_an_attack_that_searches_where_too_few_speak_for_the_rule() -> None:
    fields = {**line(0.0, 0.0, 0.0, 4.0, 6.0, 8.0), "aggregator": {"name": "krum", "f": 1}, "trigger": SpyTrigger()}
    sim = simulation(algorithm=SpyFedAvg(**STEP), attack={"name": "alie_optimal", "nodes": [5]}, **fields)
    sim.step(1)
    assert notes(sim).of("skipped") == [(1, None)]


class Counting(Attack):
    """Sends how often it has attacked so far."""

    def start(self, rows: int, columns: int) -> State:
        return {"times": torch.zeros(rows)}

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        times_B = state["times"] + 1
        return {"times": times_B}, times_B.unsqueeze(1).expand_as(own_BD)


def test_an_attackers_memory_follows_it() -> None:
    sim = simulation(
        algorithm=SpyFedAvg(**STEP),
        aggregator=SpyRule(),
        attack=Counting(nodes=(0, 1, 2, 3)),
        participation=0.5,
        **FOUR,
    )
    play(sim, 6)
    expected, times = [], dict.fromkeys(range(4), 0)
    for round in range(1, 7):
        spoke = sorted(notes(sim).by_node(round, "bytes_up"))
        times.update({node: times[node] + 1 for node in spoke})
        expected.append([times[node] for node in spoke])
    assert [x_MD.flatten().tolist() for x_MD in rows()] == expected


def test_label_flip_poisons_byzantine_rows_alone() -> None:
    def sent(**fields: Any) -> Tensor:
        rule, algorithm = SpyRule(), SpyFedAvg(local_epochs=1, batch_size=4)
        fields = {"problem": Blobs(), "nodes": 5, "engine": "stacked", "chunk_rows": 3, **fields}
        simulation(algorithm=algorithm, aggregator=rule, **fields).step(1)
        return rows()[-1]

    honest_KD, poisoned_KD = sent(), sent(attack=LabelFlip(nodes=(1, 4)))
    flipped_KD = sent(attack=LabelFlip(nodes=(0, 1, 2, 3, 4)))
    assert torch.equal(poisoned_KD[[0, 2, 3]], honest_KD[[0, 2, 3]])
    assert torch.equal(poisoned_KD[[1, 4]], flipped_KD[[1, 4]])
    assert not torch.isclose(poisoned_KD[[1, 4]], honest_KD[[1, 4]]).all(dim=1).any()


def test_error_feedback_follows_the_node() -> None:
    """Against a plain loop: of two coordinates the greater is sent, the other is kept for the next time."""
    generator = np.random.default_rng(0)
    X, Y, lr = generator.normal(size=(4, 2)), generator.normal(size=4) * 4, 0.2
    problem = Line(inputs=tuple(map(tuple, X.tolist())), targets=tuple(Y.tolist()), start=(0.0, 0.0))
    sim = simulation(
        algorithm=SpyFedAvg(**{**STEP, "optimizer": {"name": "sgd", "lr": lr}}),
        problem=problem,
        nodes=4,
        partition=Cut(),
        participation=0.5,
        codec={"name": "error_feedback", "codec": {"name": "top_k", "fraction": 0.5}},
    )
    models, w, residual = play(sim, 8)[:, 0], np.zeros(2), np.zeros((4, 2))
    for round, model in enumerate(models, start=1):
        asked, total = sorted(notes(sim).by_node(round, "bytes_up")), np.zeros(2)
        for node in asked:
            whole = residual[node] - lr * (X[node] @ w - Y[node]) * X[node]
            sent = np.where(np.abs(whole) == np.abs(whole).max(), whole, 0)
            residual[node] = whole - sent
            total += sent
        w = w + total / len(asked)
        np.testing.assert_allclose(model, w, rtol=1e-4, atol=1e-6)


class OddAndEven(Simulation):
    """Two hosts."""

    def hosts(self, cohort: Cohort) -> list[Cohort]:
        return [cohort.rows(np.flatnonzero(cohort.nodes_K % 2 == part)) for part in (1, 0)]


def test_the_coordinator_reads_in_the_order_of_the_nodes() -> None:
    problem = Line(inputs=((1.0,),) * 10, targets=(0, 2, 2, 4, 4, 4, 6, 6, 6, 6))
    fields: dict[str, Any] = {
        "problem": problem,
        "nodes": 4,
        "partition": Cut(sizes=(1, 2, 3, 4)),
        "engine": "sequential",
    }
    simulation(OddAndEven, algorithm=SpyFedAvg(**STEP), **fields).step(1)
    (inbox,) = seen("merge")
    assert inbox.nodes_M.tolist() == [0, 1, 2, 3]
    assert inbox.channels["update"].flatten().tolist() == [0, 1, 2, 3]
    assert inbox.weights_M.tolist() == [1, 2, 3, 4]
    assert inbox.losses_M.tolist() == [0, 2, 8, 18]
    assert inbox.staleness_M.tolist() == [0] * 4
    assert inbox.parameters == 1


def test_too_few_rows_are_a_skipped_round() -> None:
    crashes = [{"name": "crash", "node": node, "at_round": 2, "back_at": 3} for node in (0, 1)]
    sim = simulation(algorithm=SpyFedAvg(**STEP), aggregator={"name": "median", "f": 1}, faults=crashes, **FOUR)
    first, second, third = play(sim, 3).flatten().tolist()
    assert first == second != third
    skipped = [event for event in notes(sim).noted if event.kind == "skipped"]
    assert [(event.round, event.node, event.detail) for event in skipped] == [(2, None, {"rows": 2, "required": 3})]


def skipped(sim: Simulation) -> list[tuple[int, dict[str, Any]]]:
    return [(event.round, event.detail) for event in notes(sim).noted if event.kind == "skipped"]


def test_nothing_finite_is_a_skipped_round_for_a_robust_rule() -> None:
    """All five lie in round 2: the median would make an update of nothing of it, and Krum a broken model."""
    attack = {"name": "nan", "nodes": 5, "from_round": 2, "until_round": 2}
    for rule in ("median", "krum"):
        sim = simulation(algorithm=SpyFedAvg(**STEP), aggregator=rule, attack=attack, **line(0.0, 2.0, 4.0, 6.0, 8.0))
        first, second, third = play(sim, 3).flatten().tolist()
        assert first == second != third
        assert skipped(sim) == [(2, {"rows": 5, "reason": "no value is finite"})]


def test_weights_that_are_all_zero_are_a_skipped_round(monkeypatch: pytest.MonkeyPatch) -> None:
    sim = simulation(algorithm=SpyFedAvg(**STEP), **FOUR)
    monkeypatch.setattr(Cohort, "samples", lambda cohort: torch.zeros(len(cohort)))
    assert play(sim, 1).flatten().tolist() == [0.0]
    assert skipped(sim) == [(1, {"rows": 4, "reason": "all weights are 0"})]


def test_a_trusted_row_is_the_pivot_and_not_one_of_the_rows() -> None:
    """The updates are 0, 1, 2 and 3. Those of nodes 2 and 3 point as node 1's does, and count at its length."""
    crash = {"name": "crash", "node": 1, "at_round": 2, "back_at": 3}
    rule = {"name": "fltrust", "trusted": 1}
    sim = simulation(algorithm=SpyFedAvg(**STEP), aggregator=rule, faults=[crash], **FOUR)
    first, second, third = play(sim, 3).flatten().tolist()
    assert first == pytest.approx(1.0)
    assert first == second != third
    assert skipped(sim) == [(2, {"rows": 3, "reason": "nothing came from the trusted node 1"})]


def test_what_nodes_do_before_they_send_follows_the_node() -> None:
    """Node 0 pulls to 0 and node 1 to 2; half of the first updates goes out, and node 1 is away in round 2."""
    crash = {"name": "crash", "node": 1, "at_round": 2, "back_at": 3}
    rule = [{"name": "momentum", "beta": 0.5}, "mean"]
    sim = simulation(algorithm=SpyFedAvg(**STEP), aggregator=rule, faults=[crash], **line(0.0, 2.0))
    # Updates (y - x) / 2: 0 and 1, sent as 0 and ½: x = ¼. Then -⅛ alone, with ½ · 0: x = ¼ - 1/16 = 3/16. Then
    # -3/32 and 29/32: m_0 = ½ · -1/16 - 3/64 = -5/64 and m_1 = ½ · ½ + 29/64 = 45/64; their mean is 20/64.
    assert play(sim, 3).flatten().tolist() == pytest.approx([1 / 4, 3 / 16, 3 / 16 + 20 / 64])


def test_too_few_neighbours_leave_a_peer_its_own_row() -> None:
    crashes = [{"name": "crash", "node": 3}]
    sim = simulation(
        algorithm=SpyDSGD(lr=0.5, batch_size=None), topology="cycle", aggregator="median", faults=crashes, **FOUR
    )
    x_N = play(sim, 1).flatten().tolist()
    skipped = [event for event in notes(sim).noted if event.kind == "skipped"]
    assert [(event.node, event.detail) for event in skipped] == [
        (0, {"rows": 2, "required": 3}),
        (2, {"rows": 2, "required": 3}),
    ]
    assert x_N == [0.0, 1.0, 2.0, 0.0]


@pytest.mark.parametrize("runtime", [Simulation, Debug])
def test_a_loss_that_is_not_finite_is_an_event(runtime: type[Simulation]) -> None:
    sim = simulation(runtime, algorithm=SpyFedAvg(**STEP), aggregator="median", **line(0.0, 1e30, 1.0))
    sim.step(1)
    assert notes(sim).of("nan_loss") == [(1, 1)]
    assert not sim.diverged()


def unlucky(outputs: Tensor, targets: Tensor) -> Tensor:
    if (targets == 13).any():
        raise ValueError("unlucky")
    return (outputs.squeeze(-1) - targets).square()


class Unlucky(Line):
    """Raises for one node's data."""

    def load(self, data_dir: object = None) -> Task:
        whole = super().load()
        return Task(whole.model, whole.train, whole.test, unlucky, metrics={})


class BadCodec(Codec):
    """Raises for one node's row."""

    worst: float = Field(2.0, description="the value that it refuses")

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        if (x_KD == self.worst).any():
            raise ValueError("refused")
        return state, Payload({"values": x_KD}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        return payload.tensors["values"]


class BadAttack(Attack):
    """Raises."""

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        raise ValueError("bad")


@pytest.mark.parametrize(
    ("fields", "stage"),
    [
        ({"problem": Unlucky(inputs=((1.0,),) * 4, targets=(0.0, 1.0, 13.0, 2.0))}, "local work"),
        ({"codec": BadCodec()}, "encode"),
        ({"attack": BadAttack(nodes=(2,))}, "attack"),
    ],
)
def test_debug_names_round_stage_and_node(fields: dict[str, Any], stage: str) -> None:
    sim = simulation(Debug, algorithm=SpyFedAvg(**STEP), **{**FOUR, **fields})
    with pytest.raises(ValueError, match=r"unlucky|refused|bad") as caught:
        sim.step(1)
    assert caught.value.__notes__ == [f'In round 1, stage "{stage}", node 2.']


def test_the_simulation_says_how_to_find_the_node() -> None:
    problem = Unlucky(inputs=((1.0,),) * 4, targets=(0.0, 1.0, 13.0, 2.0))
    sim = simulation(algorithm=SpyFedAvg(**STEP), **{**FOUR, "problem": problem})
    with pytest.raises(ValueError, match="unlucky") as caught:
        sim.step(1)
    assert "--runtime debug" in caught.value.__notes__[0]
