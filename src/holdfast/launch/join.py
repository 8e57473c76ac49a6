"""A node's process, from its start to its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import Any

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.network.crew import fingerprint
from holdfast.runtimes.network.host import Host
from holdfast.runtimes.network.identity import Identity
from holdfast.runtimes.network.member import Membership, Patience
from holdfast.runtimes.network.post import Address

__all__ = ["NodeSettings", "join"]


@dataclass(frozen=True)
class NodeSettings:
    """How a node takes part.

    Args:
        name: its name.
        rows: the nodes to host, as ``0-9,12``; the roster's or the coordinator's choice without it.
        keys: its folder of keys; none on loopback.
        data_dir: where its data lie.
        experiment: its own copy of the experiment; it then takes part in no other.
        state_dir: where its nodes' state is kept between lives of the process.
        listen: where peers reach it; anywhere on loopback without it.
        patience: seconds to wait for the coordinator.
    """

    name: str
    rows: str | None = None
    keys: Path | None = None
    data_dir: Path | None = None
    experiment: Experiment | None = None
    state_dir: Path | None = None
    listen: str | None = None
    patience: float = 300.0


def join(
    address: str,
    settings: NodeSettings,
    say: Callable[[str], None] = lambda text: None,
    identity: Identity | None = None,
    stopping: threading.Event | None = None,
) -> str:
    """Join a coordinator, and work for it until the run is over.

    Args:
        address: where the coordinator listens.
        settings: how to take part.
        say: shows what happens.
        identity: the node's key, where it is in no folder.
        stopping: set by somebody else to stop the node.

    Returns:
        Why it is over.

    Raises:
        InputError: an address, key or name is wrong, the coordinator refuses the node, or the run cannot be prepared.
    """
    _check_state(settings.state_dir)
    stopping = stopping or threading.Event()
    if identity is None:
        identity = Identity.load(settings.keys) if settings.keys else Identity.fresh(settings.name)
    membership = Membership(
        Address.parse(address),
        identity,
        settings.rows,
        fingerprint(settings.experiment) if settings.experiment else None,
        Address.parse(settings.listen) if settings.listen else None,
        Patience(settings.patience, say, stopping),
    )
    host = Host(membership, settings.data_dir, settings.experiment, settings.state_dir, say, stopping)
    before = _stop_on_signals(stopping)
    try:
        return host.serve()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check_state(folder: Path | None) -> None:
    """Refuse a folder for the nodes' state that takes no file.

    Raises:
        InputError: it cannot be made, or not be written to.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = f"{error.strerror}. Name a folder of your own."
        raise InputError("--state", "be a folder that can be written to", str(folder), remedy) from error


def _stop_on_signals(stopping: threading.Event) -> dict[int, Any]:
    """Let Ctrl-C end the node's work in order, unless it is ignored here; what the handlers were before."""
    if threading.current_thread() is not threading.main_thread():
        return {}

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, stop) for number in heeded}
