"""A sweep of a few cells that take a moment each, and records that nobody had to run for."""

from __future__ import annotations

from typing import Any

from holdfast.sweep.results import Record

TINY: dict[str, Any] = {
    "name": "tiny",
    "problem": {"name": "tests.tiny:Blobs"},
    "nodes": 4,
    "rounds": 2,
    "evaluate_every": 2,
    "metrics": ["test_accuracy"],
    "algorithm": {"name": "fedavg", "local_steps": 1},
    "engine": "sequential",
}


def record(value: float | None, status: str = "done", attackers: int = 1, **labels: str) -> Record:
    """What came out of a cell, told by its accuracy."""
    values = {} if value is None else {"test_accuracy": value, "attackers": float(attackers), "seconds": 1.0}
    return Record(labels, status, values=values)
