"""Which pictures a sweep has: what stands on their axes, and over what they are taken."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from holdfast.record.files import safe_name
from holdfast.record.page import Plot
from holdfast.record.wording import less_is_better, title
from holdfast.sweep.axes import Axis
from holdfast.sweep.pictures import Grid, Line, curves, heat, is_wide, scale
from holdfast.sweep.results import MEASURED, Record
from holdfast.sweep.robust import Breakdown, Roles, Tile, breakdown, over_seeds, roles, tile, worst_over

__all__ = ["View", "in_order", "sections"]

MOST_PANELS = 24
"""Of more combinations of the other axes, the report shows so many."""


@dataclass(frozen=True)
class View:
    """What came out of a sweep, seen by one metric.

    Args:
        axes: the axes of the sweep.
        records: what came out of its cells.
        metric: the metric.
        keep: the part of its quality that a rule must keep.
    """

    axes: Sequence[Axis]
    records: Sequence[Record]
    metric: str
    keep: float

    @cached_property
    def roles(self) -> Roles:
        """Which axis is what."""
        return roles(self.axes)

    @cached_property
    def worst(self) -> Sequence[Record]:
        """The cells with the worst attack of all; every cell where the attack does not vary."""
        return worst_over(self.records, self.roles.attack.name, self.metric) if self.roles.attack else self.records

    @cached_property
    def ranked(self) -> list[Axis]:
        """The axes that pictures are drawn over: rule, attack and f first, then those with most values."""
        found = self.roles
        first = [axis for axis in (found.rule, found.attack, found.f) if axis is not None]
        rest = sorted(found.others, key=lambda axis: -len(axis.points))
        return [*first, *rest] or [axis for axis in (found.seed,) if axis is not None]

    def panels(self, axes: Sequence[Axis]) -> Iterator[tuple[str, dict[str, str]]]:
        """Each combination of labels on some axes that has cells, by what it is called."""
        several = [axis for axis in axes if len(axis.points) > 1]
        for labels in itertools.product(*(axis.labels for axis in axes)):
            chosen = {axis.name: label for axis, label in zip(axes, labels, strict=True)}
            if any(chosen.items() <= record.labels.items() for record in self.records):
                yield ", ".join(f"{axis.name} = {chosen[axis.name]}" for axis in several), chosen

    def breakdowns(self) -> Iterator[tuple[str, list[Breakdown]]]:
        """For each combination of the other axes the breakdown point of each rule; none without both axes."""
        rule, f = self.roles.rule, self.roles.f
        if rule is None or f is None:
            return
        for name, chosen in self.panels(self.roles.others):
            own = [record for record in self.worst if chosen.items() <= record.labels.items()]
            tiles = over_seeds(own, (rule.name, f.name), self.metric)
            best = self._best(tiles.values())
            found = []
            for label in rule.labels:
                left = [(each, tiles[label, each]) for each in in_order(f) if (label, each) in tiles]
                baseline = self._baseline({**chosen, rule.name: label}, f.name, left, best)
                found += [breakdown(label, left, baseline, self.keep, self.metric)] if left else []
            yield name, found

    def _best(self, tiles: Iterable[Tile]) -> float:
        means = [found.mean for found in tiles if found.status == "done"]
        return (min if less_is_better(self.metric) else max)(means, default=math.nan)

    def _baseline(self, chosen: dict[str, str], f: str, worst: Sequence[tuple[str, Tile]], best: float) -> float:
        """The quality without attackers: of the same rule with the least f, or else the best of all rules."""
        own = [record for record in self.records if chosen.items() <= record.labels.items()]
        for label, least in worst:
            here = [record for record in own if record.labels[f] == label and record.status in MEASURED]
            honest = tile([record for record in here if record.values.get("attackers") == 0], self.metric)
            if honest.status == "done":
                return honest.mean
            if least.status == "done":
                return least.mean
        return best


def in_order(axis: Axis) -> list[str]:
    """The labels of an axis by their numbers, those without one last."""
    points = sorted(axis.points, key=lambda point: math.inf if point.number is None else point.number)
    return [point.label for point in points]


def sections(view: View) -> Iterator[tuple[str, list[Plot]]]:
    """The pictures of a report under their headings."""
    attack = view.roles.attack
    left = [axis for axis in view.ranked if axis is not attack]
    if attack is not None and left:
        yield "Worst case over the attacks", [*_curves(view, left), *_heats(view, left, view.worst, "worst case")]
        yield "Each attack", list(_heats(view, view.ranked, view.records, ""))
    else:
        yield "Results", [*_heats(view, view.ranked, view.records, ""), *_curves(view, left)]


def _heats(view: View, axes: Sequence[Axis], records: Sequence[Record], what: str) -> Iterator[Plot]:
    """Heat maps over the first two axes, one for each combination of the others."""
    down, across, rest = axes[0], axes[1] if len(axes) > 1 else None, axes[2:]
    grids = [
        (name, _grid(view, [r for r in records if chosen.items() <= r.labels.items()], down, across, (what, name)))
        for name, chosen in itertools.islice(view.panels(rest), MOST_PANELS)
    ]
    norm = scale(view.metric, [grid for _, grid in grids])
    for name, grid in grids:
        caption = _heat_caption(view, grid, what, name)
        stem = _stem("heat", what, name)
        yield Plot(stem, caption, partial(heat, grid, norm), is_wide(grid))


def _stem(*words: str) -> str:
    """The name of a file, of words that are not empty."""
    return safe_name(re.sub(r"[ =,]+", "-", "-".join(word for word in words if word)))


def _grid(view: View, records: Sequence[Record], down: Axis, across: Axis | None, words: Sequence[str]) -> Grid:
    names = [down.name, across.name] if across is not None else [down.name]
    tiles = over_seeds(records, names, view.metric)
    rows = [label for label in down.labels if any(key[0] == label for key in tiles)]
    columns = across.labels if across is not None else [title(view.metric).lower()]
    cols = [label for label in columns if across is None or any(key[1] == label for key in tiles)]
    placed = {(rows.index(key[0]), cols.index(key[1]) if across else 0): found for key, found in tiles.items()}
    heading = ", ".join([title(view.metric), *(word for word in words if word)])
    return Grid(heading, view.metric, down.name, across.name if across else "", tuple(rows), tuple(cols), placed)


def _heat_caption(view: View, grid: Grid, what: str, name: str) -> str:
    attack = view.roles.attack
    over = [f"the worst of the {len(attack.points)} attacks"] if what and attack is not None else []
    most = max((found.count for found in grid.tiles.values()), default=0)
    over += [f"mean ± standard deviation over {most} seeds"] if most > 1 else []
    where = f" with {name}" if name else ""
    by = f"{grid.row_axis} and {grid.col_axis}" if grid.col_axis else grid.row_axis
    notes = " Brighter is better."
    if any(found.status == "impossible" for found in grid.tiles.values()):
        notes += " Hatched: the rule cannot keep its promise with so many rows, and was not run."
    told = f": {', '.join(over)}" if over else ""
    return f"{title(view.metric)} by {by}{where}{told}.{notes}"


def _curves(view: View, axes: Sequence[Axis]) -> Iterator[Plot]:
    """Curves over f, or else over the axis with most numbers, one line for each value of the next axis."""
    able = [axis for axis in axes if len(axis.points) > 1 and axis is not view.roles.seed]
    numeric = [axis for axis in able if all(point.number is not None for point in axis.points)]
    x = view.roles.f if view.roles.f in numeric else max(numeric, key=lambda a: len(a.points), default=None)
    if x is None:
        return
    others = [axis for axis in axes if axis is not x]
    for name, chosen in itertools.islice(view.panels(others[1:]), MOST_PANELS):
        records = [record for record in view.worst if chosen.items() <= record.labels.items()]
        lines = _lines(view, records, x, others[0] if others else None)
        case = "worst case" if view.roles.attack else ""
        heading = ", ".join(word for word in (title(view.metric), case, name) if word)
        stem = _stem("curve", case, name)
        draw = partial(curves, lines, heading, x.name, others[0].name if others else "", view.metric)
        yield Plot(stem, _curve_caption(view, lines, x, name), draw)


def _lines(view: View, records: Sequence[Record], x: Axis, each: Axis | None) -> list[Line]:
    numbers = {point.label: point.number for point in x.points}
    names = [x.name, each.name] if each is not None else [x.name]
    tiles = over_seeds(records, names, view.metric)
    lines = []
    for place, label in enumerate(each.labels if each is not None else [title(view.metric).lower()]):
        own = [(numbers[key[0]], found) for key, found in tiles.items() if each is None or key[1] == label]
        if own:
            lines.append(Line(label, place, [(number, found) for number, found in own if number is not None]))
    return lines


def _curve_caption(view: View, lines: Sequence[Line], x: Axis, name: str) -> str:
    found = [tile for line in lines for _, tile in line.points]
    case = " under the worst attack" if view.roles.attack else ""
    text = f"{title(view.metric)}{case} against {x.name}{f' with {name}' if name else ''}."
    most = max((tile.count for tile in found), default=0)
    text += f" Bars: the standard deviation over {most} seeds." if most > 1 else ""
    statuses = {tile.status for tile in found}
    text += f" A square: beyond this {x.name} the rule cannot be run." if "impossible" in statuses else ""
    return text + (" A cross at the bottom: the model diverged." if "diverged" in statuses else "")
