"""Gathers what came out of sweeps and of single runs, for a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import load
from holdfast.record.run_data import EXPERIMENT, SUMMARY
from holdfast.sweep.axes import label
from holdfast.sweep.results import RESULTS, Record, read_results, read_summary

__all__ = ["gather", "run_directories"]

CHOSEN = ("engine", "chunk_rows", "variants")
"""Fields that a run chooses, or that its variants are made of."""


def gather(directories: Sequence[Path]) -> list[Record]:
    """What came out of each cell of sweeps, and of each variant of single runs.

    The axes of a sweep are those of its grid. The axes of single runs are ``variant``, and every field of the
    experiment, by its dotted path, in which two of them differ.

    Raises:
        InputError: a directory holds neither a sweep nor a run that has ended.
    """
    sweeps = [directory for directory in directories if _is_sweep(directory)]
    runs = [directory for directory in directories if directory not in sweeps]
    records = [record for directory in sweeps for record in read_results(directory / RESULTS)]
    return [*records, *_of_runs(runs)]


def run_directories(directories: Sequence[Path]) -> list[Path]:
    """The directories of single runs, and in place of those of sweeps the ones of their cells that were run.

    Raises:
        InputError: a directory holds neither a sweep nor a run that has ended.
    """
    found: list[Path] = []
    for directory in directories:
        if _is_sweep(directory):
            cells = [record.directory for record in read_results(directory / RESULTS) if record.directory]
            found += [directory / cell for cell in cells if (directory / cell / SUMMARY).exists()]
        else:
            found.append(directory)
    return list(dict.fromkeys(found))


def _is_sweep(directory: Path) -> bool:
    """Whether there is a sweep; otherwise there is a run.

    Raises:
        InputError: there is neither.
    """
    if (directory / RESULTS).exists():
        return True
    if not (directory / SUMMARY).exists() or not (directory / EXPERIMENT).exists():
        remedy = "Give the directory that `holdfast sweep` or `holdfast run` printed at its end."
        required = f"hold a sweep, with {RESULTS} in it, or a run, with {SUMMARY} in it"
        raise InputError("RUNS", required, str(directory), remedy)
    return False


def _of_runs(directories: Iterable[Path]) -> list[Record]:
    found = [
        (name, leaves(variant.as_mapping()), directory)
        for directory in directories
        for name, variant in load(directory / EXPERIMENT).runs()
    ]
    fields = dict.fromkeys(path for _, own, _ in found for path in own)
    differing = [path for path in fields if len({own.get(path, "") for _, own, _ in found}) > 1]
    records = []
    for name, own, directory in found:
        status, values = read_summary(directory, name)
        labels = {"variant": name, **{path: own.get(path, "") for path in differing}}
        records.append(Record(labels, status, "", str(directory), values))
    return records


def leaves(mapping: Mapping[str, Any], parent: str = "") -> dict[str, str]:
    """Every field by its dotted path, and every component by the path of its field, as what tables call them.

    Example:
        >>> leaves({"rounds": 3, "aggregator": {"name": "krum", "f": 2}})
        {'rounds': '3', 'aggregator': 'krum', 'aggregator.f': '2'}
    """
    found: dict[str, str] = {}
    for key, value in mapping.items():
        path = f"{parent}.{key}" if parent else key
        if path in CHOSEN or key == "name":
            continue
        nested = value if isinstance(value, Mapping) else {}
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            nested = {str(place): item for place, item in enumerate(value)}
        if not isinstance(value, Mapping) or "name" in value:
            found[path] = label(value)
        found |= leaves(nested, path)
    return found
