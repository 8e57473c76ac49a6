"""The axes of a grid: what each of them sets, and what its values are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from holdfast.component import Component
from holdfast.errors import InputError, nearest

__all__ = ["Axis", "Point", "find", "label", "number", "plainly", "read_axes", "value_of"]

RESERVED = ("status", "reason", "directory")
"""The columns of ``results.csv`` that no axis may be called."""


@dataclass(frozen=True)
class Point:
    """One value of an axis: what it is called, and the fields that it sets, by their dotted paths."""

    label: str
    settings: dict[str, Any]

    @property
    def number(self) -> float | None:
        """The value as a number, where it is one: what all its fields are set to, or else its label."""
        values = list(self.settings.values())
        alike = bool(values) and all(value == values[0] for value in values)
        given = number(values[0]) if alike else None
        return _parsed(self.label) if given is None else given


@dataclass(frozen=True)
class Axis:
    """One axis of a grid.

    Args:
        name: what it is called in tables: its own name, or the last step of its first path.
        key: how the sweep file calls it.
        points: its values in their order.
    """

    name: str
    key: str
    points: tuple[Point, ...]

    @property
    def labels(self) -> list[str]:
        """What its values are called."""
        return [point.label for point in self.points]

    @property
    def paths(self) -> list[str]:
        """Every field that one of its values sets."""
        return list(dict.fromkeys(path for point in self.points for path in point.settings))


def number(value: object) -> float | None:
    """The value as a number, or None where it is none; true and false are none.

    Example:
        >>> number(3), number(True), number("3")
        (3.0, None, None)
    """
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _parsed(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def label(value: Any) -> str:
    """What a value of an experiment file is called in tables.

    Example:
        >>> label(None), label(0.10), label({"name": "krum", "f": 2}), label([{"name": "nnm"}, "krum"])
        ('none', '0.1', 'krum', 'nnm+krum')
        >>> label([100, 50]), label({"batch_size": 8})
        ('[100, 50]', 'batch_size=8')
    """
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, Mapping):
        return str(value["name"]) if "name" in value else ", ".join(f"{k}={label(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        components = bool(value) and all(isinstance(item, (str, Mapping)) for item in value)
        return "+".join(map(label, value)) if components else f"[{', '.join(map(label, value))}]"
    return str(value)


def plainly(value: Any) -> Any:
    """The value with every component in it as the mapping that an experiment file would hold."""
    if isinstance(value, Component):
        return value.as_mapping()
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): plainly(item) for key, item in value.items()}
    return [plainly(item) for item in value] if isinstance(value, (list, tuple)) else value


def read_axes(grid: object) -> list[Axis]:
    """The axes of a ``grid:``.

    Args:
        grid: for each axis its values: a list, under the dotted path of the field that they set (or several paths,
            separated by commas); or a mapping from labels to mappings of paths, under any name.

    Raises:
        InputError: it is no such mapping, or two axes or two values of an axis are alike.

    Example:
        >>> f, rule = read_axes({"aggregator.f, attack.nodes": [0, 2], "rule": {"plain": {"aggregator": "mean"}}})
        >>> f.name, f.points[1]
        ('f', Point(label='2', settings={'aggregator.f': 2, 'attack.nodes': 2}))
        >>> rule.points
        (Point(label='plain', settings={'aggregator': 'mean'}),)
    """
    if not isinstance(grid, Mapping) or not grid:
        raise InputError("grid", "map at least one axis to its values", grid, "Write grid: {seed: [1, 2, 3]}, say.")
    points = {str(key): _points(str(key), plainly(values)) for key, values in grid.items()}
    names = _names({key: isinstance(grid[key], Mapping) for key in grid})
    axes = [Axis(names[key], key, tuple(found)) for key, found in points.items()]
    _refuse_twice(axes)
    return axes


def _paths(key: str) -> list[str]:
    return [path.strip() for path in key.split(",")]


def _names(named: Mapping[Any, bool]) -> dict[str, str]:
    """A name for each key: its own where it is a name, the last step of its first path where that is unique."""
    short = {str(k): str(k) if own else _paths(str(k))[0].rpartition(".")[2] for k, own in named.items()}
    counts = Counter(short.values())
    return {key: name if counts[name] == 1 else key for key, name in short.items()}


def _points(key: str, values: object) -> list[Point]:
    """The values of one axis."""
    field = f"grid.{key}"
    if isinstance(values, Mapping) and values:
        for name, settings in values.items():
            if not isinstance(settings, Mapping):
                remedy = "Write {krum: {aggregator: krum}}, say; a list of values needs no labels."
                raise InputError(f"{field}.{name}", "map fields to their values", settings, remedy)
        return [Point(name, dict(settings)) for name, settings in values.items()]
    if not isinstance(values, list) or not values:
        remedy = "Give a list, such as [1, 2, 3]."
        raise InputError(field, "be a list of values, or a mapping from labels to fields", values, remedy)
    labels = _labels(values)
    if twice := [name for name, count in Counter(labels).items() if count > 1]:
        raise InputError(field, "hold different values", f"{twice[0]} twice", "Remove one of them.")
    return [Point(name, dict.fromkeys(_paths(key), value)) for name, value in zip(labels, values, strict=True)]


def _labels(values: Sequence[Any]) -> list[str]:
    """What the values are called, with the hyperparameters that tell apart those of one name."""
    names = [label(value) for value in values]
    return [
        _told_apart(value, name, [v for v, n in zip(values, names, strict=True) if n == name])
        for value, name in zip(values, names, strict=True)
    ]


def _told_apart(value: Any, name: str, alike: Sequence[Any]) -> str:
    leaves = [_leaves(other) for other in alike]
    own = _leaves(value)
    telling = [path for path in own if any(other.get(path) != own[path] for other in leaves)]
    return " ".join([name, *(f"{path}={label(own[path])}" for path in telling)])


def _leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Every hyperparameter of a component, or of the components of a list, by its path."""
    if isinstance(value, Mapping):
        parts = {str(key): item for key, item in value.items() if key != "name"}
    elif isinstance(value, list):
        parts = {str(number): item for number, item in enumerate(value)}
    else:
        return {path: value} if path and not isinstance(value, str) else {}
    nested = {k: (_leaves(v, f"{path}.{k}".strip(".")), v) for k, v in parts.items()}
    whole = {
        f"{path}.{k}".strip("."): v for k, (found, v) in nested.items() if not found and isinstance(value, Mapping)
    }
    return {**whole, **{p: v for found, _ in nested.values() for p, v in found.items()}}


def _refuse_twice(axes: Sequence[Axis]) -> None:
    """Refuse two axes that set the same field, and an axis that would hide another column of the results."""
    seen: dict[str, str] = {}
    for axis in axes:
        if axis.name in RESERVED:
            remedy = "Give the axis another name, and its values labels."
            raise InputError(f"grid.{axis.key}", "not be called like a column of the results", axis.name, remedy)
        for path in axis.paths:
            if path in seen:
                remedy = f"{seen[path]} sets it too: join the two, or remove one."
                raise InputError(f"grid.{axis.key}", "set fields of its own", path, remedy)
            seen[path] = axis.key


def find(axes: Sequence[Axis], name: str) -> Axis | None:
    """The axis of that name, key or path, if there is one."""
    return next((axis for axis in axes if name in (axis.name, axis.key, *_paths(axis.key))), None)


def value_of(axis: Axis, given: object, field: str) -> str:
    """The label of a value of the axis.

    Raises:
        InputError: the axis has no such value.
    """
    wanted = label(given)
    if wanted not in axis.labels:
        raise InputError(field, f"be a value of {axis.name}", given, nearest(wanted, axis.labels))
    return wanted
