"""The conditions of ``where:``, which every cell of a sweep satisfies.

A condition is a mapping of axes (or of the experiment's numbers, such as ``nodes``) to what they may be: a value, a
list of values, or a comparison with a number or with another axis. All entries of a mapping hold together. ``not``
turns a condition round, and ``if`` with ``then`` asks for the second where the first holds:

```yaml
where:
  - {f: "<= 4"}                                     # of all cells only those with f up to 4
  - not: {rule: mean, f: [2, 4]}                    # and the mean only with f = 0
  - {if: {attack: none}, then: {f: 0}}              # without an attack there is nothing to vary
  - {f: "< nodes"}
```
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from holdfast.errors import InputError, nearest
from holdfast.experiment import Experiment
from holdfast.sweep.axes import Axis, find, number, value_of

__all__ = ["NUMBERS", "Test", "read_condition", "read_conditions"]

Labels = Mapping[str, str]
Numbers = Mapping[str, float]
Test = Callable[[Labels, Numbers], bool]
"""``test(labels, numbers)``: whether a cell is to be kept, by its label on each axis and its numbers."""

NUMBERS = [name for name, info in Experiment.model_fields.items() if info.annotation in (int, float)]
"""The fields of an experiment that are numbers."""
_COMPARISON = re.compile(r"\s*(<=|>=|<|>)\s*([^<>=\s]+)\s*")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def read_conditions(conditions: object, axes: Sequence[Axis]) -> Test:
    """What decides whether a cell is kept: every one of the conditions.

    Raises:
        InputError: one is no condition, or names an axis or a value that there is not.

    Example:
        >>> from holdfast.sweep.axes import read_axes
        >>> test = read_conditions([{"not": {"seed": [1, 2]}}, {"seed": "< nodes"}], read_axes({"seed": [1, 2, 3, 4]}))
        >>> [seed for seed in (1, 2, 3, 4) if test({"seed": str(seed)}, {"seed": seed, "nodes": 4})]
        [3]
    """
    if not isinstance(conditions, list):
        remedy = "Write where: [{not: {rule: mean, f: [2, 4]}}], say."
        raise InputError("where", "be a list of conditions", conditions, remedy)
    return _all([read_condition(condition, axes, f"where.{at}") for at, condition in enumerate(conditions)])


def _all(tests: Sequence[Test]) -> Test:
    return lambda labels, numbers: all(test(labels, numbers) for test in tests)


def read_condition(condition: object, axes: Sequence[Axis], field: str) -> Test:
    """What decides whether one condition holds.

    Raises:
        InputError: it is no condition, or names an axis or a value that there is not; it is named after the field.
    """
    if not isinstance(condition, Mapping) or not condition:
        raise InputError(field, "map axes to their values", condition, "Write {f: [0, 1]} or {not: {f: 0}}, say.")
    words = set(condition) & {"not", "if", "then"}
    if not words:
        return _all([_axis(str(key), wanted, axes, f"{field}.{key}") for key, wanted in condition.items()])
    if set(condition) == {"not"}:
        refused = read_condition(condition["not"], axes, f"{field}.not")
        return lambda labels, numbers: not refused(labels, numbers)
    if set(condition) == {"if", "then"}:
        first, second = (read_condition(condition[word], axes, f"{field}.{word}") for word in ("if", "then"))
        return lambda labels, numbers: not first(labels, numbers) or second(labels, numbers)
    remedy = "Make a condition of its own of the rest."
    raise InputError(field, "hold not alone, or if and then alone", sorted(map(str, condition)), remedy)


def _axis(name: str, wanted: Any, axes: Sequence[Axis], field: str) -> Test:
    """The condition on one axis, or on one number of the experiment."""
    axis = find(axes, name)
    if axis is None and name not in NUMBERS:
        known = [*(axis.name for axis in axes), *NUMBERS]
        raise InputError(field, "be an axis of the grid or a number of the experiment", name, nearest(name, known))
    options = wanted if isinstance(wanted, list) and not _is_value(axis, wanted) else [wanted]
    tests = [_option(name, option, axis, axes, field) for option in options]
    return lambda labels, numbers: any(test(labels, numbers) for test in tests)


def _is_value(axis: Axis | None, wanted: object) -> bool:
    """Whether a list is itself one value of the axis, such as the sizes of the hidden layers."""
    return axis is not None and any(wanted in point.settings.values() for point in axis.points)


def _option(name: str, wanted: Any, axis: Axis | None, axes: Sequence[Axis], field: str) -> Test:
    own = axis.name if axis is not None else name
    found = _COMPARISON.fullmatch(wanted) if isinstance(wanted, str) else None
    if found is not None:
        compare, right = _OPERATORS[found[1]], _operand(found[2], axes, field)
        _operand(own, axes, field)
        return lambda labels, numbers: compare(numbers[own], right(numbers))
    if axis is not None:
        chosen = value_of(axis, wanted, field)
        return lambda labels, numbers: labels[own] == chosen
    expected = number(wanted)
    if expected is None:
        raise InputError(field, "be a number, or a comparison such as '< 10'", wanted, "Correct the value.")
    return lambda labels, numbers: numbers[own] == expected


def _operand(text: str, axes: Sequence[Axis], field: str) -> Callable[[Numbers], float]:
    """One side of a comparison: a number, an axis of numbers, or a number of the experiment."""
    try:
        constant = float(text)
    except ValueError:
        pass
    else:
        return lambda numbers: constant
    axis = find(axes, text)
    name = axis.name if axis is not None else text
    countable = [axis.name for axis in axes if all(point.number is not None for point in axis.points)]
    if name not in (countable if axis is not None else NUMBERS):
        raise InputError(field, "compare numbers", text, nearest(text, {*countable, *NUMBERS}))
    return lambda numbers: numbers[name]
