"""Rounds among peers: DiNNO against the loop over nodes that one writes by hand; a thousand nodes; lidar scans."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

import harness
from harness import ROOT
from holdfast import Experiment
from holdfast.models.dinno_cnn import DinnoCnn
from holdfast.prepare import Preparer
from holdfast.problems import Problem, Task
from holdfast.problems.lidar.floor_plan import generate
from holdfast.problems.lidar.scan import Lidar
from holdfast.record.recorder import Recorder
from holdfast.runtimes.simulation import Simulation

BATCH, STEPS, RHO, GROWTH, RATE = 64, 2, 0.5, 1.0003, 0.005
SAMPLES = 256
"""How many samples each node holds; a round sees 64 at a time, however many there are."""
BEAM_SAMPLES = 1e6
"""How many beam samples a second are aimed at."""


class Synthetic(Problem):
    """Random images of MNIST's shape: only the arithmetic counts here."""

    nodes: int = 10

    def load(self, data_dir: Path | None = None) -> Task:
        """Samples for every node."""
        source = torch.Generator().manual_seed(0)
        x = torch.rand(self.nodes * SAMPLES, 1, 28, 28, generator=source)
        y = torch.randint(0, 10, (len(x),), generator=source)
        return Task(model=network, train=(x, y), test=(x[:10], y[:10]), classes=10)


def network() -> nn.Module:
    """DiNNO's network of 28,440 parameters."""
    return DinnoCnn().build((1, 28, 28), 10)


def ours(folder: Path, nodes: int, topology: object, algorithm: dict[str, Any]) -> Callable[[int], None]:
    """A run of Holdfast, as a function that plays a round."""
    experiment = Experiment(problem=Synthetic(nodes=nodes), nodes=nodes, topology=topology, algorithm=algorithm)
    name = str(algorithm["name"])
    run = Simulation(Preparer().prepare(experiment), Recorder(folder / name, name))

    def play(round: int) -> None:
        run.step(round)

    return play


class PlainDinno:
    """DiNNO as one writes it by hand: a network for each node, and loops over nodes, neighbours and steps."""

    def __init__(self, nodes: int) -> None:
        self.graph = nx.cycle_graph(nodes)
        self.nets = [network() for _ in range(nodes)]
        self.duals = [torch.zeros(28_440) for _ in range(nodes)]
        self.data = Synthetic(nodes=nodes).load().train
        self.source = torch.Generator().manual_seed(0)

    def step(self, round: int) -> None:
        """Tell everybody the models; duals; steps of Adam."""
        models = [parameters_to_vector(net.parameters()).detach() for net in self.nets]
        rho = RHO * GROWTH**round
        for node, net in enumerate(self.nets):
            near = list(self.graph.neighbors(node))
            for other in near:
                self.duals[node] += rho * (models[node] - models[other])
            middles = torch.stack([(models[node] + models[other]) / 2 for other in near])
            self.primal(node, net, rho, middles)

    def primal(self, node: int, net: nn.Module, rho: float, middles: Tensor) -> None:
        """Minimise f + ⟨θ, p⟩ + ρΣ‖θ - (θ_i + θ_j)/2‖²."""
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
        for _ in range(STEPS):
            at = node * SAMPLES + torch.randint(0, SAMPLES, (BATCH,), generator=self.source)
            optimizer.zero_grad()
            theta = parameters_to_vector(net.parameters())
            loss = nn.functional.cross_entropy(net(self.data[0][at]), self.data[1][at])
            penalty = rho * (theta - middles).square().sum()
            (loss + theta @ self.duals[node] + penalty).backward()
            optimizer.step()


def turns(contenders: dict[str, Callable[[int], None]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each round, contenders taking turns; the first round warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round in range(1, rounds + 2):
        for name, play in contenders.items():
            start = time.perf_counter()
            play(round)
            seconds[name].append(time.perf_counter() - start)
    return {name: found[1:] for name, found in seconds.items()}


def scans(repeats: int) -> list[float]:
    """Beam samples a second of the paper's lidar in a generated flat, in each repeat."""
    plan, lidar = generate(1000, 6, seed=1), Lidar(num_beams=20, beam_samps=25, beam_length=0.2)
    poses = plan.random(1, "poses", np.arange(2000))
    rates: list[float] = []
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        lidar.scan(plan, poses, seed=repeat)
        rates.append(len(poses) * lidar.samples / (time.perf_counter() - start))
    return rates[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    machine = harness.machine()
    print(machine, harness.busy(machine), sep="\n")
    torch.set_num_threads(options.threads)
    adam = {"name": "adam", "lr": RATE}
    dinno = {"name": "dinno", "rho": RHO, "rho_scaling": GROWTH, "primal_iterations": STEPS, "batch_size": BATCH}
    with tempfile.TemporaryDirectory() as folder:
        small = {
            "holdfast": ours(Path(folder), 10, "cycle", {**dinno, "optimizer": adam}),
            "plain": PlainDinno(10).step,
        }
        seconds = turns(small, options.rounds)
        large = {"dsgd": ours(Path(folder), 1000, "torus", {"name": "dsgd", "batch_size": BATCH})}
        seconds |= turns(large, 3)
    ratio = statistics.median(b / a for a, b in zip(seconds["holdfast"], seconds["plain"], strict=True))
    rates = scans(5)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    rows = [
        ["DiNNO, 10 nodes, a round", f"{medians['holdfast'] * 1e3:.0f} ms", f"{ratio:.2f} x the plain loop's speed"],
        ["the plain loop", f"{medians['plain'] * 1e3:.0f} ms", ""],
        ["2,000 rounds of it with Holdfast", f"{2000 * medians['holdfast']:.0f} s", "aimed at: under 300 s"],
        ["DSGD, 1,000 nodes, a round", f"{medians['dsgd']:.2f} s", "aimed at: seconds"],
        ["lidar, beam samples a second", f"{statistics.median(rates):.3g}", f"aimed at: {BEAM_SAMPLES:.0e}"],
    ]
    print(harness.table(["what", "median", ""], rows))
    content = {
        "machine": machine,
        "threads": options.threads,
        "seconds": seconds,
        "ratio": ratio,
        "beam_samples": rates,
    }
    print("\nwritten:", harness.save("decentralised", content).relative_to(ROOT))


if __name__ == "__main__":
    main()
