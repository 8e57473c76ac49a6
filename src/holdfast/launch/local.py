"""Starts a coordinator and its nodes as processes of this machine."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import torch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from holdfast.errors import HoldfastError
from holdfast.experiment import Experiment
from holdfast.launch.coordinate import Site, coordinate, go_on
from holdfast.launch.join import NodeSettings, join
from holdfast.run import Result, interrupted
from holdfast.runtimes.network.identity import COORDINATOR, Entry, Identity, Roster, show_rows
from holdfast.runtimes.network.post import Address

__all__ = ["MOST_PROCESSES", "Nodes", "start_node", "up", "up_again"]

MOST_PROCESSES = 20
"""How many node processes are started where nobody says how many."""
LOGS, STATES = "logs", "nodes"
LEAVING = 10.0
"""Seconds that nodes have to leave once the run is over."""


class Nodes:
    """Node processes of this machine, each with a key of its own that nobody else knows.

    Args:
        nodes: how many nodes the experiment has.
        processes: over how many processes they are spread; one each, but at most 20, without it.
        settings: what they have in common.
        console: where to say that they are started.
    """

    def __init__(
        self, nodes: int, processes: int | None, settings: NodeSettings, console: Console | None = None
    ) -> None:
        count = min(processes or MOST_PROCESSES, nodes)
        self.rows = [show_rows(part.tolist()) for part in np.array_split(np.arange(nodes), count)]
        self.settings, self.console = settings, console
        self.identities = [Identity.fresh(f"node-{number}") for number in range(count)]
        self.coordinator = Identity.fresh(COORDINATOR)
        self.processes: list[BaseProcess] = []

    @property
    def roster(self) -> Roster:
        """Which key is whose."""
        entries = {i.name: Entry(i.public, rows) for i, rows in zip(self.identities, self.rows, strict=True)}
        return Roster(self.coordinator.public, entries)

    def start(self, address: Address, directory: Path) -> None:
        """Start all of them; each writes a log of its own in the run directory."""
        logs = directory / LOGS
        logs.mkdir(exist_ok=True)
        if self.console is not None:
            self.console.print(f"Starting {len(self.identities)} node processes; logs: {logs}", highlight=False)
        threads = max(1, (os.cpu_count() or 1) // len(self.identities))
        for identity in self.identities:
            log, state = logs / f"{identity.name}.log", directory / STATES / identity.name
            settings = replace(self.settings, state_dir=state)
            self.processes.append(start_node(address, identity, settings, log, threads))

    def stop(self) -> None:
        """Wait until all have left; who does not is made to."""
        until = time.monotonic() + LEAVING
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()


def start_node(
    address: Address, identity: Identity, settings: NodeSettings, log: Path, threads: int = 1
) -> BaseProcess:
    """Start one node process that writes a log.

    Args:
        address: where the coordinator listens.
        identity: the node's name and key.
        settings: how it takes part.
        log: the file that tells what it does.
        threads: how many of torch's threads it may use.
    """
    context = mp.get_context("forkserver")  # torch is imported once, and no process inherits zenoh's threads
    context.set_forkserver_preload(["holdfast.launch.join"])
    about = (str(address), identity.name, identity.key.private_bytes_raw(), settings, log, threads)
    process = context.Process(target=_node, args=about, name=identity.name, daemon=True)
    process.start()
    return process


def _node(address: str, name: str, key: bytes, settings: NodeSettings, log: Path, threads: int) -> None:
    """What a node process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the coordinator's, who tells the nodes
    torch.set_num_threads(threads)
    with log.open("a", buffering=1, encoding="utf-8") as file:
        sys.stdout = sys.stderr = file
        said = ""

        def say(text: str) -> None:
            nonlocal said
            if text != said:
                print(time.strftime("%H:%M:%S"), text)
            said = text

        identity = Identity(name, Ed25519PrivateKey.from_private_bytes(key))
        try:
            say(f"over: {join(address, settings, say, identity)}")
        except HoldfastError as error:
            say(f"failed: {error}")
            sys.exit(2)


def up(
    experiment: Experiment,
    processes: int | None = None,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    console: Console | None = None,
    source: Path | None = None,
) -> Result:
    """Run an experiment over processes of this machine: a coordinator, and nodes that join it.

    Args:
        experiment: what to run.
        processes: over how many processes the nodes are spread.
        out: the directory to make; ``runs/<time>-<name>`` without it.
        data_dir: where data sets lie.
        console: where progress is shown; nowhere without one.
        source: the folder of the experiment file.

    Raises:
        InputError: the experiment cannot be run as it is.
    """
    with _nodes(experiment, processes, data_dir, console) as site:
        return coordinate(experiment, site, out=out, data_dir=data_dir, console=console, source=source)


def up_again(
    directory: Path, processes: int | None = None, *, data_dir: Path | None = None, console: Console | None = None
) -> Result:
    """Go on with an interrupted run over processes of this machine, which remember what they did.

    Raises:
        InputError: there is no checkpoint, it is damaged, or the experiment has been changed since.
    """
    with _nodes(interrupted(directory)[0], processes, data_dir, console) as site:
        return go_on(directory, site, data_dir=data_dir, console=console)


@contextmanager
def _nodes(
    experiment: Experiment, processes: int | None, data_dir: str | Path | None, console: Console | None
) -> Iterator[Site]:
    """A site whose nodes come as soon as it is opened, and are gone in the end."""
    own = Path(data_dir) if data_dir is not None else None
    nodes = Nodes(experiment.nodes, processes, NodeSettings("", data_dir=own, experiment=experiment), console)
    try:
        yield Site("127.0.0.1:0", roster=nodes.roster, identity=nodes.coordinator, opened=nodes.start)
    finally:
        nodes.stop()
