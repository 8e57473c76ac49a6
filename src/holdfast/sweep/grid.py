"""A sweep file: an experiment with a ``grid:``, and the experiment of each of its cells."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from holdfast.aggregators import Aggregator
from holdfast.catalogue import build
from holdfast.errors import InputError, nearest
from holdfast.experiment import Experiment
from holdfast.mapping import read
from holdfast.sweep.also import Addition, read_additions
from holdfast.sweep.axes import Axis, Point, plainly, read_axes
from holdfast.sweep.place import put
from holdfast.sweep.where import NUMBERS, read_conditions

__all__ = ["Cell", "Sweep", "blamed", "load_sweep", "without_rule"]

LONGEST_SLUG = 80


@dataclass(frozen=True)
class Cell:
    """One cell of a sweep.

    Args:
        labels: its value on each axis.
        experiment: what it runs; None where that is impossible.
        impossible: why the rule cannot be run as the cell wants it; empty where it can.
    """

    labels: dict[str, str]
    experiment: Experiment | None = field(default=None, repr=False)
    impossible: str = ""

    @cached_property
    def digest(self) -> str:
        """What tells its experiment from every other, whatever it is called."""
        content = self.experiment.as_mapping() if self.experiment else self.labels
        text = json.dumps({**content, "name": ""}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @cached_property
    def slug(self) -> str:
        """Its labels as a file name, a number with the name of its axis, and its digest."""
        words = [f"{name}{text}" if re.match(r"-?\.?\d", text) else text for name, text in self.labels.items()]
        kept = re.sub(r"[^A-Za-z0-9_.+-]+", "-", "-".join(words)).strip("-.")
        return f"{kept[:LONGEST_SLUG]}-{self.digest}"


@dataclass(frozen=True)
class Sweep:
    """A sweep, checked as far as the file can tell.

    Args:
        name: what it is called.
        axes: the axes of the grid.
        cells: every combination that ``where:`` leaves, in the order of the axes.
        content: what the file holds, as plain values.
        source: the folder of the file.
    """

    name: str
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    content: dict[str, Any] = field(repr=False)
    source: Path

    def as_yaml(self) -> str:
        """The sweep as a sweep file."""
        return yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True)


def load_sweep(file: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Sweep:
    """The sweep of a file, or of a mapping that holds the same.

    Raises:
        InputError: the file cannot be read, an axis sets no known field, a condition names what there is not, or a
            cell is no valid experiment for another reason than that its rule cannot keep its promise.

    Example:
        >>> content = {"problem": "digits", "algorithm": "fedavg", "aggregator": "krum"}
        >>> sweep = load_sweep({**content, "nodes": 5, "grid": {"aggregator.f": [1, 2], "seed": [1, 2]}})
        >>> [cell.slug.rpartition("-")[0] for cell in sweep.cells]
        ['f1-seed1', 'f1-seed2', 'f2-seed1', 'f2-seed2']
        >>> sweep.cells[2].impossible
        'aggregator.f must leave krum at least 7 rows'
    """
    is_file = isinstance(file, (str, Path))
    content = read(file, overrides) if is_file else plainly(dict(file))  # type: ignore[arg-type]
    if "grid" not in content:
        remedy = "A file without a grid is for `holdfast run`."
        raise InputError("grid", "be given", None, remedy)
    if content.get("variants"):
        remedy = "Make an axis of the variants: grid: {variant: {plain: {aggregator: mean}, …}}."
        raise InputError("variants", "not stand beside a grid", sorted(content["variants"]), remedy)
    axes = read_axes(content["grid"])
    base = {str(key): value for key, value in content.items() if key not in ("grid", "where", "also")}
    cells = tuple(_cells(base, axes, content.get("where", []), read_additions(content.get("also", []), axes)))
    source = Path(file).parent if is_file else Path.cwd()  # type: ignore[arg-type]
    name = next((cell.experiment.name for cell in cells if cell.experiment), str(base.get("name", "sweep")))
    return Sweep(name, tuple(axes), cells, plainly(content), source)


def _cells(
    base: Mapping[str, Any], axes: Sequence[Axis], conditions: object, additions: Sequence[Addition]
) -> Iterator[Cell]:
    kept = read_conditions(conditions, axes)
    mappings = list(_mappings(base, axes, additions))
    chosen = [found for found in mappings if kept(found[0], found[2])]
    if not chosen:
        raise InputError("where", "leave at least one cell", conditions, "Ask for less.")
    return (_cell(labels, mapping) for labels, mapping, _ in chosen)


_Place = tuple[dict[str, str], dict[str, Any], dict[str, float]]


def _mappings(base: Mapping[str, Any], axes: Sequence[Axis], additions: Sequence[Addition]) -> Iterator[_Place]:
    """The labels, the experiment as a file would hold it, and the numbers of each combination."""
    instead: dict[str, set[str]] = {}
    for points in itertools.product(*(axis.points for axis in axes)):
        labels = {axis.name: point.label for axis, point in zip(axes, points, strict=True)}
        mapping = copy.deepcopy(dict(base))
        _put_all(mapping, [setting for point in points for setting in point.settings.items()], labels, instead)
        numbers = _numbers(points, mapping, axes)
        added = [setting for rule in additions if rule.test(labels, numbers) for setting in rule.settings.items()]
        _put_all(mapping, added, labels, instead)
        yield labels, mapping, numbers
    named = [(f"grid.{axis.key}", path) for axis in axes for path in axis.paths]
    for where, path in [*named, *((rule.field, path) for rule in additions for path in rule.settings)]:
        if instead.get(path):
            required = "set a field that a component of the sweep has"
            raise InputError(where, required, path, nearest(path, instead[path]))


def _put_all(
    mapping: dict[str, Any], settings: Sequence[tuple[str, Any]], labels: dict[str, str], instead: dict[str, set[str]]
) -> None:
    """Set fields, the whole before its parts.

    ``instead`` gets what each path could be that no component of the sweep has had yet; nothing of one that some had.
    """
    for path, value in sorted(settings, key=lambda setting: setting[0].count(".")):
        try:
            known = put(mapping, path, value)
        except InputError as error:
            raise blamed(labels, error) from error.__cause__
        found = not known or instead.get(path) == set()
        instead[path] = set() if found else instead.get(path, set()) | known


def _numbers(points: Sequence[Point], mapping: Mapping[str, Any], axes: Sequence[Axis]) -> dict[str, float]:
    """The numbers of a cell: those of the experiment, and the values of the axes that are numbers."""
    own = {name: mapping.get(name, Experiment.model_fields[name].default) for name in NUMBERS}
    named = {axis.name: point.number for axis, point in zip(axes, points, strict=True)}
    return {**own, **{name: value for name, value in named.items() if value is not None}}


def _cell(labels: dict[str, str], mapping: dict[str, Any]) -> Cell:
    try:
        experiment = Experiment(**mapping)
    except InputError as error:
        if _rule_is_to_blame(mapping):
            return Cell(labels, impossible=f"{error.field} must {error.required}")
        raise blamed(labels, error) from error.__cause__
    return Cell(labels, _without_idle_attack(experiment))


def without_rule(mapping: Mapping[str, Any]) -> Experiment:
    """The experiment with the rule that stands where none is named, which asks for nothing."""
    return Experiment(**{**mapping, "aggregator": None})


def _rule_is_to_blame(mapping: Mapping[str, Any]) -> bool:
    """Whether the experiment is valid but for what its rule, itself a valid one, asks of the inbox."""
    try:
        without_rule(mapping)
        build(Aggregator, mapping.get("aggregator"))
    except InputError:
        return False
    return True


def _without_idle_attack(experiment: Experiment) -> Experiment:
    """Without attackers it is the same experiment whatever the attack, so that it runs once for all of them."""
    attack = experiment.attack
    idle = attack is not None and len(attack.byzantine(experiment.nodes, experiment.seed)) == 0
    return experiment.model_copy(update={"attack": None}) if idle else experiment


def blamed(labels: Mapping[str, str], error: InputError) -> InputError:
    """The error, said of a cell."""
    cell = ", ".join(f"{name}={text}" for name, text in labels.items())
    return InputError(f"In the cell {cell}: {error.field}", error.required, error.given, error.remedy)
