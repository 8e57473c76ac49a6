"""The command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.markup import escape

from holdfast.catalogue import FAMILIES, JsonSchema, catalogue
from holdfast.commands import (
    coordinate_command,
    export_command,
    import_aggregathor_command,
    import_dynfed_command,
    import_nndt_command,
    join_command,
    keys_command,
    up_command,
)
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.experiment import Experiment, load
from holdfast.record.live import print_summary
from holdfast.record.report import write_report
from holdfast.run import Result, resume, run
from holdfast.sweep.commands import sweep_command, table_command

__all__ = ["app", "main"]

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="holdfast",
    help="Train one model over data that stays on its nodes, and hold fast when nodes crash, lie, lag or fall silent.",
    epilog="Begin with: holdfast new my.yaml, then holdfast run my.yaml",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


class Runtime(StrEnum):
    """Where the rounds run."""

    simulation = "simulation"
    debug = "debug"


DataDir = Annotated[
    Path | None, typer.Option(help="Where data sets lie; the environment variable HOLDFAST_DATA without it.")
]
RuntimeOption = Annotated[
    Runtime,
    typer.Option(help="simulation batches over nodes; debug takes one at a time and names the one that fails."),
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"holdfast {installed_version('holdfast')}")
        raise typer.Exit


@app.callback()
def _global(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What stands before every command."""


@app.command("run", epilog="Example: holdfast run examples/quickstart.yaml --set rounds=5 --out runs/try")
def run_command(
    experiment: Annotated[Path, typer.Argument(help="The experiment, in YAML or JSON.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given several times."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The directory to make; runs/<time>-<name> without it.")] = None,
    data_dir: DataDir = None,
    runtime: RuntimeOption = Runtime.simulation,
) -> None:
    """Run an experiment file, all its variants, and write the report."""
    source = experiment.parent
    described = load(experiment, set_ or [])
    _end(run(described, out, data_dir=data_dir, runtime=runtime.value, console=Console(), source=source))


@app.command("resume", epilog="Example: holdfast resume runs/20260101-120000-quickstart")
def resume_command(
    directory: Annotated[Path, typer.Argument(help="The directory of an interrupted run.")],
    data_dir: DataDir = None,
    runtime: RuntimeOption = Runtime.simulation,
) -> None:
    """Go on with an interrupted run, to the same numbers that an unbroken one gives."""
    _end(resume(directory, data_dir=data_dir, runtime=runtime.value, console=Console()))


def _end(result: Result, again: str = "holdfast resume") -> None:
    """Show the summary, and exit as the run ended."""
    print_summary(result.summary, result.directory, Console())
    if result.interrupted:
        Console(stderr=True).print(f"Interrupted. Go on with: {again} {result.directory}", highlight=False)
        raise typer.Exit(INTERRUPTED)
    if result.failed:
        Console(stderr=True).print("Every variant diverged; the record is intact.", highlight=False)
        raise typer.Exit(FAILED)


app.command("keys", epilog="Example: holdfast keys keys --node alice --node bob --host coordinator.example.org")(
    keys_command
)
app.command("join", epilog="Example: holdfast join 127.0.0.1:7447 --node alice")(join_command)


@app.command("coordinate", epilog="Example: holdfast coordinate examples/quickstart.yaml --address 127.0.0.1:7447")
@wraps(coordinate_command)
def _coordinate(**given: Any) -> None:
    _end(coordinate_command(**given), "holdfast coordinate --resume")


@app.command("up", epilog="Example: holdfast up examples/quickstart.yaml --processes 4")
@wraps(up_command)
def _up(**given: Any) -> None:
    _end(up_command(**given), "holdfast up --resume")


@app.command("sweep", epilog="Example: holdfast sweep robustness.yaml --set grid.seed=[1,2,3] --jobs 4")
@wraps(sweep_command)
def _sweep(**given: Any) -> None:
    result = sweep_command(**given)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    if result.failed:
        raise typer.Exit(FAILED)


app.command("table", epilog="Example: holdfast table sweeps/robustness --rows aggregator --cols attack --format latex")(
    table_command
)


app.command(
    "import-aggregathor",
    context_settings={"ignore_unknown_options": True},  # they are AggregaThor's
    epilog="Example: holdfast import-aggregathor --out my.yaml --experiment mnist --aggregator krum --nb-workers 9",
)(import_aggregathor_command)
app.command("import-dynfed", epilog="Example: holdfast import-dynfed config.yml experiments.yml --out grid.yaml")(
    import_dynfed_command
)
app.command("import-nndt", epilog="Example: holdfast import-nndt dist_mnist.yaml --out my.yaml")(import_nndt_command)
app.command("export", epilog="Example: holdfast export --dynfed runs/20260101-120000-quickstart --out results.csv")(
    export_command
)


@app.command("report", epilog="Example: holdfast report runs/20260101-120000-quickstart")
def report_command(directory: Annotated[Path, typer.Argument(help="A run directory.")]) -> None:
    """Draw the plots and the report of a run directory again."""
    print(write_report(directory))


@app.command("list", epilog="Example: holdfast list aggregators")
def list_command(
    family: Annotated[str | None, typer.Argument(help="One family; all without it.")] = None,
) -> None:
    """List the components: a line and the hyperparameters of each."""
    console = Console()
    for name in [family] if family else FAMILIES:
        console.print(f"[bold]{escape(name)}[/bold]")
        for component, cls in catalogue(name).items():
            console.print(f"  [cyan]{component}[/cyan]  {escape(cls.summary())}", highlight=False)
            for parameter, info in cls.model_fields.items():
                console.print(f"      {escape(_parameter(parameter, info))}", style="dim", highlight=False)


def _parameter(name: str, info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True)
    shown = default.as_mapping() if isinstance(default, Component) else default
    return f"{name}: {'required' if info.is_required() else shown}  ({info.description or 'no description'})"


@app.command("schema", epilog="Example: holdfast schema > holdfast.schema.json")
def schema_command() -> None:
    """Print the JSON schema of experiment files, for editors."""
    print(json.dumps(Experiment.model_json_schema(schema_generator=JsonSchema), indent=2))


@app.command("new", epilog="Example: holdfast new my.yaml && holdfast run my.yaml")
def new_command(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("experiment.yaml"),
) -> None:
    """Write a commented starter file."""
    starter = files("holdfast").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(starter)
    except FileExistsError:
        raise InputError(str(file), "not exist yet", "an existing file", "Name another file.") from None
    except OSError as error:
        raise InputError(str(file), "be writable", error.strerror, "Name a file in an existing folder.") from error
    print(f"Wrote {file}. Run it with: holdfast run {file}")


def _paragraph(error: InputError) -> str:
    return " ".join(str(error).split())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0 done, 1 the run failed, 2 the input was wrong, 130 interrupted and ready to resume.
    """
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        command(args=arguments, prog_name="holdfast", standalone_mode=True)
    except InputError as error:
        print(f"holdfast: {_paragraph(error)}", file=sys.stderr)
        return WRONG_INPUT
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE
