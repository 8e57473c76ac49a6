from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.algorithms.federated.dynamic_averaging import DynamicAveraging
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.runtimes.simulation import Simulation
from holdfast.seeding import uniform
from holdfast.triggers.divergence import Divergence
from holdfast.triggers.periodic import Periodic
from holdfast.types import BoolArray, FloatArray, IntArray, State

from ..contract import PROPERTY
from ..tiny import Blobs, Cut, Line, line, notes, play, simulation

HALVE = {"local_steps": 1, "batch_size": None, "optimizer": {"name": "sgd", "lr": 0.5}}
"""One step after which a node of `line` has gone half of the way to its target."""
RESOLUTIONS = ("full", "balance", "hedge")


def averaging(*targets: float, delta: float, problem: dict[str, Any] | None = None, **fields: Any) -> Simulation:
    own = {name: fields.pop(name) for name in ("resolve", "choose", "check_every", "norm") if name in fields}
    return simulation(algorithm=DynamicAveraging(delta=delta, **own, **HALVE), **(problem or line(*targets)), **fields)


def speakers(sim: Simulation, round: int) -> set[int]:
    return set(notes(sim).by_node(round, "bytes_up"))


def own_models(sim: Simulation) -> list[float]:
    """The nodes' models, before the coordinator's answer reaches them in the next round."""
    everyone = sim.run.everyone
    return sim.nodes.stores["algorithm"].take(everyone)["x"].flatten().tolist()


# ---------------------------------------------------------------- by hand


@pytest.mark.parametrize("resolve", RESOLUTIONS)
def test_two_nodes_by_hand(resolve: str) -> None:
    # Node 0 goes from 0 to 4, which violates: 16 > 4. Alone it is too far from r = 0, so node 1, at 0, is asked: r = 2.
    # From there they go to 5 and 1: 9 > 4, and r is 3. Then to 5½ and 1½: 6¼ > 4, and r is 3½.
    sim = averaging(8.0, 0.0, delta=4.0, resolve=resolve)
    assert play(sim, 3).flatten().tolist() == [2.0, 3.0, 3.5]
    assert sim.server.algorithm["reference"].item() == 3.5
    assert all(speakers(sim, round) == {0, 1} for round in (1, 2, 3))


@pytest.mark.parametrize("resolve", RESOLUTIONS)
def test_two_nodes_in_their_zones_are_silent_and_train_on(resolve: str) -> None:
    # 1 and ½, 1½ and ¾, 1¾ and ⅞: only the last has left the zone, 49/16 > 3, and asks the other: r = 21/16.
    sim = averaging(2.0, 1.0, delta=3.0, resolve=resolve)
    assert play(sim, 2).flatten().tolist() == [0.0, 0.0]
    assert own_models(sim) == [1.5, 0.75]
    assert speakers(sim, 1) == speakers(sim, 2) == set()
    assert notes(sim).by_node(2, "bytes_down") == {0: 0, 1: 0}
    assert play(sim, 1, first=3).item() == 21 / 16
    assert speakers(sim, 3) == {0, 1}


def test_two_violators_who_balance_each_other_by_hand() -> None:
    # 4 and -4 have the mean 0, which is r, so nobody else is asked, and both go on from 0.
    sim = averaging(8.0, -8.0, 0.5, 0.5, 0.5, delta=4.0)
    assert play(sim, 2).flatten().tolist() == [0.0, 0.0]
    assert speakers(sim, 1) == speakers(sim, 2) == {0, 1}
    assert notes(sim).by_node(2, "bytes_down") == {0: 4, 1: 4, 2: 0, 3: 0, 4: 0}
    assert int(sim.server.algorithm["violations"]) == 4
    # In the third round there were six violations, no less than nodes: the mean of 4, -4 and 7/16 is the reference.
    assert play(sim, 1, first=3).item() == pytest.approx(3 * 7 / 16 / 5)
    assert speakers(sim, 3) == {0, 1, 2, 3, 4}
    assert int(sim.server.algorithm["violations"]) == 0


