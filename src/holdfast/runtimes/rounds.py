"""What every runtime shares: the weather, what is in transit, and the account of what was sent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from torch import Tensor, tensor

from holdfast.algorithms import ServerAlgorithm
from holdfast.checkpoint import below, grouped
from holdfast.clock import VirtualClock
from holdfast.errors import HoldfastError
from holdfast.packet import Packet
from holdfast.prepare import Prepared
from holdfast.record.recorder import Recorder
from holdfast.runtimes.keep import keep_maps, keep_predictions
from holdfast.runtimes.measure import measure
from holdfast.runtimes.pace import Pace
from holdfast.runtimes.weather import Weather
from holdfast.types import BoolArray, FloatArray, IntArray, State

__all__ = ["Rounds", "StoppedError"]

TOTALS = ("bytes_up", "bytes_down", "header_bytes_up", "header_bytes_down", "speakers", "samples")
"""What is added up over the nodes of a round."""
OUTAGES_UP_TO = 100_000
"""Up to how many nodes every crash and return is an event; above, nobody looks at all nodes in every round."""


class StoppedError(HoldfastError):
    """The user stopped the run while it waited for nodes; nothing of the round has happened yet."""


class Rounds(ABC):
    """One variant of an experiment, round by round.

    Args:
        run: the prepared variant.
        log: where events and metrics go.
    """

    def __init__(self, run: Prepared, log: Recorder) -> None:
        self.run, self.log = run, log
        self.weather = Weather(run.experiment.faults, run.experiment.seed)
        self.pace = _pace(run)
        self.transit: list[tuple[int, Packet]] = []
        self.totals = Counter[str]()
        self._account = defaultdict[str, list[tuple[IntArray, IntArray]]](list)
        self.messages = 0
        self.seen_N = np.zeros(run.experiment.nodes if run.peers else 0)
        self.round = 0

    def ready(self, round: int) -> None:
        """Wait until a round can be played; a simulation always can.

        Raises:
            StoppedError: the user stopped the run meanwhile.
        """
        return

    def step(self, round: int) -> None:
        """One round, from 1."""
        self.totals = Counter(dict.fromkeys(TOTALS, 0))
        self._account.clear()
        self._outages(round)
        self.play(round)
        self._record_account(round)
        for name, total in self.totals.items():
            self.log.metric(round, name, total)
        if self.pace is not None:
            self.log.metric(round, "virtual_seconds", self.pace.now)
        self.round = round

    @abstractmethod
    def play(self, round: int) -> None:
        """What happens in a round."""

    @abstractmethod
    def models(self) -> Tensor:
        """The model, (1, D), or every peer's, (N, D)."""

    def measure(self, round: int, last: bool = False) -> dict[str, float]:
        """Evaluate, record, and hand back the metrics of the whole run."""
        x_KD = self.models()
        keep_maps(self.run, x_KD, round, self.log)
        if last:
            keep_predictions(self.run, x_KD, self.log)
        return measure(self.run, x_KD, round, self.log, self.seen_N)

    def diverged(self) -> bool:
        """Whether the model, or every honest peer's, holds a value that is not finite."""
        finite_K = self.models().sum(1).isfinite()
        if self.run.peers:
            finite_K = finite_K[self.run.honest]
        return len(finite_K) > 0 and not bool(finite_K.any())

    @property
    def watched(self) -> IntArray:
        """The nodes whose outages are recorded here."""
        return self.run.everyone

    @property
    def note(self) -> str:
        """What else is worth showing beside the progress, in a few words."""
        return ""

    # ------------------------------------------------------------ weather and transit

    def _outages(self, round: int) -> None:
        """Record who went down or came back, and who is slow."""
        if not self.run.experiment.faults or len(self.watched) > OUTAGES_UP_TO:
            return
        nodes = self.watched
        up, before = (
            self.weather.up(round, nodes),
            self.weather.up(round - 1, nodes) if round > 1 else np.ones(len(nodes), bool),
        )
        for kind, struck in (("crash", before & ~up), ("return", up & ~before)):
            for node in nodes[struck].tolist():
                self.log.event(round, kind, node)

    def _work(self, round: int, nodes_K: IntArray) -> np.ndarray:
        work_K = self.weather.work(round, nodes_K)
        for node, share in zip(nodes_K[work_K < 1].tolist(), work_K[work_K < 1].tolist(), strict=True):
            self.log.event(round, "straggle", node, work=share)
        return work_K

    def _in_time(self, round: int, packet: Packet, there: BoolArray) -> list[Packet]:
        """The part of a packet that arrives in its own round; the rest that arrives at all stays in transit."""
        lateness_K = self.weather.lateness(round, packet.nodes_K)
        for late in np.unique(lateness_K[there & (lateness_K > 0)]).tolist():
            self.transit.append((round + late, packet.rows(np.flatnonzero(there & (lateness_K == late)))))
        now = packet.rows(np.flatnonzero(there & (lateness_K == 0)))
        return [now] if len(now) else []

    def _due(self, round: int) -> list[Packet]:
        """What was in transit and arrives now."""
        due = [packet for when, packet in self.transit if when == round]
        self.transit = [(when, packet) for when, packet in self.transit if when > round]
        return self._young(round, due)

    def _young(self, round: int, packets: Sequence[Packet]) -> list[Packet]:
        """What is not too stale for the algorithm; what is, is an event, and lost."""
        most = self.run.parts.algorithm.max_staleness
        for packet in packets:
            staleness = round - packet.round
            kind = "stale" if 0 <= staleness <= most else "late"
            for node in packet.nodes_K.tolist() if staleness else ():
                self.log.event(round, kind, node, staleness=staleness)
        return [packet for packet in packets if 0 <= round - packet.round <= most]

    # ------------------------------------------------------------ the account

    def _sent(self, round: int, packet: Packet, copies_K: IntArray) -> None:
        """Record that each node of a packet sent so many copies of its row."""
        self._traffic("up", packet.nodes_K, copies_K * packet.bytes_K, copies_K * packet.header_bytes)
        self.messages += int(copies_K.sum())
        self.totals["speakers"] += len(packet)

    def _traffic(self, direction: str, nodes_K: IntArray, payload_K: IntArray, header_K: IntArray) -> None:
        """Add the bytes of each node to the round's account: payloads and headers apart."""
        self._count(f"bytes_{direction}", nodes_K, payload_K)
        self._count(f"header_bytes_{direction}", nodes_K, header_K)

    def _count(self, name: str, nodes_K: IntArray, bytes_K: IntArray) -> None:
        self._account[name].append((nodes_K, bytes_K))
        self.totals[name] += int(bytes_K.sum())

    def _spent(self, direction: str, nodes_K: IntArray) -> IntArray:
        """(K,) the bytes, headers included, that nodes have sent or heard so far in this round."""
        spent_N = np.zeros(self.run.experiment.nodes, dtype=np.int64)
        for name in (f"bytes_{direction}", f"header_bytes_{direction}"):
            for nodes, counts in self._account[name]:
                np.add.at(spent_N, nodes, counts)
        return spent_N[nodes_K]

    def _worked(self, round: int, nodes_K: IntArray, samples_K: FloatArray) -> None:
        """Count on how many samples nodes have worked in this round, each as often as it was passed forward."""
        self.totals["samples"] += int(np.rint(samples_K.sum()))
        if self.run.peers:
            self.seen_N[nodes_K] += samples_K

    def _record_account(self, round: int) -> None:
        """Record what each node has sent and received in this round, in all."""
        for name, entries in self._account.items():
            nodes, at = np.unique(np.concatenate([nodes_K for nodes_K, _ in entries]), return_inverse=True)
            sums = np.zeros(len(nodes), dtype=np.int64)
            np.add.at(sums, at, np.concatenate([bytes_K for _, bytes_K in entries]))
            self.log.metrics(round, name, nodes, sums)

    def _train_loss(self, round: int, nodes_K: IntArray, losses_K: FloatArray) -> None:
        """Record what the nodes say of their training, and whose loss was not a number."""
        for node in nodes_K[~np.isfinite(losses_K)].tolist():
            self.log.event(round, "nan_loss", node)
        self.log.metrics(round, "train_loss", nodes_K, losses_K)
        honest = losses_K[~self.run.parts.is_byzantine(nodes_K)]
        if len(honest):
            self.log.metric(round, "train_loss", float(honest.mean()))

    # ------------------------------------------------------------ checkpoint

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        tensors: State = {"messages": tensor(self.messages), "round": tensor(self.round), "seen": tensor(self.seen_N)}
        if self.pace is not None:
            tensors |= {f"pace/{key}": value for key, value in self.pace.state().items()}
        for number, (when, packet) in enumerate(self.transit):
            tensors[f"transit/{number}/when"] = tensor(when)
            tensors |= {f"transit/{number}/{k}": v for k, v in packet.state().items()}
        return tensors

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        at = {key: value.to(self.run.engine.device) for key, value in tensors.items()}
        self.messages, self.round = int(at["messages"]), int(at["round"])
        self.seen_N = tensors["seen"].cpu().numpy().copy()
        if self.pace is not None:
            self.pace.restore(below(at, "pace"))
        transit = sorted(grouped(at, "transit").items(), key=lambda item: int(item[0]))
        self.transit = [(int(state["when"]), Packet.of(state)) for _, state in transit]


def _pace(run: Prepared) -> Pace | None:
    """The virtual time of a run, where it has one: whoever waits for some updates and not for others needs it."""
    experiment, algorithm = run.experiment, run.parts.algorithm
    buffer = algorithm.awaits if isinstance(algorithm, ServerAlgorithm) else None
    if buffer is not None and buffer >= experiment.asked:
        buffer = None
    if experiment.clock is None and buffer is None:
        return None
    clock = experiment.clock or VirtualClock()
    return Pace(clock, experiment.nodes, experiment.seed, experiment.asked, buffer)
