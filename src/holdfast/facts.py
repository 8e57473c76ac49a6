"""What the summary of a run tells that its record does not: how it went, who holds what, and the graphs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from holdfast.due import Clock
from holdfast.experiment import Experiment
from holdfast.graphs import PICTURED_NODES, pictured
from holdfast.prepare import Prepared
from holdfast.runtimes.rounds import Rounds

__all__ = ["FIRST", "facts_of_run", "facts_of_variant"]

FIRST = "first_round_seconds"
"""The fact by which a checkpoint, too, knows how long the first round took."""


def facts_of_variant(
    run: Prepared, simulation: Rounds, status: str, clock: Clock, pinned: bool, warm_up: float
) -> dict[str, Any]:
    """What is known of a variant when it has ended.

    Args:
        run: the variant.
        simulation: its rounds.
        status: how they ended.
        clock: how long they took.
        pinned: whether all computed with the engine of this process.
        warm_up: how long that of the rule took, in seconds.
    """
    engine: dict[str, Any] = {"name": "chosen by each process"}
    if pinned:
        timings = [asdict(timing) for timing in run.timings]
        engine = {"name": run.engine.name, "chunk_rows": run.engine.chunk, "timings": timings}
    return {
        "status": status,
        "seconds": clock.seconds,
        FIRST: clock.first,
        "rounds_per_second": clock.rate(simulation.round),
        "rounds_per_second_after_first": clock.rate_after_first(simulation.round),
        "parameters": run.engine.layout.columns,
        "byzantine": run.parts.byzantine.tolist(),
        "engine": engine | {"warm_up_seconds": warm_up},
        "messages": simulation.messages,
    }


def facts_of_run(experiment: Experiment, prepared: dict[str, Prepared], variants: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run, and of each of its variants.

    Args:
        experiment: the experiment.
        prepared: its variants.
        variants: of each that was begun, its facts.
    """
    first = next(iter(prepared.values()))
    return {
        "name": experiment.name,
        "variants": {name: variants[name] for name in prepared if name in variants},
        "class_counts": _class_counts(first),
        "graphs": _graphs(prepared),
    }


def _class_counts(run: Prepared) -> list[list[int]] | None:
    if run.data.classes is None or not run.experiment.partition.public:
        return None
    targets = run.data.train[1].cpu().numpy()
    shards = [np.asarray(run.data.shards[node]) for node in range(min(PICTURED_NODES, run.experiment.nodes))]
    return [np.bincount(targets[shard], minlength=run.data.classes).tolist() for shard in shards]


def _graphs(prepared: dict[str, Prepared]) -> list[dict[str, Any]]:
    """Every graph of the variants among peers, once, with the names of those that use it."""
    found: dict[str, dict[str, Any]] = {}
    for name, run in prepared.items():
        if run.peers:
            experiment = run.experiment
            decisive = {"topology", "nodes", "seed", "rounds", *(["problem"] if run.robots else [])}
            key = json.dumps(experiment.model_dump(mode="json", include=decisive), sort_keys=True, default=str)
            if key not in found:
                size = experiment.nodes, experiment.seed, experiment.rounds
                found[key] = {"variants": [], **pictured(run.topology, *size)}
            found[key]["variants"].append(name)
    return list(found.values())
