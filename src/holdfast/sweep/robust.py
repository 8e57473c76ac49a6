"""What an attack takes from a rule: means over the seeds, the worst case over the attacks, and the breakdown point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from holdfast.record.wording import less_is_better, shown
from holdfast.sweep.axes import Axis
from holdfast.sweep.results import MEASURED, Record

__all__ = ["Breakdown", "Roles", "Tile", "breakdown", "mean_and_spread", "over_seeds", "roles", "tile", "worst_over"]

UNFINISHED = ("failed", "interrupted", "waiting")


@dataclass(frozen=True)
class Roles:
    """Which axis is what; None where there is none.

    Args:
        rule: the axis that sets the aggregation rule.
        attack: the axis that sets the attack.
        f: the axis that sets how many attack, or how many the rule must tolerate.
        seed: the axis of the seeds.
        others: all other axes.
    """

    rule: Axis | None
    attack: Axis | None
    f: Axis | None
    seed: Axis | None
    others: tuple[Axis, ...]


def roles(axes: Sequence[Axis]) -> Roles:
    """Which axis is what, by the fields that they set.

    Example:
        >>> from holdfast.sweep.axes import read_axes
        >>> found = roles(read_axes({"aggregator": ["mean"], "attack.nodes": [1], "nodes": [5], "seed": [1]}))
        >>> found.rule.name, found.attack, found.f.name, [axis.name for axis in found.others]
        ('aggregator', None, 'attack.nodes', ['nodes'])
    """
    left = list(axes)

    def take(*paths: str) -> Axis | None:
        chosen = next((axis for axis in left if any(path in axis.paths for path in paths)), None)
        if chosen is not None:
            left.remove(chosen)
        return chosen

    rule, attack, f, seed = take("aggregator"), take("attack"), take("attack.nodes", "aggregator.f"), take("seed")
    return Roles(rule, attack, f, seed, tuple(left))


@dataclass(frozen=True)
class Tile:
    """What stands in one place of a picture or a table.

    Args:
        status: ``done``, ``diverged`` (not finite), ``impossible``, ``failed``, ``interrupted`` or ``waiting``.
        mean: the mean over the cells that fall together.
        std: their sample standard deviation.
        count: how many they are.
    """

    status: str
    mean: float = math.nan
    std: float = 0.0
    count: int = 0


def tile(records: Sequence[Record], metric: str) -> Tile:
    """What cells that differ in nothing but their seed have in common."""
    values = np.array([r.values[metric] for r in records if r.status in MEASURED and metric in r.values])
    if not len(values):
        statuses = [record.status for record in records]
        return Tile(next((s for s in (*UNFINISHED, "impossible") if s in statuses), "waiting"))
    if not np.isfinite(values).all():
        return Tile("diverged", count=len(values))
    return Tile("done", float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0, len(values))


def mean_and_spread(found: Tile, metric: str) -> str:
    """What stands in a place, in words; the spread where several cells fall together.

    Example:
        >>> mean_and_spread(Tile("done", 0.5, 0.01, 3), "test_accuracy")
        '50.0% ± 1.0%'
    """
    return shown(metric, found.mean) + (f" ± {shown(metric, found.std)}" if found.count > 1 else "")


def over_seeds(records: Sequence[Record], axes: Sequence[str], metric: str) -> dict[tuple[str, ...], Tile]:
    """A tile for each combination of labels on some axes, all of which but the seeds are among them."""
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(tuple(record.labels[axis] for axis in axes), []).append(record)
    return {labels: tile(found, metric) for labels, found in groups.items()}


def worst_over(records: Iterable[Record], axis: str, metric: str) -> list[Record]:
    """For each combination of the other axes, the seeds among them, the cell in which the metric is worst.

    One that is not finite is worse than any other. Where a cell failed or was not run, nobody knows the worst, and that
    cell stands for all of them.
    """
    groups: dict[tuple[tuple[str, str], ...], list[Record]] = {}
    for record in records:
        rest = tuple((name, label) for name, label in record.labels.items() if name != axis)
        groups.setdefault(rest, []).append(record)
    return [max(found, key=lambda record: _badness(record, metric)) for found in groups.values()]


def _badness(record: Record, metric: str) -> tuple[int, float]:
    if record.status not in MEASURED or metric not in record.values:
        return 0 if record.status == "impossible" else 3, 0.0
    value = record.values[metric]
    if not math.isfinite(value):
        return 2, 0.0
    return 1, value if less_is_better(metric) else -value


@dataclass(frozen=True)
class Breakdown:
    """Up to which f a rule holds, contiguously from the least one.

    Args:
        rule: the rule.
        holds: the greatest f at which it keeps enough of its quality; None where it holds at none.
        value: what it ends with there.
        at: the next f, at which it does not; None where it holds at every f.
        why: what happens there: ``quality`` (too little is left), ``diverged``, ``impossible``, or ``failed``,
            ``interrupted`` and ``waiting``, which leave the question open.
        baseline: the quality without attackers.
    """

    rule: str
    holds: str | None
    value: Tile | None
    at: str | None
    why: str
    baseline: float


def breakdown(rule: str, worst: Sequence[tuple[str, Tile]], baseline: float, keep: float, metric: str) -> Breakdown:
    """The breakdown point of a rule.

    Args:
        rule: the rule.
        worst: each f, ascending, and what is left there under the worst attack.
        baseline: the quality without attackers.
        keep: the part of it that must be left; of a loss, the part that the baseline must be of it.
        metric: the metric.

    Example:
        >>> left = [("0", 0.9), ("2", 0.8), ("4", 0.3)]
        >>> found = breakdown("krum", [(f, Tile("done", x)) for f, x in left], 0.9, 0.5, "test_accuracy")
        >>> found.holds, found.at, found.why
        ('2', '4', 'quality')
    """
    holds, value = None, None
    for f, found in worst:
        enough = found.mean <= baseline / keep if less_is_better(metric) else found.mean >= keep * baseline
        if found.status != "done" or not enough:
            return Breakdown(rule, holds, value, f, "quality" if found.status == "done" else found.status, baseline)
        holds, value = f, found
    return Breakdown(rule, holds, value, None, "", baseline)
