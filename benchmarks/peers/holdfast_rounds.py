"""Holdfast's own contender in the round benchmark: FedAvg over synthetic MNIST-shaped data, seconds a round."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

from holdfast import Experiment
from holdfast.models import Model
from holdfast.prepare import Preparer
from holdfast.problems import Problem, Task
from holdfast.record.recorder import Recorder
from holdfast.runtimes.simulation import Simulation

SAMPLES = 60_000
MODELS = {"mlp": "mlp", "logistic": "logistic", "cnn": "cnn"}


class Synthetic(Problem):
    """Uniform random images with random labels: only the arithmetic counts here."""

    model: str = "mlp"

    def load(self, data_dir: Path | None = None) -> Task:
        """60,000 samples of shape (1, 28, 28)."""
        from holdfast.catalogue import build

        source = torch.Generator().manual_seed(0)
        x = torch.rand(SAMPLES, 1, 28, 28, generator=source)
        y = torch.randint(0, 10, (SAMPLES,), generator=source)
        network = build(Model, self.model)
        return Task(model=lambda: network.build((1, 28, 28), 10), train=(x, y), test=(x[:100], y[:100]), classes=10)


def seconds_per_round(model: str, clients: int, rounds: int, engine: str) -> tuple[str, list[float]]:
    """The engine that ran, and the time of each round after a first one that warms up."""
    experiment = Experiment(
        problem=Synthetic(model=model),
        nodes=100,
        participation=clients / 100,
        algorithm={
            "name": "fedavg",
            "local_epochs": 1,
            "batch_size": 32,
            "optimizer": {"name": "sgd", "lr": 0.1},
        },
        rounds=rounds + 1,
        engine=engine,
    )
    prepared = Preparer().prepare(experiment)
    seconds = []
    with tempfile.TemporaryDirectory() as folder, Recorder(Path(folder), "main") as log:
        simulation = Simulation(prepared, log)
        for round in range(1, rounds + 2):
            start = time.perf_counter()
            simulation.step(round)
            seconds.append(time.perf_counter() - start)
    return f"{prepared.engine.name}, {prepared.engine.chunk} rows", seconds[1:]


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(MODELS), default="mlp")
    parser.add_argument("--clients", type=int, choices=(20, 100), default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", choices=("auto", "stacked", "sequential"), default="auto")
    options = parser.parse_args()
    engine, seconds = seconds_per_round(options.model, options.clients, options.rounds, options.engine)
    print(
        json.dumps(
            {
                "peer": "holdfast",
                "version": version("holdfast"),
                "model": options.model,
                "clients": options.clients,
                "rounds": options.rounds,
                "engine": engine,
                "seconds_per_round": seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
