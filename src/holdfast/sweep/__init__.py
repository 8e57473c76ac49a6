"""Many experiments from one file: the product of a grid, run side by side, gathered in tables and a report."""

from holdfast.sweep.conduct import SweepResult, sweep
from holdfast.sweep.gather import gather
from holdfast.sweep.table import Table, tabulate

__all__ = ["SweepResult", "Table", "gather", "sweep", "tabulate"]