@pytest.mark.parametrize(("resolve", "asked", "mean"), [("full", 7, 0.5), ("balance", 6, 4 / 7), ("hedge", 7, 0.5)])
def test_how_many_are_asked_by_hand(resolve: str, asked: int, mean: float) -> None:
    # Means of 4 and k zeros: 4/3, 4/5 and 4/7, of which only the last is in the zone, (4/7)² < ½. Half of the nodes are
    # in when the second two are.
    sim = averaging(8.0, *[0.0] * 7, delta=0.5, resolve=resolve)
    play(sim, 1)
    server = sim.server.algorithm
    assert len(speakers(sim, 1)) == 1 + asked
    assert sim.messages == 8 + 1 + asked
    assert server["mean" if resolve == "balance" else "reference"].item() == pytest.approx(mean)
    assert server["x"].item() == pytest.approx(0.5)  # all models are known, or as the coordinator guesses


def test_hedges_from_half_of_the_nodes_on() -> None:
    # Three of eight are less than half, so two more are asked; the mean of five, 4/5, is in the zone: 0.64 < 0.7.
    sim = averaging(8.0, *[0.0] * 7, delta=0.7, resolve="hedge")
    play(sim, 1)
    assert len(speakers(sim, 1)) == 5
    assert sim.server.algorithm["mean"].item() == pytest.approx(0.8)


def test_the_answer_goes_to_the_balancing_set_alone() -> None:
    sim = averaging(8.0, *[0.0] * 7, delta=4.0)
    play(sim, 1)
    members = speakers(sim, 1)
    assert len(members) == 3
    assert sim.server.algorithm["x"].item() == pytest.approx(3 / 8 * 4 / 3)
    play(sim, 1, first=2)
    assert notes(sim).by_node(2, "bytes_down") == {node: 4 * (node in members) for node in range(8)}
    halved = dict.fromkeys(members, 2 / 3) | {0: 4 / 3 / 2 + 4}
    assert own_models(sim) == pytest.approx([halved.get(node, 0.0) for node in range(8)])


def test_samples_are_the_weights() -> None:
    # Node 0 has one sample, and goes to 4; node 1 has three, and stays at 0.
    problem = {"problem": Line(inputs=((1.0,),) * 4, targets=(8.0, 0.0, 0.0, 0.0)), "nodes": 2}
    sim = averaging(delta=4.0, problem={**problem, "partition": Cut(sizes=(1, 3))})
    assert play(sim, 1).item() == 1.0


def test_checks_every_other_round() -> None:
    sim = averaging(8.0, 0.0, delta=4.0, check_every=2)
    assert play(sim, 2).flatten().tolist() == [0.0, 3.0]


def test_the_greatest_tensor_counts_if_asked_for() -> None:
    layout = Layout({"a": (2,), "b": (1,), "mean": (1,)}, ("a", "b"))
    drift_1D = torch.tensor([[1.0, 1.0, 1.2, 50.0]])
    judged = {}
    for norm in ("vector", "max_tensor"):
        algorithm = DynamicAveraging(delta=2.5, norm=norm, resolve="balance")
        judged[norm] = len(
            algorithm.ask(algorithm.start(torch.zeros(4), layout), inbox([0], drift_1D, 9, parameters=3))
        )
    assert judged == {"vector": 2, "max_tensor": 0}


# ---------------------------------------------------------------- its trigger


def test_brings_its_own_condition_along() -> None:
    fields = {"problem": Blobs(), "rounds": 8}
    experiment = Experiment(algorithm={"name": "dynamic_averaging", "delta": 0.3, "check_every": 2}, **fields)
    assert experiment.trigger == Divergence(delta=0.3, check_every=2)
    assert Experiment(**experiment.as_mapping()) == experiment
    assert Experiment(algorithm="dynamic_averaging", trigger="periodic", **fields).trigger == Periodic()


def test_a_variant_has_the_condition_of_its_algorithm() -> None:
    variants = {
        "a": {},
        "b": {"algorithm.delta": 0.5},
        "c": {"algorithm": "fedavg"},
        "d": {"algorithm.delta": 0.5, "trigger": {"name": "periodic", "every": 2}},
    }
    algorithm = {"name": "dynamic_averaging", "delta": 0.3}
    runs = dict(Experiment(problem=Blobs(), algorithm=algorithm, variants=variants).runs())
    triggers = {name: experiment.trigger for name, experiment in runs.items()}
    assert triggers == {"a": Divergence(delta=0.3), "b": Divergence(delta=0.5), "c": Periodic(), "d": Periodic(every=2)}
    other = Experiment(problem=Blobs(), algorithm="fedavg", variants={"a": {"algorithm": algorithm}})
    assert other.variant("a").trigger == Divergence(delta=0.3)


