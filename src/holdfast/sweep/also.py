"""The additions of ``also:``, what cells set beside the values of their axes, where it depends on several of them.

An addition is ``if`` with a condition, as `holdfast.sweep.where` describes them, and ``then`` with the fields that
every cell sets of which it holds, by their dotted paths, after those of its axes; of two additions the later one wins:

```yaml
grid: {model: {small: {problem.model: logistic}, large: {problem.model: mlp}}, algorithm.local_epochs: [1, 10]}
also:
  - {if: {local_epochs: 10}, then: {rounds: 10}}                    # 100 epochs of each, whatever the interval
  - {if: {model: large, local_epochs: 10}, then: {rounds: 5}}       # but 50 of the large one
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.errors import InputError
from holdfast.sweep.axes import Axis, plainly
from holdfast.sweep.where import Test, read_condition

__all__ = ["Addition", "read_additions"]


@dataclass(frozen=True)
class Addition:
    """What the cells set of which a condition holds.

    Args:
        field: where the sweep file says so.
        test: the condition.
        settings: the fields, by their dotted paths.
    """

    field: str
    test: Test
    settings: dict[str, Any]


def read_additions(rules: object, axes: Sequence[Axis]) -> list[Addition]:
    """The additions of a sweep file.

    Raises:
        InputError: one is not ``if`` with ``then``, or its condition names an axis or a value that there is not.

    Example:
        >>> from holdfast.sweep.axes import read_axes
        >>> [rule] = read_additions([{"if": {"seed": 2}, "then": {"rounds": 5}}], read_axes({"seed": [1, 2]}))
        >>> rule.test({"seed": "2"}, {}), rule.settings
        (True, {'rounds': 5})
    """
    if not isinstance(rules, list):
        raise InputError("also", "be a list of additions", rules, "Write also: [{if: {f: 2}, then: {rounds: 5}}], say.")
    return [_addition(rule, axes, f"also.{at}") for at, rule in enumerate(rules)]


def _addition(rule: object, axes: Sequence[Axis], field: str) -> Addition:
    if not isinstance(rule, Mapping) or set(rule) != {"if", "then"} or not isinstance(rule["then"], Mapping):
        remedy = "Write {if: {f: 2}, then: {rounds: 5}}, say."
        raise InputError(field, "hold a condition under if, and fields with their values under then", rule, remedy)
    settings = {str(path): plainly(value) for path, value in rule["then"].items()}
    return Addition(f"{field}.then", read_condition(rule["if"], axes, f"{field}.if"), settings)
