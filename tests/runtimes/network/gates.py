"""A problem whose nodes stop where a test wants them to, so that a failure strikes at a known point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field
from torch import Tensor

from holdfast.problems import Task

from ...tiny import Cut, Line, half_square

PATIENCE = 60.0
"""Seconds after which a test that waits in vain fails."""


def until(done: Callable[[], object], what: str) -> None:
    """Wait until something has happened, and fail if it does not."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.005)


class Gated(Line):
    """A line with one sample a node, of which the target is the node's number; at a closed gate its node waits."""

    folder: str = Field(description="where the gates are")

    def load(self, data_dir: Path | None = None) -> Task:
        task = super().load(data_dir)
        return Task(task.model, task.train, task.test, partial(_at_the_gate, Path(self.folder)), metrics={})


def _at_the_gate(folder: Path, outputs: Tensor, targets: Tensor) -> Tensor:
    if len(targets) == 1:
        gate = folder / f"gate-{int(targets)}"
        passes = int(gate.read_text()) if gate.exists() else -1
        if passes > 0:
            _write(gate, passes - 1)
        if passes == 0:
            gate.with_suffix(".reached").touch()
            until(lambda: not gate.exists(), "an open gate")  # also where the test has been killed
    return half_square(outputs, targets)


def _write(gate: Path, passes: int) -> None:
    """Say at once and for all how many batches may pass a gate."""
    gate.with_suffix(".new").write_text(str(passes))
    gate.with_suffix(".new").replace(gate)


class Gates:
    """The gates of a test: one for each node.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def fields(self, nodes: int, **fields: Any) -> dict[str, Any]:
        """The fields of an experiment whose nodes pass the gates, each with a step of 0.5 towards its own number."""
        targets = tuple(map(float, range(nodes)))
        problem = Gated(inputs=((1.0,),) * nodes, targets=targets, start=(10.0,), folder=str(self.folder))
        network = {"deadline": 600.0, **fields.pop("network", {})}
        algorithm = fields.pop("algorithm", {})
        if "name" not in algorithm:
            algorithm = {"name": "fedavg", "local_steps": 1, "optimizer": {"name": "sgd", "lr": 0.5}, **algorithm}
        tiny = {"problem": problem, "nodes": nodes, "partition": Cut(), "engine": "sequential", "rounds": 9}
        return {**tiny, "network": network, "algorithm": algorithm, **fields}

    def close(self, node: int, passes: int = 0) -> None:
        """Let a node wait in its next batch, or after so many more."""
        _write(self.gate(node), passes)

    def reached(self, node: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Wait until a node stands at its gate, and meanwhile do something again and again."""
        there = self.gate(node).with_suffix(".reached")
        until(lambda: (meanwhile(), there.exists())[1], f"node {node} at its gate")

    def open(self, node: int) -> None:
        """Let a node go on."""
        self.gate(node).with_suffix(".reached").unlink(missing_ok=True)
        self.gate(node).unlink()

    def gate(self, node: int) -> Path:
        """The file that is there while the gate is closed."""
        return self.folder / f"gate-{node}"

    @contextmanager
    def closed(self, node: int) -> Iterator[None]:
        """A gate that is closed until the end of the block, which begins when the node has reached it."""
        self.close(node)
        try:
            yield
        finally:
            self.open(node)


def after_rounds(start: float, *cohorts: Sequence[int]) -> float:
    """The model after rounds in which these nodes took part, each half the way to the mean of their numbers."""
    for nodes in cohorts:
        start += 0.5 * (sum(nodes) / len(nodes) - start)
    return start
