"""What quality costs over the cells of a sweep: all of them in one picture, and the Pareto front."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from holdfast.record.costs import times_less
from holdfast.record.page import Plot
from holdfast.record.pareto import front
from holdfast.record.theme import LIGHT
from holdfast.record.wording import COSTS, less_is_better, shown, title
from holdfast.sweep.axes import Axis
from holdfast.sweep.pictures import Spot, scatter
from holdfast.sweep.results import Record
from holdfast.sweep.robust import mean_and_spread, tile
from holdfast.sweep.views import View

__all__ = ["Price", "price_plot", "price_table", "prices"]

_PARTS = {"bytes": ("bytes_up", "bytes_down"), "virtual_seconds": ("virtual_seconds",)}
_DIFFERS = 1.05
"""From this ratio of the greatest to the least cost on, there is something to choose."""


@dataclass(frozen=True)
class Price:
    """The cells of a sweep by one cost; those that differ in their seed alone are one spot.

    Args:
        cost: the cost.
        metric: the metric of quality.
        axes: the axes that have several values, but the seeds.
        labels: (P) for each spot its values on these axes.
        spots: (P) what each spot costs and is worth.
        front: the places of those on the Pareto front, the cheapest first.
    """

    cost: str
    metric: str
    axes: tuple[Axis, ...]
    labels: tuple[tuple[str, ...], ...]
    spots: tuple[Spot, ...]
    front: tuple[int, ...]


def prices(view: View) -> Iterator[Price]:
    """The cells by each cost in which they differ."""
    for cost in _PARTS:
        found = _price(view, cost)
        costs = [spot.cost for spot in found.spots]
        if costs and min(costs) >= 0 and max(costs) > _DIFFERS * min(costs):
            yield found


def _price(view: View, cost: str) -> Price:
    axes = tuple(axis for axis in view.axes if len(axis.points) > 1 and axis is not view.roles.seed)
    groups: dict[tuple[str, ...], list[Record]] = {}
    for record in view.records:
        groups.setdefault(tuple(record.labels[axis.name] for axis in axes), []).append(record)
    placed = {labels: _spot(records, labels, axes, view.metric, cost) for labels, records in groups.items()}
    spots = {labels: spot for labels, spot in placed.items() if spot is not None}
    costs_P, values_P = np.array([(spot.cost, spot.tile.mean) for spot in spots.values()]).reshape(-1, 2).T
    best = front(costs_P, values_P, less_is_better(view.metric))
    return Price(cost, view.metric, axes, tuple(spots), tuple(spots.values()), tuple(best.tolist()))


def _spot(
    records: Sequence[Record], labels: Sequence[str], axes: Sequence[Axis], metric: str, cost: str
) -> Spot | None:
    """What these cells cost and are worth on average; None where one of them has no finite value or no cost."""
    found = tile(records, metric)
    spent = [sum(r.values[part] for part in _PARTS[cost]) for r in records if _PARTS[cost][0] in r.values]
    if found.status != "done" or not spent:
        return None
    place = axes[0].labels.index(labels[0]) if axes else 0
    return Spot(float(np.mean(spent)), found, place, labels[0] if axes else "")


def price_plot(price: Price) -> Plot:
    """The picture of it, with one colour for each value of the first axis."""
    several = any(spot.tile.count > 1 for spot in price.spots)
    dots = "a dot a cell" if not several else "a dot the mean over the seeds, a bar their standard deviation"
    caption = (
        f"{title(price.metric)} against the {COSTS[price.cost]}: {dots}. "
        "The broad line is the Pareto front: what is on it is better than all that costs as little."
    )
    draw = partial(scatter, price.spots, price.front, price.cost, price.metric, price.axes[0].name)
    return Plot(f"price-{price.cost}", caption, draw, wide=True)


def price_table(price: Price) -> dict[str, Any]:
    """The cells on the front, every number as text already."""
    most = max(spot.cost for spot in price.spots)
    return {
        "heading": f"On the Pareto front of {title(price.metric).lower()} against the {COSTS[price.cost]}",
        "axes": [axis.name for axis in price.axes],
        "metric": title(price.metric),
        "rows": [
            {
                "labels": price.labels[place],
                "dot": price.spots[place].place % len(LIGHT.variants),
                "quality": mean_and_spread(price.spots[place].tile, price.metric),
                "cost": shown(price.cost, price.spots[place].cost),
                "less": " ".join(times_less(price.spots[place].cost, most)),
            }
            for place in price.front
        ],
    }