def test_refuses_another_delta_in_its_trigger() -> None:
    with pytest.raises(InputError, match=r"trigger must be that of dynamic_averaging itself.*delta=0\.001"):
        Experiment(problem=Blobs(), algorithm="dynamic_averaging", trigger={"name": "divergence", "delta": 0.5})


def test_every_round_of_everybody_is_the_average_of_every_round() -> None:
    sim = averaging(8.0, 0.0, 4.0, delta=4.0, trigger="periodic")
    assert play(sim, 2).flatten().tolist() == [2.0, 3.0]


# ---------------------------------------------------------------- who is asked first


def inbox(nodes: list[int], drift_MD: torch.Tensor, population: int, parameters: int | None = None) -> ServerInbox:
    spoke = np.array(nodes, dtype=np.int64)
    silent, ones_M = np.setdiff1d(np.arange(population), spoke), torch.ones(len(nodes))
    combined = {"drift": drift_MD.mean(0)}
    fresh = np.zeros(len(nodes), dtype=np.int64)
    p = drift_MD.shape[1] if parameters is None else parameters
    return ServerInbox(spoke, {"drift": drift_MD}, combined, ones_M, ones_M, fresh, p, silent, population)


@pytest.mark.parametrize(("choose", "first"), [("nearest", {1, 4}), ("farthest", {2, 5})])
def test_asks_the_nearest_or_the_farthest_first(choose: str, first: set[int]) -> None:
    algorithm = DynamicAveraging(delta=1.0, choose=choose)
    server = algorithm.start(torch.zeros(1), Layout({"a": (1,)}, ("a",)))
    server["squares"] = torch.tensor([0.0, 0.1, 0.9, 0.5, 0.2, 0.8])
    assert set(algorithm.ask(server, inbox([0], torch.tensor([[9.0]]), 6)).tolist()) == first


def test_the_order_of_asking_is_another_in_every_round() -> None:
    def asked(round: int, seed: int = 0) -> tuple[int, ...]:
        algorithm = DynamicAveraging(delta=1.0, seed=seed)
        server = algorithm.start(torch.zeros(1), Layout({"a": (1,)}, ("a",))) | {"round": torch.tensor(round)}
        return tuple(sorted(algorithm.ask(server, inbox([0], torch.tensor([[9.0]]), 30)).tolist()))

    assert len({asked(round) for round in range(20)}) > 10
    assert asked(3) == asked(3)
    assert any(asked(round) != asked(round, seed=1) for round in range(5))


def test_remembers_how_far_away_it_knows_models_to_be() -> None:
    algorithm, layout = DynamicAveraging(delta=1.0), Layout({"a": (1,)}, ("a",))
    server = algorithm.merge(algorithm.start(torch.zeros(1), layout), inbox([1, 3], torch.tensor([[0.2], [0.8]]), 5))
    assert server["squares"].tolist() == pytest.approx([0, 0.25, 0, 0.25, 0])
    everybody = replace(inbox([1, 3], torch.tensor([[0.2], [0.8]]), 5), silent_L=np.zeros(0, dtype=np.int64))
    assert algorithm.merge(server, everybody)["squares"].tolist() == [0] * 5, "r has moved to the mean"
    away = replace(inbox([], torch.zeros(0, 1), 5), silent_L=np.array([0, 3]))
    assert algorithm.skip(server, away)["squares"].tolist() == pytest.approx([0, 0, 0, 0.25, 0]), (
        "1 begins from r again"
    )


# ---------------------------------------------------------------- against a plain loop


