"""The virtual time of a run: how long each node takes, whom a round waits for, and what is still on its way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from holdfast.checkpoint import grouped
from holdfast.clock import VirtualClock
from holdfast.packet import Packet
from holdfast.types import BoolArray, FloatArray, IntArray, State

__all__ = ["Closed", "Pace", "Work"]


@dataclass(frozen=True)
class Work:
    """What takes time.

    Args:
        nodes_K: who works, sorted.
        samples_K: on how many samples, each as often as it is passed.
        down_K: the bytes that each hears.
        up_K: the bytes that each sends.
    """

    nodes_K: IntArray
    samples_K: FloatArray
    down_K: IntArray
    up_K: IntArray


@dataclass(frozen=True)
class Closed:
    """What a round has waited for.

    Args:
        packets: what has come in time.
        late_K: who worked and was not waited for, sorted.
        away_K: who went away before its work had arrived, sorted.
    """

    packets: list[Packet]
    late_K: IntArray
    away_K: IntArray


class Pace:
    """The clock of a run, and the work that is on its way.

    Without a buffer a round ends when as many nodes have answered as it waits for. With one, nodes work asynchronously:
    a round ends when so many updates have come, whichever; who is still at work is not asked again meanwhile. Where too
    few are on their way, because nodes kept silent or messages were lost, the round ends with nothing when all at work
    are done; what has come is kept, and the next round asks others.

    Args:
        clock: the speeds and links.
        nodes: how many nodes there are.
        seed: the experiment's seed.
        awaited: how many answers a round waits for, or how many nodes work at a time.
        buffer: how many updates end a round; all that are awaited without it.
    """

    def __init__(self, clock: VirtualClock, nodes: int, seed: int, awaited: int, buffer: int | None = None) -> None:
        self.clock, self.awaited, self.buffer = clock, awaited, buffer
        self.machines, self.available = clock.machines(nodes, seed), clock.available(nodes)
        self.now = 0.0
        self.free_N = np.zeros(nodes)
        self.flying: list[tuple[float, Packet]] = []

    # ------------------------------------------------------------ who can be asked

    def idle(self) -> IntArray:
        """The nodes that are there and not at work; time passes until some are to be asked, or enough is on its way."""
        while len(self.flying) < (self.buffer or 1) and not (self._idle().any() and self.wanted > 0):
            then = min(self.available.next(self.now), self.free_N[self.free_N > self.now].min(initial=np.inf))
            if not np.isfinite(then):
                break
            self.now = then
        return np.flatnonzero(self._idle())

    def _idle(self) -> BoolArray:
        return self.available.at(self.now) & (self.free_N <= self.now)

    @property
    def wanted(self) -> int:
        """How many nodes are to be asked now."""
        if self.buffer is not None:
            return self.awaited - int((self.free_N > self.now).sum())
        return int(np.ceil(self.awaited * self.clock.over_selection - 1e-9))

    # ------------------------------------------------------------ a round

    def close(self, work: Work, packets: Sequence[Packet], silent_K: BoolArray) -> Closed:
        """Let time pass until the round ends.

        Args:
            work: who has worked, and how much.
            packets: what they send, without what a link has lost.
            silent_K: (K,) who has nothing to send but word of that.
        """
        nodes_K = work.nodes_K
        end_K = self.now + self.machines.seconds(nodes_K, work.samples_K, work.down_K, work.up_K)
        away_K = self.available.until(nodes_K, self.now) < end_K
        self.free_N[nodes_K] = end_K
        packets = _without(packets, nodes_K[away_K])
        if self.buffer is not None:
            self._fly(packets, nodes_K, end_K)
            return Closed(self._land(self.buffer), nodes_K[:0], nodes_K[away_K])
        sent = np.concatenate([packet.nodes_K for packet in packets]) if packets else nodes_K[:0]
        late_K = self._wait(end_K, ~away_K & (silent_K | np.isin(nodes_K, sent))) & ~away_K
        return Closed(_without(packets, nodes_K[late_K]), nodes_K[late_K], nodes_K[away_K])

    def _wait(self, end_K: FloatArray, answers_K: BoolArray) -> BoolArray:
        """(K,) who is not waited for: time passes until enough have answered, or nobody is left, or it is too late."""
        order = np.argsort(end_K, kind="stable")
        answering = order[answers_K[order]][: self.awaited]
        enough = len(answering) == min(self.awaited, len(end_K))
        end = end_K[answering].max(initial=self.now) if enough else end_K.max(initial=self.now)
        if self.clock.deadline is not None:
            end = min(end, self.now + self.clock.deadline)
        late_K: BoolArray = np.ones(len(end_K), dtype=bool)
        late_K[answering] = end_K[answering] > end
        self.now = float(end)
        self.free_N = np.minimum(self.free_N, self.now)  # who is left behind stops
        return late_K

    def _fly(self, packets: Sequence[Packet], nodes_K: IntArray, end_K: FloatArray) -> None:
        """Put each node's update on its way."""
        for packet in packets:
            ends = end_K[np.searchsorted(nodes_K, packet.nodes_K)]
            self.flying += [(float(end), packet.rows(np.array([row]))) for row, end in enumerate(ends)]
        self.flying.sort(key=lambda flight: (flight[0], int(flight[1].nodes_K[0])))

    def _land(self, count: int) -> list[Packet]:
        """The updates that come next, and the time at which the last has come; none before so many are on their way."""
        if len(self.flying) < count:
            self.now = max(self.now, float(self.free_N.max()))
            return []
        landed, self.flying = self.flying[:count], self.flying[count:]
        self.now = max(self.now, landed[-1][0])
        return [packet for _, packet in landed]

    def wait(self, nodes_K: IntArray, up_K: IntArray) -> None:
        """Let time pass until nodes that were asked once more have sent so many bytes."""
        seconds_K = self.machines.seconds(nodes_K, np.zeros(len(nodes_K)), np.zeros_like(nodes_K), up_K)
        self.now += float(seconds_K.max(initial=0.0))

    def together(self, work: Work) -> None:
        """Let time pass until the slowest of peers is done."""
        seconds_K = self.machines.seconds(work.nodes_K, work.samples_K, work.down_K, work.up_K)
        self.now += float(seconds_K.max(initial=0.0))

    # ------------------------------------------------------------ checkpoint

    def state(self) -> State:
        """Everything that the next round depends on, as named tensors."""
        tensors = {"now": torch.tensor(self.now, dtype=torch.float64), "free": torch.from_numpy(self.free_N)}
        for number, (end, packet) in enumerate(self.flying):
            tensors[f"flying/{number}/end"] = torch.tensor(end, dtype=torch.float64)
            tensors |= {f"flying/{number}/{key}": value for key, value in packet.state().items()}
        return tensors

    def restore(self, tensors: State) -> None:
        """Go on from a state."""
        self.now, self.free_N = float(tensors["now"]), tensors["free"].cpu().numpy().copy()
        flying = sorted(grouped(tensors, "flying").items(), key=lambda item: int(item[0]))
        self.flying = [(float(state["end"]), Packet.of(state)) for _, state in flying]


def _without(packets: Sequence[Packet], nodes: IntArray) -> list[Packet]:
    """The packets without the rows of some nodes."""
    left = [packet.rows(np.flatnonzero(~np.isin(packet.nodes_K, nodes))) for packet in packets]
    return [packet for packet in left if len(packet)]
