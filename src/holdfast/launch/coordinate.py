"""Coordinates a run whose nodes are processes of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from holdfast.algorithms import PeerAlgorithm
from holdfast.experiment import Experiment
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.run import Deployment, Result, interrupted, resume, run
from holdfast.runtimes.network.identity import Identity, Roster
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.post import Address
from holdfast.runtimes.network.star import RemoteStar
from holdfast.runtimes.network.watch import Watch
from holdfast.runtimes.rounds import Rounds

__all__ = ["Site", "coordinate", "go_on"]

DONE, INTERRUPTED = "done", "the run was interrupted, and can go on"
DEFAULT_ADDRESS = "127.0.0.1:7447"


@dataclass(frozen=True)
class Site:
    """Where a coordinator is to be found.

    Args:
        address: where it listens, as ``HOST:PORT``; port 0 takes a free one.
        keys: its folder of keys; without one it listens on loopback alone.
        roster: which key is whose, where no folder says so.
        opened: called with the address and the run directory once nodes may come.
    """

    address: str = DEFAULT_ADDRESS
    keys: Path | None = None
    roster: Roster | None = None
    identity: Identity | None = None
    opened: Callable[[Address, Path], None] = lambda address, directory: None

    def office(self, experiment: Experiment) -> Office:
        """The office of a run."""
        identity = Identity.load(self.keys) if self.keys else self.identity
        return Office(experiment, Address.parse(self.address), identity, self.roster)


def coordinate(
    experiment: Experiment,
    site: Site | None = None,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    console: Console | None = None,
    source: Path | None = None,
) -> Result:
    """Run every variant of an experiment over the nodes that join, and write the run directory.

    Args:
        experiment: what to run.
        site: where the coordinator is to be found.
        out: the directory to make; ``runs/<time>-<name>`` without it.
        data_dir: where the test samples lie.
        console: where progress is shown; nowhere without one.
        source: the folder of the experiment file.

    Raises:
        InputError: the experiment cannot be run as it is, the keys are wrong, or the address is in use.
    """
    site = site or Site()
    with _opened(site.office(experiment), console) as office:
        deployment = _deployment(office, site)
        result = run(experiment, out, data_dir=data_dir, runtime=deployment, console=console, source=source)
        office.reason = INTERRUPTED if result.interrupted else DONE
        return result


def go_on(
    directory: Path, site: Site | None = None, *, data_dir: Path | None = None, console: Console | None = None
) -> Result:
    """Go on with an interrupted run over the nodes that join.

    Raises:
        InputError: as `coordinate` does, or there is no checkpoint.
    """
    site = site or Site()
    with _opened(site.office(interrupted(directory)[0]), console) as office:
        result = resume(directory, data_dir=data_dir, runtime=_deployment(office, site), console=console)
        office.reason = INTERRUPTED if result.interrupted else DONE
        return result


@contextmanager
def _opened(office: Office, console: Console | None) -> Iterator[Office]:
    """An office that closes with a word to its nodes."""
    try:
        if console is not None:
            console.print(f"Coordinating at {office.address}", highlight=False)
        yield office
    finally:
        office.end(office.reason)
        office.close()


def _deployment(office: Office, site: Site) -> Deployment:
    def make(
        variant: str, prepared: Prepared, log: Recorder, stopping: threading.Event, status: Callable[[str], None]
    ) -> Rounds:
        kind = Watch if isinstance(prepared.parts.algorithm, PeerAlgorithm) else RemoteStar
        return kind(prepared, log, office, variant, stopping, status)

    return Deployment(make, 1, False, lambda directory: site.opened(office.address, directory))