def kamp(targets: FloatArray, delta: float, resolve: str, rounds: int) -> tuple[list[FloatArray], list[float]]:
    """The nodes' models after every resolution, and the references, in float64 and one node after another."""
    nodes, f, r, v, models, references = len(targets), np.zeros(len(targets)), 0.0, 0, [], []
    for round in range(rounds):
        f = np.array([x - 0.5 * (x - target) for x, target in zip(f, targets, strict=True)])
        B = [i for i in range(nodes) if (f[i] - r) ** 2 > delta]
        v += len(B)
        everybody = bool(B) and (resolve == "full" or v >= nodes)
        v = 0 if v >= nodes else v
        lots = uniform(0, "balancing", round, np.arange(nodes))
        left = sorted(set(range(nodes)) - set(B), key=lambda i: lots[i])
        while B and left and not everybody and (np.mean(f[B]) - r) ** 2 > delta:
            if resolve == "hedge" and len(B) >= nodes / 2:
                everybody = True
            else:
                B, left = B + left[:2], left[2:]
        if everybody or not left:
            r = float(np.mean(f))
            f = np.full(nodes, r)
        elif B:
            f[B] = np.mean(f[B])
        models.append(f.copy())
        references.append(r)
    return models, references


@pytest.mark.parametrize("resolve", RESOLUTIONS)
@pytest.mark.parametrize("delta", [0.3, 1.0, 5.0])
def test_against_a_plain_loop(resolve: str, delta: float) -> None:
    targets = np.random.default_rng(5).normal(scale=6, size=9)
    models, references = kamp(targets, delta, resolve, 8)
    sim = averaging(*targets, delta=delta, resolve=resolve)
    for round in range(1, 9):
        play(sim, 1, first=round)
        assert sim.server.algorithm["reference"].item() == pytest.approx(references[round - 1], abs=1e-4)
        np.testing.assert_allclose(resolved(sim.server.algorithm, own_models(sim)), models[round - 1], atol=1e-4)


def resolved(server: State, models: list[float]) -> FloatArray:
    """The models once the coordinator's answer has arrived."""
    found = np.array(models)
    found[server["members"].numpy()] = server["mean"].item()
    found[np.setdiff1d(np.arange(len(found)), server["holders"].numpy())] = server["reference"].item()
    return found


# ---------------------------------------------------------------- the guarantee

N, D = 7, 3
LAYOUT = Layout({"a": (2,), "b": (1,)}, ("a", "b"))


def weighted(rows_MD: FloatArray, weights_M: FloatArray) -> torch.Tensor:
    return torch.from_numpy((weights_M @ rows_MD) / weights_M.sum())


class Game:
    """Nodes that drift at random, and a coordinator that resolves their violations.

    Args:
        algorithm: what resolves them.
        seed: of the drifts, the weights and the losses.
        losses: how likely it is that a node is away for a round, or an answer is lost.
    """

    def __init__(self, algorithm: DynamicAveraging, seed: int, losses: float) -> None:
        self.algorithm, self.rng, self.losses = algorithm, np.random.default_rng(seed), losses
        self.weights_N = self.rng.integers(1, 20, N).astype(float)
        self.f_ND, self.r_ND = np.zeros((N, D)), np.zeros((N, D))
        self.server = algorithm.start(torch.zeros(D, dtype=torch.float64), LAYOUT)

    def there(self, nodes: IntArray) -> IntArray:
        return nodes[self.rng.random(len(nodes)) >= self.losses]

    def tell(self, nodes: IntArray) -> None:
        message = self.algorithm.broadcast(self.server)
        anew, balanced = (nodes[self.algorithm.recipients(self.server, c, nodes)] for c in ("reference", "x"))
        assert not np.intersect1d(anew, balanced).size
        self.f_ND[balanced] = message["x"].numpy()
        self.f_ND[anew] = self.r_ND[anew] = message["reference"].numpy()

    def heard(self, spoke: IntArray, silent: IntArray) -> ServerInbox:
        spoke = np.sort(spoke)
        rows_MD, weights_M = (self.f_ND - self.r_ND)[spoke], self.weights_N[spoke]
        combined = {"drift": weighted(rows_MD, weights_M)} if len(spoke) else {}
        about = torch.from_numpy(weights_M), torch.zeros(len(spoke)), np.zeros(len(spoke), dtype=np.int64), D
        return ServerInbox(spoke, {"drift": torch.from_numpy(rows_MD)}, combined, *about, silent, N)

    def round(self) -> IntArray:
        """Drift, and resolve what violates; who took part."""
        nodes = self.there(np.arange(N))
        self.tell(nodes)
        self.f_ND[nodes] += self.rng.normal(scale=self.rng.choice([0.1, 1.0, 3.0]), size=(len(nodes), D))
        violates: BoolArray = np.array([((self.f_ND - self.r_ND)[i] ** 2).sum() > self.algorithm.delta for i in nodes])
        violates = violates.astype(bool)
        silent, spoke = nodes[~violates], self.there(nodes[violates])
        while len(asked := self.algorithm.ask(self.server, self.heard(spoke, silent))):
            assert np.isin(asked, silent).all()
            silent, spoke = np.setdiff1d(silent, asked), np.concatenate([spoke, self.there(asked)])
        inbox = self.heard(spoke, silent)
        self.server = (self.algorithm.merge if len(spoke) else self.algorithm.skip)(self.server, inbox)
        return nodes

    def divergence(self, nodes: IntArray, weights_N: FloatArray) -> float:
        """δ(f) of some nodes, by weight."""
        share_K = weights_N[nodes] / weights_N[nodes].sum()
        away_KD = self.f_ND[nodes] - share_K @ self.f_ND[nodes]
        return float(share_K @ (away_KD**2).sum(1))


