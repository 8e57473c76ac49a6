"""A grid of dyn-fed, its ``experiments.yml``, as a file for `holdfast sweep`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from holdfast.errors import InputError, nearest
from holdfast.importers.dynfed import algorithm, experiment, optimizer, partition, problem, trigger
from holdfast.importers.dynfed_config import Config, Sections, sections
from holdfast.importers.dynfed_notes import about, left_out
from holdfast.importers.files import Fields, Imported

__all__ = ["swept"]

Axes = dict[str, list[Any]]
"""The values of each axis, in dyn-fed's spelling."""

_KEYS = {
    "n_workers": "distribute.n_workers",
    "data_name": "data.name",
    "model_type": "model.type",
    "noniid": "data.noniid",
    "unbalanced": "data.unbalanced",
    "mode": "comms.mode",
    "aggregate_mode": "distribute.aggregate_mode",
    "optimizer": "optimizer.name",
    "interval": "comms.interval",
    "delta_threshold": "distribute.delta_threshold",
}
"""The axes, and the key of the configuration that each stands for."""
_LABELS = {"model_version": "there is one implementation here", "scenario": "a label, which changes nothing"}
"""The lists that make no axis."""
_NEEDED = ("model_type", "mode", "optimizer", "interval")
"""The axes that there are in any case."""
_EPOCHS = {"logistic": 100}
"""How long dyn-fed's grids train a network; `_OTHERS` without it."""
_OTHERS = 50
_SKIPPED: dict[str, tuple[Any, ...]] = {"model_type": ("nn1", "cnn1"), "interval": (20, 100)}
"""Networks and intervals that dyn-fed does not combine."""
_LEAST_OF_ADAM = 2
"""The threshold under which dyn-fed leaves Adam out."""


def swept(content: Mapping[str, Any], lists: Mapping[str, Any]) -> Imported:
    """The sweep that a grid of dyn-fed describes: all combinations but those that it leaves out.

    The axes have dyn-fed's names and values. Network, mode, optimiser and interval are axes in any case, for what is
    left out and how many rounds there are depends on them.

    Args:
        content: what its ``config.yml`` holds, which says what the grid does not.
        lists: what its ``experiments.yml`` holds, a list of values for each of its keys.

    Raises:
        InputError: a key or a value is unknown, two contradict each other, or Holdfast has no such thing.

    Example:
        >>> found = swept({}, {"mode": [0, 1], "interval": [1, 10]}).fields
        >>> found["where"]
        [{'not': {'mode': '> 0', 'interval': '> 1'}}]
        >>> found["also"]
        [{'if': {'model_type': ['logistic'], 'interval': 10}, 'then': {'rounds': 10}}]

    Source: the published program dyn-fed.
    """
    given = sections(content)
    axes = _axes(given, lists)
    configs = {key: {value: _config(given, axes, key, value) for value in values} for key, values in axes.items()}
    _check_pairs(given, axes)
    grid = {key: {_label(v): _point(key, config) for v, config in found.items()} for key, found in configs.items()}
    rules = {name: found for name, found in {"where": list(_where(axes)), "also": list(_also(axes))}.items() if found}
    fields = {**_base(configs), "grid": grid, **rules}
    told = [note for found in configs.values() for config in found.values() for note in about(config)]
    return Imported(fields, list(dict.fromkeys([*_notes(given, lists), *told])))


def _axes(given: Sections, lists: Mapping[str, Any]) -> Axes:
    for key, values in lists.items():
        if key not in {*_KEYS, *_LABELS}:
            raise InputError(key, "be a key of dyn-fed's experiments.yml", key, nearest(key, [*_KEYS, *_LABELS]))
        if not isinstance(values, list) or not values:
            raise InputError(key, "be a list of values", values, f"Write {key}: [{values}], say.")
    config = Config.of(given)
    own = {key: [_value(config, key)] for key in _NEEDED}
    found = {key: [_typed(key, v) for v in {**own, **lists}[key]] for key in _KEYS if key in lists or key in own}
    for key, values in found.items():
        if len(set(values)) < len(values):
            raise InputError(key, "hold different values", values, "Remove one of the same.")
    return found


def _typed(key: str, value: Any) -> Any:
    """The value as a configuration holds it, but 1 for true and 0 for false."""
    section, _, name = _KEYS[key].partition(".")
    try:
        typed = _value(Config.of({section: {name: value}}), key)
    except InputError as error:
        raise _named(key, value, error) from None
    return int(typed) if isinstance(typed, bool) else typed


def _named(key: str, value: Any, error: InputError) -> InputError:
    """The error, said of a value of an axis."""
    return InputError(f"{key} {value}: {error.field}", error.required, error.given, error.remedy)


def _label(value: Any) -> Any:
    """What a value is called in the sweep."""
    return f"{value:g}" if isinstance(value, float) else value


def _value(config: Config, key: str) -> Any:
    section, _, name = _KEYS[key].partition(".")
    return getattr(getattr(config, section), name)


def _config(given: Sections, axes: Axes, key: str, value: Any, **further: Any) -> Config:
    """A configuration that has a value of an axis, and values of further ones, and is valid if these are.

    Raises:
        InputError: the value is none that the key may have, or contradicts what the file says.
    """
    chosen = _companions(axes, key, value) | {key: value, **further}
    changed = {name: dict(entries) for name, entries in given.items()}
    fixed = {"distribute.delta_switch": 0, "model.n_iterations": max(_EPOCHS.values())}
    for path, entry in {**fixed, **{_KEYS[name]: entry for name, entry in chosen.items()}}.items():
        section, _, name = path.partition(".")
        changed.setdefault(section, {})[name] = entry
    if key == "optimizer" and value != Config.of(given).optimizer.name:
        changed["optimizer"].pop("learning_rate", None)  # the file's is that of the other one
    try:
        config = Config.of(changed)
        experiment(config)
    except InputError as error:
        raise _named(key, value, error) from None
    return config


