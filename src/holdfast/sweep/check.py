"""Prepares every cell before the first one runs, so that whatever is wrong with any of them shows at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.prepare import Prepared, Preparer
from holdfast.sweep.grid import Cell, blamed, without_rule
from holdfast.sweep.room import cell_bytes

__all__ = ["check"]


def check(cells: Iterable[Cell], data_dir: Path | None) -> tuple[dict[str, str], int]:
    """Why cells are impossible that only their data or their graph can tell of, and the memory that one takes.

    Args:
        cells: cells with an experiment.
        data_dir: where data sets lie.

    Returns:
        The reason of each impossible cell by its digest, and the bytes that the largest of the others takes.

    Raises:
        InputError: another cell cannot be run as it is; it is named.
    """
    reasons: dict[str, str] = {}
    most, checker = 0, _Checker(data_dir)
    for cell in sorted(cells, key=lambda cell: checker.group(cell.experiment)):
        assert cell.experiment is not None
        try:
            most = max(most, cell_bytes(checker.prepare(cell.experiment)))
        except InputError as error:
            if not checker.rule_is_to_blame(cell.experiment):
                raise blamed(cell.labels, error) from error.__cause__
            reasons[cell.digest] = f"{error.field} must {error.required}"
    return reasons, most


class _Checker:
    """Prepares experiments on the CPU, and the first of each other device there; without timing the engines."""

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir, self.devices, self.current = data_dir, {"cpu"}, ""

    def group(self, experiment: Experiment | None) -> str:
        """What the experiments have in common for which data are kept in memory at a time."""
        assert experiment is not None
        return f"{experiment.problem.as_mapping()} {experiment.seed}"

    def prepare(self, experiment: Experiment) -> Prepared:
        group = self.group(experiment)
        if group != self.current:
            self.current, self.preparer = group, Preparer(self.data_dir)
        device = "cpu" if experiment.device in self.devices else experiment.device
        self.devices.add(device)
        engine = "stacked" if experiment.engine == "stacked" else "sequential"
        quick = {"engine": engine, "chunk_rows": 1, "device": device}
        return self.preparer.prepare(experiment.model_copy(update=quick))

    def rule_is_to_blame(self, experiment: Experiment) -> bool:
        """Whether it could be run without its rule."""
        try:
            self.prepare(without_rule(experiment.as_mapping()))
        except InputError:
            return False
        return True
