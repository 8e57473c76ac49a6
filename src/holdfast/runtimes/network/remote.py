"""What the coordinator's rounds have in common whose nodes are in other processes."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable

import torch

from holdfast.codecs import Codec, Payload
from holdfast.message import Message
from holdfast.network import Network
from holdfast.parts import Parts
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.recovery import HARDEST
from holdfast.runtimes.network.office import Office
from holdfast.runtimes.network.parcel import Form, form_of
from holdfast.runtimes.rounds import Rounds

__all__ = ["TICK", "Remote", "broadcast_payloads", "template", "update_form"]

TICK = 0.05
"""Seconds after which a coordinator that waits looks around."""


class Remote(Rounds):
    """Rounds whose nodes are in other processes.

    Args:
        run: the prepared variant.
        log: where events and metrics go.
        office: where the nodes are.
        variant: the variant's name.
        stopping: set when the user wants to stop.
        status: shows what the run waits for.
    """

    def __init__(
        self,
        run: Prepared,
        log: Recorder,
        office: Office,
        variant: str,
        stopping: threading.Event,
        status: Callable[[str], None],
    ) -> None:
        super().__init__(run, log)
        self.pace = None  # real time passes by itself
        self.office, self.variant, self.stopping, self.status = office, variant, stopping, status
        self.set_up()

    @abstractmethod
    def set_up(self) -> None:
        """What is needed before the first round."""

    @property
    def network(self) -> Network:
        """What the experiment says of the network."""
        return self.run.experiment.network

    @property
    def present(self) -> int:
        """How many nodes are there."""
        return len(self.office.crew.rows_present(self.office.run))

    @property
    def note(self) -> str:
        """How many nodes of how many are there."""
        return f"{self.present}/{self.run.experiment.nodes} nodes"

    def log_dropped(self, round: int) -> None:
        """Record what came in a round and was not as it must be."""
        dropped = self.office.dropped()
        if dropped:
            self.log.event(round, "dropped", **{reason.replace(" ", "_"): n for reason, n in dropped.items()})


def update_form(parts: Parts, reports: bool = False) -> Form:
    """What one row of an update looks like: each channel as the codec encodes it, and samples where those are due."""
    widths, count = parts.algorithm.widths(parts.layout), parts.recovery.samples
    payloads = {name: template(parts.up(width), width) for name, width in widths.items()}
    hardest = {HARDEST: Payload({"values": torch.zeros(1, count, dtype=torch.int32)}, count)} if reports else {}
    return form_of(payloads | hardest)


def template(codec: Codec | None, columns: int) -> Payload:
    """One row's payload of a channel."""
    if codec is None:
        return Payload({"values": torch.zeros(1, columns)}, columns)
    return codec.template(columns)


def broadcast_payloads(heard: Message) -> dict[str, Payload]:
    """A broadcast as a parcel of one row."""
    return {name: Payload({"values": x_D.unsqueeze(0)}, x_D.numel()) for name, x_D in heard.channels.items()}
