"""Sets a field of an experiment file in whatever component has it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from holdfast.component import as_input_error
from holdfast.errors import InputError
from holdfast.experiment import Experiment

__all__ = ["put"]


def put(mapping: dict[str, Any], path: str, value: object) -> set[str]:
    """Set a field of an experiment by its dotted path, wherever the components that stand there have it.

    Args:
        mapping: the experiment, as a file holds it; changed in place.
        path: the field; a step into a list goes into each of its components that have the field.
        value: what to set it to.

    Returns:
        Nothing where it was set; otherwise the paths that could have been set instead.

    Raises:
        InputError: a component on the way cannot be built.

    Example:
        >>> experiment = {"aggregator": ["nnm", {"name": "krum"}], "attack": None}
        >>> put(experiment, "aggregator.f", 2)
        set()
        >>> experiment["aggregator"]
        [{'name': 'nnm', 'f': 2}, {'name': 'krum', 'f': 2}]
        >>> put(experiment, "attack.nodes", 2), sorted(put(experiment, "aggregator.g", 2))
        ({'attack'}, ['aggregator', 'aggregator.f'])
    """
    head, *steps = path.split(".")
    fields = Experiment.model_fields.keys() - {"variants"}
    if head not in fields:
        return set(fields)
    if not steps:
        mapping[head] = copy.deepcopy(value)
        return set()
    known: set[str] = {head}
    found, changed = _put(mapping.get(head), _complete(head, mapping), steps, value, head, known)
    if found:
        mapping[head] = changed
    return set() if found else known


def _put(given: Any, whole: Any, steps: list[str], value: object, at: str, known: set[str]) -> tuple[bool, Any]:
    """Whether the field is there, and what was given with it set; ``whole`` has every default in it."""
    if isinstance(given, list) and not isinstance(whole, list):
        given = given[0]  # a chain of one
    if isinstance(whole, list):
        parts = given if isinstance(given, list) else whole
        placed = [_put(part, full, steps, value, at, known) for part, full in zip(parts, whole, strict=True)]
        return any(found for found, _ in placed), [changed for _, changed in placed]
    if not isinstance(whole, dict):
        return False, given
    known.update(f"{at}.{name}" for name in whole if name != "name")
    step, *rest = steps
    if step not in whole:
        return False, given
    opened = _opened(given, whole)
    found, inner = True, copy.deepcopy(value)
    if rest:
        found, inner = _put(opened.get(step), whole[step], rest, value, f"{at}.{step}", known)
    return found, {**opened, step: inner} if found else given


def _opened(given: Any, whole: dict[str, Any]) -> dict[str, Any]:
    """A component that was given by its name alone, or not at all, as the mapping that stands for it."""
    if isinstance(given, Mapping):
        return dict(given)
    return {"name": whole["name"] if given is None else given} if "name" in whole else {}


def _complete(field: str, mapping: Mapping[str, Any]) -> Any:
    """A field of an experiment with every default in it."""
    info = Experiment.model_fields[field]
    if field not in mapping and info.is_required():
        return None
    adapter = _adapter(field)
    try:
        value = (
            adapter.validate_python(mapping[field]) if field in mapping else info.get_default(call_default_factory=True)
        )
    except ValidationError as error:
        raise as_input_error(error, Experiment).within(field) from None
    except InputError as error:
        raise error.within(field) from error.__cause__
    return adapter.dump_python(value, mode="json")


@cache
def _adapter(field: str) -> TypeAdapter[Any]:
    info = Experiment.model_fields[field]
    marked: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(marked)
