"""What robust rules cost a training: steps of the CIFAR-10 network with 19 workers, rules taking turns."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import torch

import harness
from harness import ROOT
from holdfast import Experiment
from holdfast.models.cnnet import Cnnet
from holdfast.prepare import Preparer
from holdfast.problems import Problem, Task
from holdfast.record.recorder import Recorder
from holdfast.runtimes.simulation import Simulation

WORKERS, BYZANTINE, BATCH = 19, 4, 32
LOST = {"multi_krum": (0.19, 0.05), "bulyan": (0.43, 0.10)}
"""The share of the throughput that AggregaThor's paper loses, and what is aimed at."""


class Synthetic(Problem):
    """Random images of CIFAR-10's shape: only the arithmetic counts here."""

    def load(self, data_dir: Path | None = None) -> Task:
        """A batch for every worker."""
        source = torch.Generator().manual_seed(0)
        x = torch.rand(WORKERS * BATCH, 3, 32, 32, generator=source)
        y = torch.randint(0, 10, (len(x),), generator=source)
        model = Cnnet()
        return Task(model=lambda: model.build((3, 32, 32), 10), train=(x, y), test=(x[:10], y[:10]), classes=10)


def simulation(rule: str, folder: Path) -> Simulation:
    """A run with one rule, warmed up by its first step."""
    fields = {} if rule == "mean" else {"f": BYZANTINE}
    algorithm = {"name": "robust_sgd", "batch_size": BATCH, "optimizer": {"name": "sgd", "lr": 0.01}}
    experiment = Experiment(
        problem=Synthetic(),
        nodes=WORKERS,
        algorithm=algorithm,
        aggregator={"name": rule, **fields},
        engine="sequential",
    )
    made = Simulation(Preparer().prepare(experiment), Recorder(folder / rule, rule))
    made.step(1)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=9)
    steps = parser.parse_args().steps
    machine = harness.machine()
    print(machine, harness.busy(machine), sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        runs = {rule: simulation(rule, Path(folder)) for rule in ("mean", *LOST)}
        seconds: dict[str, list[float]] = {rule: [] for rule in runs}
        for step in range(2, steps + 2):
            for rule, run in runs.items():
                start = time.perf_counter()
                run.step(step)
                seconds[rule].append(time.perf_counter() - start)
    medians = {rule: statistics.median(found) for rule, found in seconds.items()}
    lost = {
        rule: statistics.median(1 - a / b for a, b in zip(seconds["mean"], seconds[rule], strict=True)) for rule in LOST
    }
    lines = [["mean", f"{medians['mean']:.2f}", "", "", ""]]
    for rule, (paper, aim) in LOST.items():
        lines.append([rule, f"{medians[rule]:.2f}", f"{lost[rule]:.1%}", f"{aim:.0%}", f"{paper:.0%}"])
    print(harness.table(["rule", "s a step", "lost", "aimed at", "paper"], lines))
    content = {"machine": machine, "seconds": seconds, "lost": lost}
    print("\nwritten:", harness.save("training", content).relative_to(ROOT))


if __name__ == "__main__":
    main()