def _companions(axes: Axes, key: str, value: Any) -> Fields:
    """What other axes are where one has a value: what goes with it, and with as much else as there is."""
    chosen: Fields = {name: axes[name][0] for name in ("model_type", "data_name") if name in axes}
    threshold = next((t for t in axes.get("delta_threshold", ()) if t), None)
    if key == "mode" and threshold is not None:
        chosen["delta_threshold"] = threshold
    mode = 3 if key == "delta_threshold" and value else 0
    return {**chosen, "mode": mode, "interval": 1}


def _check_pairs(given: Sections, axes: Axes) -> None:
    """Refuse networks that do not suit one of the data sets, and splits that do not go together."""
    for one, other in (("model_type", "data_name"), ("noniid", "unbalanced")):
        for first, second in product(axes.get(one, ()), axes.get(other, ())):
            _config(given, axes, one, first, **{other: second})


def _point(key: str, config: Config) -> Fields:
    """The fields that a value of an axis sets."""
    threshold, sends = config.distribute.delta_threshold, config.distribute.send_gradients
    points: dict[str, Fields] = {
        "n_workers": {"nodes": config.distribute.n_workers - 1},
        "data_name": {"problem": {"name": problem(config)["name"]}},
        "model_type": {f"problem.{name}": value for name, value in problem(config).items() if name != "name"}
        | {"rounds": _epochs(config.model.type)},
        "noniid": {"partition": partition(config)},
        "unbalanced": {"partition.unbalanced": partition(config).get("unbalanced", 0.0)},
        "mode": {"algorithm": algorithm(config), "trigger": trigger(config)},
        "aggregate_mode": {"algorithm.weighting": algorithm(config)["weighting"]},
        "optimizer": {"algorithm.optimizer": optimizer(config)},
        "interval": {} if sends else {"algorithm.local_epochs": config.comms.interval},
        "delta_threshold": {"algorithm.delta": threshold} if threshold else {},
    }
    return points[key]


def _epochs(kind: str) -> int:
    return _EPOCHS.get(kind, _OTHERS)


def _base(configs: Mapping[str, Mapping[Any, Config]]) -> Fields:
    """What is the same in all cells."""
    fields = experiment(next(iter(configs["mode"].values())))
    by_axes = {"algorithm", "trigger", "rounds"}
    by_axes |= {field for axis, field in {"n_workers": "nodes", "noniid": "partition"}.items() if axis in configs}
    fields["problem"] = {"name": fields["problem"]["name"]}
    return {name: value for name, value in fields.items() if name not in by_axes}


def _where(axes: Axes) -> Iterator[Fields]:
    """What is left out."""
    modes, intervals = axes["mode"], axes["interval"]
    if max(modes) > 0 and max(intervals) > 1:
        yield {"not": {"mode": "> 0", "interval": "> 1"}}
    skipped = {key: [value for value in values if value in axes[key]] for key, values in _SKIPPED.items()}
    if all(skipped.values()):
        yield {"not": skipped}
    for epochs, kinds in _kinds(axes).items():
        longer = [interval for interval in intervals if interval > epochs]
        if some := [kind for kind in kinds if any(not _skips(kind, interval) for interval in longer)]:
            yield {"not": {"model_type": some, "interval": f"> {epochs}"}}
    yield from _where_of_thresholds(axes)


def _where_of_thresholds(axes: Axes) -> Iterator[Fields]:
    thresholds = axes.get("delta_threshold", [])
    others = [mode for mode in axes["mode"] if mode != 3]
    if others and any(thresholds):
        yield {"not": {"mode": others, "delta_threshold": "> 0"}}
    if 3 in axes["mode"] and not all(thresholds):
        yield {"not": {"mode": 3, "delta_threshold": 0}}
    if 3 in axes["mode"] and "adam" in axes["optimizer"] and any(t < _LEAST_OF_ADAM for t in thresholds):
        yield {"not": {"mode": 3, "optimizer": "adam", "delta_threshold": f"< {_LEAST_OF_ADAM}"}}


def _also(axes: Axes) -> Iterator[Fields]:
    """How many rounds there are where one is of several epochs."""
    for epochs, kinds in _kinds(axes).items():
        for interval in (interval for interval in axes["interval"] if 1 < interval <= epochs):
            rounds = math.ceil(epochs / interval)
            if some := [kind for kind in kinds if not _skips(kind, interval)]:
                yield {"if": {"model_type": some, "interval": interval}, "then": {"rounds": rounds}}


def _skips(kind: str, interval: int) -> bool:
    return kind in _SKIPPED["model_type"] and interval in _SKIPPED["interval"]


def _kinds(axes: Axes) -> dict[int, list[str]]:
    """The networks that are trained for so many epochs."""
    found: dict[int, list[str]] = {}
    for kind in axes["model_type"]:
        found.setdefault(_epochs(kind), []).append(kind)
    return found


def _notes(given: Sections, lists: Mapping[str, Any]) -> Iterator[str]:
    """What to know of the grid as a whole."""
    config = Config.of(given)
    yield from (f"{key}: {text}." for key, text in _LABELS.items() if key in lists)
    yield from left_out(config, but=[*(_KEYS[key] for key in lists if key in _KEYS), "model.n_iterations"])
    yield f"model.n_iterations: logistic is trained for 100 epochs, the rest for {_OTHERS}, as in dyn-fed's grids."
    if config.distribute.delta_switch:
        yield "distribute.delta_switch: left out, as dyn-fed's grids run its TensorFlow version, which never reads it."