@PROPERTY
@given(
    seed=st.integers(0, 2**32),
    resolve=st.sampled_from(RESOLUTIONS),
    choose=st.sampled_from(["random", "nearest", "farthest"]),
    delta=st.sampled_from([0.05, 1.0, 10.0]),
    losses=st.sampled_from([0.0, 0.3]),
)
def test_the_divergence_of_who_is_there_never_exceeds_delta(
    seed: int, resolve: Any, choose: Any, delta: float, losses: float
) -> None:
    game = Game(DynamicAveraging(resolve=resolve, choose=choose, delta=delta), seed, losses)
    for _ in range(8):
        game.round()
        nodes = game.there(np.arange(N)) if losses else np.arange(N)
        if not len(nodes):
            continue
        before = game.f_ND.copy(), game.r_ND.copy()
        game.tell(nodes)
        assert (game.r_ND[nodes] == game.server["reference"].numpy()).all(), "an old reference"
        assert (((game.f_ND - game.r_ND)[nodes] ** 2).sum(1) <= delta + 1e-9).all()
        assert game.divergence(nodes, np.ones(N)) <= delta + 1e-9
        assert game.divergence(nodes, game.weights_N) <= delta + 1e-9
        if losses:
            game.f_ND, game.r_ND = before  # whoever is there in the next round is told then


# ---------------------------------------------------------------- joining, crashing, losing


def test_a_node_that_comes_back_begins_from_the_reference() -> None:
    crash = [{"name": "crash", "node": 2, "at_round": 2, "back_at": 4}]
    sim = averaging(8.0, 0.0, 0.5, delta=4.0, resolve="full", faults=crash)
    play(sim, 3)
    reference = sim.server.algorithm["reference"].item()
    play(sim, 1, first=4)
    assert notes(sim).by_node(4, "bytes_down")[2] == 4
    state = sim.nodes.stores["algorithm"].take([2])
    assert state["reference"].item() == reference
    assert state["x"].item() == pytest.approx((reference + 0.5) / 2)


def test_who_did_not_get_the_mean_gets_the_reference_afterwards() -> None:
    sim = averaging(
        8.0, -8.0, 0.0, 0.0, 0.0, delta=4.0, faults=[{"name": "crash", "node": 0, "at_round": 2, "back_at": 3}]
    )
    play(sim, 3)
    assert notes(sim).by_node(3, "bytes_down")[0] == 4
    assert own_models(sim)[0] == 4.0, "went half of the way from r = 0"


def test_nobody_is_sent_anything_twice() -> None:
    sim = averaging(0.5, 0.5, 0.5, delta=4.0)
    play(sim, 3)
    assert [sum(notes(sim).by_node(round, "bytes_down").values()) for round in (1, 2, 3)] == [12, 0, 0]


def test_the_personal_models_are_the_nodes_own() -> None:
    node = {"x": torch.tensor([[1.0]]), "reference": torch.tensor([[0.0]])}
    assert DynamicAveraging().personal(node, torch.tensor([[5.0]])).item() == 1.0
