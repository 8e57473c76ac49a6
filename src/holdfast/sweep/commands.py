"""The commands for many experiments at once: sweep and table."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from holdfast.errors import InputError
from holdfast.record.files import write_atomically
from holdfast.sweep.conduct import SweepResult, sweep
from holdfast.sweep.gather import gather
from holdfast.sweep.table import FORMATS, tabulate

__all__ = ["sweep_command", "table_command"]


class Format(StrEnum):
    """How a table is written."""

    csv = "csv"
    markdown = "markdown"
    latex = "latex"


def sweep_command(
    file: Annotated[Path, typer.Argument(help="An experiment with a grid, in YAML or JSON.")],
    out: Annotated[Path | None, typer.Option(help="The directory of the sweep; sweeps/<name> without it.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given several times.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="How many cells run at a time; as many as cores and memory allow without it."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where data sets lie; the environment variable HOLDFAST_DATA without it.")
    ] = None,
    keep: Annotated[
        float, typer.Option(help="The part of its quality that a rule must keep not to count as broken down.")
    ] = 0.5,
) -> SweepResult:
    """Run every combination of a grid, side by side; finished ones are skipped, so the same command goes on."""
    console = Console()
    result = sweep(file, out, overrides=set_ or [], jobs=jobs, data_dir=data_dir, keep=keep, console=console)
    errors = Console(stderr=True)
    for record in result.failed:
        cell = " ".join(f"{axis}={label}" for axis, label in record.labels.items())
        errors.print(Text(f"Failed: {cell}: {record.reason}", style="red"), soft_wrap=True)
    console.print(Text("Report: ", style="bold").append(str(result.report), style="not bold"), soft_wrap=True)
    if result.interrupted:
        errors.print("Interrupted. The same command goes on.", highlight=False)
    return result


def table_command(
    runs: Annotated[list[Path], typer.Argument(help="Directories of sweeps, or of runs.")],
    rows: Annotated[str, typer.Option(help="The axis of the rows.")],
    cols: Annotated[str | None, typer.Option(help="The axis of the columns; one column without it.")] = None,
    values: Annotated[
        str, typer.Option(help="What to tell of the cells that fall together: mean,std,min,max,worst,count.")
    ] = "mean,std",
    metric: Annotated[str | None, typer.Option(help="The metric; the accuracy, or the first other.")] = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.markdown,
    out: Annotated[Path | None, typer.Option(help="The file to write; standard output without it.")] = None,
) -> None:
    """Print a metric by one or two axes, over all the others."""
    wanted: Sequence[str] = [value.strip() for value in values.split(",")]
    text = FORMATS[format.value](tabulate(gather(runs), rows, cols, wanted, metric))
    if out is None:
        print(text, end="")
        return
    try:
        write_atomically(out, text)
    except OSError as error:
        raise InputError(str(out), "be writable", error.strerror, "Name a file in an existing folder.") from error
