"""The commands for runs over real processes, keys, coordinate, join and up, and for others' experiments and results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.console import Console

from holdfast.errors import InputError
from holdfast.experiment import load
from holdfast.importers.aggregathor import imported, words
from holdfast.importers.dynfed import imported as imported_dynfed
from holdfast.importers.dynfed_csv import table
from holdfast.importers.dynfed_grid import swept
from holdfast.importers.files import Imported, as_file
from holdfast.importers.nndt import imported as imported_nndt
from holdfast.launch.coordinate import DEFAULT_ADDRESS, Site, coordinate, go_on
from holdfast.launch.join import NodeSettings, join
from holdfast.launch.local import up, up_again
from holdfast.mapping import read
from holdfast.record.files import write_atomically
from holdfast.run import Result
from holdfast.runtimes.network.identity import make_keys
from holdfast.sweep.gather import run_directories
from holdfast.sweep.grid import load_sweep

__all__ = [
    "coordinate_command",
    "export_command",
    "import_aggregathor_command",
    "import_dynfed_command",
    "import_nndt_command",
    "join_command",
    "keys_command",
    "up_command",
]

Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="A.B=VALUE", help="Set a field; may be given several times.")
]
Experiment = Annotated[
    Path, typer.Argument(help="The experiment, in YAML or JSON; with --resume, the directory of a run.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run.")]
Out = Annotated[Path | None, typer.Option(help="The directory to make; runs/<time>-<name> without it.")]
DataDir = Annotated[Path | None, typer.Option("--data", help="Where data sets lie; HOLDFAST_DATA without it.")]
Keys = Annotated[
    Path | None, typer.Option(help="The own folder of keys, made by `holdfast keys`; needed beyond loopback.")
]


def keys_command(
    folder: Annotated[Path, typer.Argument(help="The folder to make, or to add nodes to.")],
    node: Annotated[list[str], typer.Option("--node", help="A node's name; NAME=0-9 also says which nodes it hosts.")],
    host: Annotated[
        list[str] | None, typer.Option("--host", help="A name or IP address by which others dial the coordinator.")
    ] = None,
) -> None:
    """Make a private CA, and for the coordinator and each node a key and a certificate; or enrol further nodes."""
    named = dict(part.partition("=")[::2] for part in node)
    rows = {name: text for name, text in named.items() if text}
    make_keys(folder, list(named), host or ("localhost", "127.0.0.1"), rows)
    print(f"Wrote {folder}. Keep {folder / 'ca.key'} to yourself, and give each process its own folder:")
    print(f"  holdfast coordinate EXPERIMENT --keys {folder / 'coordinator'} --address 0.0.0.0:7447")
    for name in named:
        print(f"  holdfast join HOST:7447 --node {name} --keys {folder / name}")


def coordinate_command(
    experiment: Experiment,
    address: Annotated[str, typer.Option(help="Where to listen; port 0 takes a free one.")] = DEFAULT_ADDRESS,
    keys: Keys = None,
    set_: Set = None,
    out: Out = None,
    data: DataDir = None,
    resume: Resume = False,
) -> Result:
    """Coordinate an experiment over nodes that join from other processes and machines, and write the report."""
    console, site = Console(), Site(address, keys)
    if resume:
        return go_on(experiment, site, data_dir=data, console=console)
    described = load(experiment, set_ or [])
    return coordinate(described, site, out=out, data_dir=data, console=console, source=experiment.parent)


def join_command(
    address: Annotated[str, typer.Argument(help="Where the coordinator listens, as HOST:PORT.")],
    node: Annotated[str | None, typer.Option(help="This node's name; that of its keys without it.")] = None,
    rows: Annotated[
        str | None, typer.Option(help="The nodes to host, such as 0-99; the roster's or the coordinator's choice.")
    ] = None,
    keys: Keys = None,
    data: DataDir = None,
    experiment: Annotated[
        Path | None, typer.Option(help="An own copy of the experiment: take part in no other, and trust its classes.")
    ] = None,
    set_: Set = None,
    state: Annotated[
        Path | None, typer.Option(help="Where to keep the nodes' state, to go on after a restart of this process.")
    ] = None,
    listen: Annotated[
        str | None, typer.Option(help="Where peers on a graph reach this node; anywhere on loopback without it.")
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds to wait for the coordinator.")] = 300.0,
) -> None:
    """Join a coordinator as a node: load the own data, train on them, and send nothing but updates."""
    own = load(experiment, set_ or []) if experiment else None
    settings = NodeSettings(_name(node, keys), rows, keys, data, own, state, listen, patience)
    print(f"Over: {join(address, settings, _Teller())}")


def _name(node: str | None, keys: Path | None) -> str:
    if node is None and keys is None:
        raise InputError("--node", "be given", None, "Name this node: --node alice, say.")
    if node is not None and keys is not None and keys.resolve().name != node:
        remedy = "Leave --node out, or give the folder of keys that was made for it."
        raise InputError("--node", f"be the name of its keys, {keys.resolve().name}", node, remedy)
    return node or ""


class _Teller:
    """Prints what is new."""

    def __init__(self) -> None:
        self.said = ""

    def __call__(self, text: str) -> None:
        if text != self.said:
            print(text, flush=True)
        self.said = text


def up_command(
    experiment: Experiment,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Over how many processes the nodes are spread; one each, but at most 20.")
    ] = None,
    set_: Set = None,
    out: Out = None,
    data: DataDir = None,
    resume: Resume = False,
) -> Result:
    """Run an experiment over real processes of this machine: a coordinator and its nodes, in one command."""
    if resume:
        return up_again(experiment, processes, data_dir=data, console=Console())
    described = load(experiment, set_ or [])
    return up(described, processes, out=out, data_dir=data, console=Console(), source=experiment.parent)


def import_aggregathor_command(
    arguments: Annotated[list[str], typer.Argument(help="The command line of AggregaThor's runner.py, quoted or not.")],
    out: Annotated[Path | None, typer.Option(help="The experiment file to write; it is printed without it.")] = None,
) -> None:
    """Turn a command line of AggregaThor into an experiment file."""
    fields, notes = imported(words(arguments))
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    if out is None:
        print(text, end="")
    else:
        _write_new(out, text)
    for note in notes:
        print(note, file=sys.stderr)


def import_dynfed_command(
    config: Annotated[Path, typer.Argument(help="dyn-fed's config.yml, in the present spelling or an older one.")],
    experiments: Annotated[Path | None, typer.Argument(help="dyn-fed's experiments.yml, for a grid.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; it is printed without it.")
    ] = None,
) -> None:
    """Turn a configuration of dyn-fed into an experiment file, or with its grid into a file for holdfast sweep."""
    content = read(config)
    if experiments is None:
        found = imported_dynfed(content)
    else:
        found = swept(content, read(experiments))
        load_sweep(found.fields)
    _hand_over(found, out)


def import_nndt_command(
    experiment: Annotated[Path, typer.Argument(help="An experiment file of nn_distributed_training.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; it is printed without it.")
    ] = None,
) -> None:
    """Turn an experiment file of nn_distributed_training, DiNNO's program, into one of ours."""
    _hand_over(imported_nndt(read(experiment)), out)


def _hand_over(found: Imported, out: Path | None) -> None:
    if out is None:
        print(as_file(found), end="")
        return
    _write_new(out, as_file(found))
    for note in found.notes:
        print(note, file=sys.stderr)


def export_command(
    runs: Annotated[list[Path], typer.Argument(help="Directories of runs, or of sweeps.")],
    dynfed: Annotated[
        bool,
        typer.Option(
            "--dynfed",
            help="In dyn-fed's columns: accuracies in per cent, times in seconds, pkt_size the MiB that nodes sent.",
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file to write; standard output without it.")
    ] = None,
) -> None:
    """Write results as another project does: a row for each variant of a run, and for each cell of a sweep."""
    if not dynfed:
        raise InputError("--dynfed", "be given", None, "Write holdfast export --dynfed RUN; there is no other form.")
    text = table(run_directories(runs))
    if out is None:
        print(text, end="")
        return
    try:
        write_atomically(out, text)
    except OSError as error:
        raise InputError("--out", "be writable", error.strerror, "Name a file in an existing folder.") from error


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError("--out", "not exist yet", str(path), "Name another file.") from None
    except OSError as error:
        raise InputError("--out", "be writable", error.strerror, "Name a file in an existing folder.") from error
