"""The summary of a run, told from its files: ``summary.json``.

It holds ``name``, ``version`` (of Holdfast), ``machine``, and

- ``variants``, for each of them
    - ``status``: ``done``, ``diverged``, ``interrupted`` or ``failed``;
    - ``rounds``, ``seconds`` (of the rounds, without evaluations), ``parameters``, ``messages``;
    - ``first_round_seconds``, and ``rounds_per_second`` with and ``rounds_per_second_after_first`` without that round;
    - ``final``: metric to its last value;
    - ``nodes``: metric to ``min``, ``mean`` and ``max`` of the honest nodes' last values, where nodes have their own;
    - ``best``: metric to ``value`` and ``round``; the least for a metric that ends in ``loss`` or ``error``,
      the greatest otherwise; none for what counts bytes, seconds, samples or speakers;
    - ``bytes_up``, ``bytes_down``: all rounds together, in bytes;
    - ``events``: kind to count;
    - ``byzantine``: the nodes;
    - ``engine``: how it was computed;
- ``class_counts``: for each of at most 100 nodes how many samples of each class it holds, or null;
- ``graphs``: of each graph between peers ``variants``, which use it, ``topology``, ``nodes``, whether it is
  ``directed`` and ``changes``; of one that does not change ``spectral_gap`` and ``algebraic_connectivity``, up to 1000
  nodes; and ``frames`` up to 100 nodes, each with ``round``, ``edges`` as pairs, and ``places`` in the unit square;
- ``tradeoff``: what quality cost, or null
    - ``metric``: the one by which variants are compared;
    - ``targets``: a part of the best final value (``0.9``, ``0.95``, ``0.99``) to that value;
    - ``front``: each cost that was recorded (``bytes``, ``virtual_seconds``, ``samples``) to the variants on the Pareto
      front, the cheapest first;
    - ``cost_to_reach``: each cost, each variant, each part to what reaching that target took, in bytes, seconds or
      samples, or null.

A value that is not finite is null: JSON has no other word for it, and ``metrics.csv`` tells which it was.
"""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from holdfast.record.files import plain, write_atomically
from holdfast.record.pareto import tradeoff
from holdfast.record.run_data import SUMMARY, Run, Series, load_run
from holdfast.record.wording import is_counter, less_is_better

__all__ = ["derive", "machine", "summarise"]

_UNKNOWN: dict[str, Any] = {
    "status": "interrupted",
    "seconds": None,
    "first_round_seconds": None,
    "rounds_per_second": None,
    "rounds_per_second_after_first": None,
    "parameters": None,
    "messages": None,
    "engine": {},
}
_MOST_NODES = 100


def summarise(directory: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Tell the summary from the files and write ``summary.json``, all of it or nothing.

    Args:
        directory: the run directory.
        facts: what the files do not know, named as in the summary: ``name``, ``class_counts``, ``graphs``, and
            for each of the ``variants`` ``status``, ``seconds``, ``parameters``, ``byzantine``, ``engine`` and
            ``messages``.

    Returns:
        What the file holds.

    Raises:
        InputError: the directory holds no readable run.
    """
    summary: dict[str, Any] = plain(derive(load_run(directory), facts))
    write_atomically(Path(directory) / SUMMARY, _readable(summary))
    return summary


def derive(run: Run, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a run that was read; a fact that is missing is null, a status ``interrupted``."""
    known = facts.get("variants", {})
    counts = facts.get("class_counts")
    return {
        "name": facts.get("name") or _name(run),
        "version": version("holdfast"),
        "machine": facts.get("machine") or machine(),
        "variants": {v: _variant(run, v, known.get(v, {})) for v in dict.fromkeys([*known, *run.variants])},
        "class_counts": None if counts is None else list(counts)[:_MOST_NODES],
        "graphs": facts.get("graphs", []),
        "tradeoff": tradeoff(run),
    }


def _name(run: Run) -> str:
    """The experiment's name, or else the directory's."""
    try:
        experiment = yaml.safe_load(run.experiment)
    except yaml.YAMLError:
        experiment = None
    named = experiment.get("name") if isinstance(experiment, dict) else None
    return str(named or run.directory.resolve().name)


def _variant(run: Run, variant: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    series = {m: s for m in run.metrics(variant) if (s := run.series(variant, m)) is not None}
    best = {m: _best(m, s) for m, s in series.items() if not is_counter(m)}
    told = {
        "rounds": run.rounds(variant),
        "final": {m: float(s.values[-1]) for m, s in series.items()},
        "nodes": {m: _spread(run, variant, m) for m in run.node_metrics(variant) if not is_counter(m)},
        "best": {m: found for m, found in best.items() if found is not None},
        "bytes_up": round(run.total(variant, "bytes_up")),
        "bytes_down": round(run.total(variant, "bytes_down")),
        "events": dict(Counter(event.kind for event in run.events if event.variant == variant)),
    }
    return {**_UNKNOWN, "byzantine": run.byzantine(variant), **facts, **told}


def _spread(run: Run, variant: str, metric: str) -> dict[str, float]:
    """The least, the mean and the greatest of the honest nodes' last values."""
    series = run.per_node(variant, metric)
    assert series is not None
    honest = series.without(run.byzantine(variant))
    values = (honest if len(honest.rounds) else series).last()[2]
    return {"min": float(values.min()), "mean": float(values.mean()), "max": float(values.max())}


def _best(metric: str, series: Series) -> dict[str, float] | None:
    finite_R = np.isfinite(series.values)
    if not finite_R.any():
        return None
    worst = np.inf if less_is_better(metric) else -np.inf
    values_R = np.where(finite_R, series.values, worst)
    at = int(values_R.argmin() if less_is_better(metric) else values_R.argmax())
    return {"value": float(values_R[at]), "round": int(series.rounds[at])}


def machine() -> dict[str, Any]:
    """The machine and the software that decide a run's speed and its last digits."""
    told = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    if torch.cuda.is_available():
        told["gpu"] = torch.cuda.get_device_name()
    return told


def _processor() -> str:
    """The processor's name; Linux tells the model only in a file."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _readable(summary: dict[str, Any]) -> str:
    """JSON with a line for each thing that is read, but none for each number of a matrix or a graph."""
    parts = []
    for key, value in summary.items():
        wide = key in ("class_counts", "graphs")
        text = json.dumps(value, indent=None if wide else 2, allow_nan=False)
        parts.append(f"  {json.dumps(key)}: " + text.replace("\n", "\n  "))
    return "{\n" + ",\n".join(parts) + "\n}\n"
