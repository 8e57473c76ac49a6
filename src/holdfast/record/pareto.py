"""What quality costs: the Pareto front over all evaluations of a run, and what reaching a target took.

A cost is one of `holdfast.record.wording.COSTS`: ``bytes``, the payload that all nodes have sent and received so far;
``virtual_seconds``, which are recorded as the time since the start; ``samples``, recorded for each round alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.record.run_data import Run
from holdfast.record.wording import COSTS, compared_by, less_is_better
from holdfast.types import FloatArray, IntArray

__all__ = ["LEVELS", "Front", "costs_of", "front", "pareto", "reached", "spent", "targets", "tradeoff"]

LEVELS = (0.9, 0.95, 0.99)
"""The parts of the best final quality for which the record tells what they cost."""
_PARTS = {"bytes": ("bytes_up", "bytes_down"), "samples": ("samples",)}


@dataclass(frozen=True)
class Front:
    """The evaluations that no other one beats, by ascending cost: (P,) ``holders``, ``costs``, ``values``."""

    holders: tuple[str, ...]
    costs: FloatArray
    values: FloatArray

    @property
    def variants(self) -> list[str]:
        """The variants that hold a part of it, from the least cost to the greatest."""
        return list(dict.fromkeys(self.holders))


def front(costs_P: FloatArray, values_P: FloatArray, less: bool = False) -> IntArray:
    """The Pareto front: the points that are better than every point that costs as little.

    {p : v_q < v_p for all q ≠ p with c_q ≤ c_p}, and of points that are alike the first.

    Args:
        costs_P: (P,) what each point costs.
        values_P: (P,) how good it is; finite.
        less: whether less of it is better.

    Returns:
        Their places, by ascending cost.

    Example:
        >>> front(np.array([4.0, 1.0, 2.0, 3.0]), np.array([0.9, 0.5, 0.4, 0.8])).tolist()
        [1, 3, 0]
    """
    worth_P = -values_P if less else values_P
    order_P = np.lexsort((-worth_P, costs_P))
    best_P = np.maximum.accumulate(worth_P[order_P])
    rises_P = np.diff(best_P, prepend=-np.inf) > 0
    result: IntArray = order_P[rises_P]
    return result


def spent(run: Run, variant: str, cost: str, rounds_R: IntArray | FloatArray) -> FloatArray | None:
    """What a variant had spent by the end of each of some rounds, (R,); None where that was not recorded."""
    found = [s for part in _PARTS.get(cost, (cost,)) if (s := run.series(variant, part)) is not None]
    totals = [(s.rounds, s.values.cumsum() if cost in _PARTS else s.values) for s in found]
    each = [np.append(0.0, total)[np.searchsorted(at, rounds_R, side="right")] for at, total in totals]
    return np.sum(each, axis=0) if each else None


def costs_of(run: Run) -> list[str]:
    """The costs that were recorded, and were not nothing."""
    last_R = np.array([np.iinfo(np.int64).max])
    totals = ((cost, spent(run, variant, cost, last_R)) for cost in COSTS for variant in run.variants)
    return list(dict.fromkeys(cost for cost, total in totals if total is not None and total[0] > 0))


def pareto(run: Run, metric: str, cost: str) -> Front:
    """The front of a metric over a cost: every finite evaluation of every variant counts.

    What is no better than the model before training, which costs nothing, is not on it; nor is that model.
    """
    holders, parts = list[str](), [np.empty((3, 0))]
    for variant in run.variants:
        found = _evaluations(run, variant, metric, cost)
        if found is not None:
            holders += [variant] * found.shape[1]
            parts.append(found)
    rounds_P, costs_P, values_P = np.concatenate(parts, axis=1)
    at_P = front(costs_P, values_P, less_is_better(metric))
    at_P = at_P[rounds_P[at_P] > 0]
    return Front(tuple(holders[at] for at in at_P), costs_P[at_P], values_P[at_P])


def _evaluations(run: Run, variant: str, metric: str, cost: str) -> FloatArray | None:
    """(3, R) the rounds of the finite evaluations, what had been spent by then, and the values."""
    series = run.series(variant, metric)
    costs_R = None if series is None else spent(run, variant, cost, series.rounds)
    if series is None or costs_R is None:
        return None
    found_3R = np.stack([series.rounds.astype(np.float64), costs_R, series.values])
    return found_3R[:, np.isfinite(series.values)]


def targets(run: Run, metric: str) -> dict[float, float]:
    """For each of `LEVELS` the value that is this part of the best final one; none where that is not above 0.

    Of a metric of which less is better, the best value is that part of the target.
    """
    finals = [s.values[-1] for v in run.variants if (s := run.series(v, metric)) is not None]
    finite = [float(value) for value in finals if np.isfinite(value)]
    best = (min if less_is_better(metric) else max)(finite, default=0.0)
    if best <= 0:
        return {}
    return {level: best / level if less_is_better(metric) else best * level for level in LEVELS}


def reached(run: Run, variant: str, metric: str, cost: str, target: float) -> float | None:
    """What a variant had spent when an evaluation first was as good as the target; None where none was."""
    found = _evaluations(run, variant, metric, cost)
    if found is None:
        return None
    _, costs_R, values_R = found
    good_R = values_R <= target if less_is_better(metric) else values_R >= target
    return float(costs_R[good_R.argmax()]) if good_R.any() else None


def tradeoff(run: Run) -> dict[str, Any] | None:
    """What ``summary.json`` tells of it; None where nothing was measured, or nothing spent."""
    metric, costs = compared_by(run.metrics()), costs_of(run)
    if metric is None or not costs:
        return None
    wanted = targets(run, metric)
    return {
        "metric": metric,
        "targets": {str(level): target for level, target in wanted.items()},
        "front": {cost: pareto(run, metric, cost).variants for cost in costs},
        "cost_to_reach": {
            cost: {
                v: {str(level): reached(run, v, metric, cost, target) for level, target in wanted.items()}
                for v in run.variants
            }
            for cost in costs
        },
    }
