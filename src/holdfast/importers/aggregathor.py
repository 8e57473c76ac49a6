"""A command line of AggregaThor as an experiment: every argument is mapped, or a note says what takes its place."""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml

from holdfast.attacks import Attack
from holdfast.catalogue import build, catalogue
from holdfast.errors import InputError, nearest
from holdfast.experiment import Experiment
from holdfast.importers.files import Fields, Imported

__all__ = ["imported", "words"]


class _Kind(NamedTuple):
    """What a name stands for: the keys of its ``key:value`` list with their defaults, and what becomes of them."""

    defaults: Mapping[str, Any]
    fields: Callable[[Fields], Fields]


def number(text: str) -> float:
    """A finite number; argparse names this function when it is none."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_INPUT = {"eval-batch-size": 1024, "nb-fetcher-threads": 1, "nb-batcher-threads": 1, "preprocessing": "cifarnet"}
_EXPERIMENTS = {
    "mnist": _Kind({"batch-size": 32}, lambda a: {"name": "mnist", "model": {"name": "mlp", "hidden": [100]}}),
    "cnnet": _Kind({"batch-size": 32, **_INPUT}, lambda a: {"name": "cifar10", "model": "cnnet"}),
}
_OPTIMIZERS = {
    "sgd": _Kind({}, lambda a: {}),
    "rmsprop": _Kind({}, lambda a: {"alpha": 0.9, "eps": 1e-10}),
    "adam": _Kind({"adam-beta1": 0.9, "adam-beta2": 0.999}, lambda a: {"betas": [a["adam-beta1"], a["adam-beta2"]]}),
    "adagrad": _Kind(
        {"initial-accumulator-value": 0.1}, lambda a: {"initial_accumulator_value": a["initial-accumulator-value"]}
    ),
    "adadelta": _Kind(
        {"adadelta-rho": 0.95, "opt-epsilon": 1.0}, lambda a: {"rho": a["adadelta-rho"], "eps": a["opt-epsilon"]}
    ),
}
_RATES = {
    "fixed": _Kind({"initial-rate": 1e-3}, lambda a: {"lr": a["initial-rate"]}),
    "polynomial": _Kind(
        {"initial-rate": 1e-3, "end-rate": 1e-4, "decay-step": 10_000, "power": 1.0},
        lambda a: _decay(a, "polynomial", end=a["end-rate"], power=a["power"]),
    ),
    "exponential": _Kind(
        {"initial-rate": 1e-3, "decay-step": 10_000, "decay-rate": 0.96},
        lambda a: _decay(a, "exponential", rate=a["decay-rate"]),
    ),
}
_MULTI_KRUM, _BULYAN = {"name": "multi_krum"}, {"name": "bulyan_incremental"}
_RULES: dict[str, Fields] = {
    "average": {"name": "mean"},
    "average-nan": {"name": "nan_mean"},
    "median": {"name": "median", "upper": True},
    "averaged-median": {"name": "mean_around_median"},
    **dict.fromkeys(("krum", "krum-py", "krum-tf", "krum-co"), _MULTI_KRUM),
    **dict.fromkeys(("bulyan", "bulyan-py", "bulyan-co"), _BULYAN),
}
_WITHOUT_F = ("average", "average-nan")

_MAPPED: dict[str, tuple[Callable[[str], Any], Any]] = {
    "experiment": (str, None),
    "aggregator": (str, None),
    "optimizer": (str, "sgd"),
    "learning-rate": (str, "fixed"),
    "l1-regularize": (number, -1.0),
    "l2-regularize": (number, -1.0),
    "nb-workers": (int, None),
    "nb-decl-byz-workers": (int, 0),
    "nb-real-byz-workers": (int, 0),
    "attack": (str, None),
    "checkpoint-delta": (int, -1),
    "checkpoint-period": (number, 120.0),
    "summary-delta": (number, -1.0),
    "summary-period": (number, 30.0),
    "evaluation-delta": (int, -1),
    "evaluation-period": (number, 10.0),
    "UDP": (int, 0),
}
_LISTS = ("experiment-args", "aggregator-args", "optimizer-args", "learning-rate-args", "attack-args")
_REPLACED = {
    "a simulation needs no cluster; `holdfast up` and `holdfast coordinate` run the file over real processes": (
        *("client", "server", "cluster", "id", "ps-job-name", "ev-job-name", "wk-job-name", "nice"),
        *("deploy", "omit", "MPI"),
    ),
    "set device: cuda in the file to compute on a GPU": ("use-gpu", "reuse-gpu", "use-tpu", "reuse-tpu"),
    "a run ends by itself": ("no-wait",),
    "`holdfast run --runtime debug` names the node and the stage that fail": ("trace",),
    "the shell redirects what is printed": ("stdout-to", "stderr-to"),
    "the run directory holds checkpoint/, tensorboard/ and eval/; `holdfast run --out` names it": (
        *("checkpoint-dir", "summary-dir", "evaluation-file"),
    ),
}
_FLAGS = ("deploy", "omit", "MPI", "use-gpu", "reuse-gpu", "use-tpu", "reuse-tpu", "no-wait", "trace")


def words(given: Sequence[str]) -> list[str]:
    """The arguments of the runner, from one text or from words; the program before them is left out.

    Example:
        >>> words(["python3 deploy.py --UDP 1 --runner '--nb-workers 4'"])
        ['--UDP', '1', '--nb-workers', '4']

    Raises:
        InputError: a quotation does not end.
    """
    try:
        found = shlex.split(given[0]) if len(given) == 1 else list(given)
        if "--runner" in found[:-1]:
            at = found.index("--runner")
            found[at : at + 2] = shlex.split(found[at + 1])
    except ValueError as error:
        raise InputError("the command line", "be quoted as in a shell", str(error), "Close every quotation.") from error
    programs = [at for at, word in enumerate(found) if word.endswith(("runner.py", "deploy.py"))]
    return found[programs[-1] + 1 :] if programs else found


def imported(arguments: Sequence[str]) -> Imported:
    """The experiment that a command line of AggregaThor describes.

    Args:
        arguments: those of its ``runner.py``; those of its ``deploy.py`` may stand among them.

    Raises:
        InputError: an argument or a value is unknown, or the experiment cannot be run.

    Example:
        >>> fields, notes = imported(["--experiment", "mnist", "--aggregator", "median", "--nb-workers", "4"])
        >>> fields["aggregator"], fields["algorithm"]["optimizer"]
        ({'name': 'median', 'upper': True, 'f': 0}, {'name': 'sgd', 'lr': 0.001})

    Source: the published runner of Damaskinos et al. 2019, "AggregaThor".
    """
    given = _parsed(arguments)
    fields = {**_world(given), **_training(given), **_adversary(given), **_rhythm(given)}
    Experiment(**fields)
    return Imported(fields, _notes(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for name, (kind, default) in _MAPPED.items():
        parser.add_argument(f"--{name}", dest=name, type=kind, default=default)
    parser.add_argument("--max-step", "--max-steps", dest="max-step", type=int, default=10_000)
    for name in _LISTS:
        parser.add_argument(f"--{name}", dest=name, nargs="*", default=[])
    for name in (name for names in _REPLACED.values() for name in names):
        if name in _FLAGS:
            parser.add_argument(f"--{name}", dest=name, action="store_true")
        else:
            parser.add_argument(f"--{name}", dest=name, nargs="*" if name == "nice" else None)
    return parser


def _parsed(arguments: Sequence[str]) -> Fields:
    parser = _parser()
    try:
        known, unknown = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        name = str(error.argument_name)
        raise InputError(name, "be what runner.py takes", error.message, "Correct the value.") from error
    options = [option for action in parser._actions for option in action.option_strings]
    if unknown:
        raise InputError(unknown[0], "be an argument of runner.py", unknown[0], nearest(unknown[0], options))
    given = vars(known)
    for name in ("experiment", "aggregator", "nb-workers"):
        if given[name] is None:
            raise InputError(f"--{name}", "be given", None, "AggregaThor's runner.py needs it too.")
    return given


def _chosen(kinds: Mapping[str, _Kind], given: Fields, name: str) -> tuple[Fields, Fields]:
    """What the value of an argument stands for, and its ``key:value`` list, complete."""
    kind = kinds[_known(kinds, given, name)]
    values = {**kind.defaults, **_pairs(f"--{name}-args", given[f"{name}-args"], kind.defaults)}
    return kind.fields(values), values


def _known(names: Mapping[str, Any], given: Fields, name: str) -> str:
    value = str(given[name])
    if value not in names:
        raise InputError(f"--{name}", "be one that Holdfast knows", value, nearest(value, names))
    return value


def _pairs(flag: str, entries: Sequence[str], defaults: Mapping[str, Any]) -> Fields:
    """The ``key:value`` entries, each value in the type of its default."""
    pairs: Fields = {}
    for key, value in _entries(flag, entries).items():
        if key not in defaults:
            raise InputError(f"{flag} {key}", "be a known key", key, nearest(key, defaults))
        try:
            pairs[key] = type(defaults[key])(value)
        except ValueError:
            required = f"be of type {type(defaults[key]).__name__}"
            raise InputError(f"{flag} {key}", required, value, f"Left out, it is {defaults[key]}.") from None
    return pairs


def _entries(flag: str, entries: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        key, colon, value = entry.partition(":")
        if not colon or key in found:
            raise InputError(flag, "be a list of key:value, each key once", entry, "Write key:value.")
        found[key] = value
    return found


def _world(given: Fields) -> Fields:
    """What is learned, by whom and with which rule."""
    problem, _ = _chosen(_EXPERIMENTS, given, "experiment")
    rule = _known(_RULES, given, "aggregator")
    _pairs("--aggregator-args", given["aggregator-args"], {})
    declared = {} if rule in _WITHOUT_F else {"f": given["nb-decl-byz-workers"]}
    if given["max-step"] < 1:
        raise InputError("--max-step", "be at least 1", given["max-step"], "Say after how many steps to end.")
    return {
        "name": f"{given['experiment']} {rule}",
        "problem": problem,
        "nodes": given["nb-workers"],
        "partition": "iid",
        "rounds": given["max-step"],
        "aggregator": {**_RULES[rule], **declared},
    }


def _training(given: Fields) -> Fields:
    """How the coordinator steps."""
    rate, _ = _chosen(_RATES, given, "learning-rate")
    own, _ = _chosen(_OPTIMIZERS, given, "optimizer")
    _, samples = _chosen(_EXPERIMENTS, given, "experiment")
    penalties = {name: given[f"{name}-regularize"] for name in ("l1", "l2") if given[f"{name}-regularize"] > 0}
    optimizer = {"name": given["optimizer"], **rate, **own}
    return {
        "algorithm": {"name": "robust_sgd", "batch_size": samples["batch-size"], "optimizer": optimizer, **penalties}
    }


def _decay(values: Fields, name: str, **own: float) -> Fields:
    return {"lr": values["initial-rate"], "schedule": {"name": name, "rounds": values["decay-step"], **own}}


def _adversary(given: Fields) -> Fields:
    """The workers that really attack, and the link that really loses."""
    found: Fields = {"network": {"link": "best_effort"}} if given["UDP"] > 0 else {}
    if given["nb-real-byz-workers"] < 0:
        remedy = "Leave it out where nobody attacks."
        raise InputError("--nb-real-byz-workers", "be at least 0", given["nb-real-byz-workers"], remedy)
    if given["nb-real-byz-workers"] == 0:
        return found
    if given["attack"] is None:
        remedy = f"Known: {', '.join(catalogue('attacks'))}."
        raise InputError("--attack", "say what the real Byzantine workers do", None, remedy)
    name = _known(catalogue("attacks"), given, "attack")
    attack = {"name": name, "nodes": given["nb-real-byz-workers"]}
    own = _entries("--attack-args", given["attack-args"])
    for key in (key for key in own if key in attack):
        flag = {"name": "--attack", "nodes": "--nb-real-byz-workers"}[key]
        raise InputError(f"--attack-args {key}", f"be left out, as {flag} says it", own[key], f"Use {flag}.")
    try:
        attack |= {key: yaml.safe_load(value) for key, value in own.items()}
        build(Attack, attack)
    except InputError as error:
        raise error.within("--attack-args") from error.__cause__
    except yaml.YAMLError as error:
        given_there = " ".join(given["attack-args"])
        raise InputError("--attack-args", "have values in YAML", given_there, "Write key:1.5, say.") from error
    return {**found, "attack": attack}


def _rhythm(given: Fields) -> Fields:
    """When to evaluate, and when to write a checkpoint and a summary."""
    fields: Fields = {}
    for ours, theirs in {"evaluate": "evaluation", "checkpoint": "checkpoint", "summary": "summary"}.items():
        delta, period = given[f"{theirs}-delta"], given[f"{theirs}-period"]
        always, off = delta == 0 or period == 0, theirs == "summary" and given["summary-dir"] == "-"
        fields[f"{ours}_every"] = None if off else 1 if always else math.ceil(delta) if delta > 0 else None
        fields[f"{ours}_period"] = period if period > 0 and not off else None
    return fields


def _notes(given: Fields) -> list[str]:
    """What became of the arguments that have no place in an experiment file."""
    notes = []
    for instead, names in _REPLACED.items():
        if here := [f"--{name}" for name in names if given[name] not in (None, False)]:
            notes.append(f"{', '.join(here)}: {instead}.")
    if inputs := [key for key in _entries("--experiment-args", given["experiment-args"]) if key in _INPUT]:
        notes.append(f"{', '.join(inputs)}: images enter as they are, and all test samples are judged.")
    if given["experiment"] == "cnnet" and "preprocessing" not in inputs:
        notes.append("--experiment cnnet: images enter as they are, without the random crops and flips of its default.")
    if given["l2-regularize"] > 0:
        notes.append("--l2-regularize: the penalty is λΣw²; the published runner takes λ√(Σw²).")
    if given["nb-decl-byz-workers"] and given["aggregator"] in _WITHOUT_F:
        notes.append(f"--nb-decl-byz-workers: {given['aggregator']} tolerates none, whatever is declared.")
    if given["nb-real-byz-workers"] == 0 and (given["attack"] or given["attack-args"]):
        notes.append("--attack: nobody attacks, as --nb-real-byz-workers is 0.")
    if given["UDP"] > 0:
        notes.append("--UDP: every node uses the lossy link, in `holdfast up` and `holdfast coordinate`.")
    return notes
