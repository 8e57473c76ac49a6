"""What a round is made of: the components of a run, what each side remembers, and what nodes say."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.algorithms import PeerAlgorithm, ServerAlgorithm
from holdfast.attacks import Attack
from holdfast.codecs import Codec
from holdfast.cohort import Cohort
from holdfast.layout import Layout
from holdfast.message import Message, RowStore
from holdfast.recovery import Lost, Recovery
from holdfast.triggers import Trigger
from holdfast.types import BoolArray, IntArray, State

__all__ = ["Log", "NodeSide", "Parts", "ServerSide", "Spoken"]


class Log(Protocol):
    """Where a round records what happened."""

    def event(self, round: int, kind: str, node: int | None = None, **detail: object) -> None:
        """Something happened, to a node or to the run."""


@dataclass(frozen=True)
class Parts:
    """The components of one run.

    Args:
        algorithm: what is computed.
        aggregator: the rule; ``None`` among peers mixes by W.
        codec: how rows are encoded; ``None`` sends float32.
        downlink: how the coordinator's broadcast is encoded; ``None`` sends float32.
        trigger: who speaks.
        attack: what Byzantine nodes do; ``None`` where there are none.
        byzantine: the Byzantine nodes, sorted.
        initial_D: the model before the first round.
        layout: which of the D columns are which parameter or buffer.
        nodes: how many nodes there are.
        seed: the experiment's seed.
        recovery: what becomes of the samples of nodes that are gone.
    """

    algorithm: ServerAlgorithm | PeerAlgorithm
    aggregator: Aggregator | None
    codec: Codec | None
    downlink: Codec | None
    trigger: Trigger
    attack: Attack | None
    byzantine: IntArray
    initial_D: Tensor
    layout: Layout
    nodes: int
    seed: int
    recovery: Recovery = field(default_factory=Recovery)

    def up(self, columns: int) -> Codec | None:
        """The codec of a channel of that width, to the coordinator or among peers."""
        return None if self._single(columns) else self.codec

    def down(self, columns: int) -> Codec | None:
        """The codec of a channel of that width, from the coordinator."""
        return None if self._single(columns) else self.downlink

    def _single(self, columns: int) -> bool:
        """Whether a channel holds a single number beside the model, which no codec makes smaller."""
        return columns == 1 < self.layout.columns

    def is_byzantine(self, nodes_K: IntArray) -> BoolArray:
        """(K,) which of the nodes are Byzantine."""
        return np.isin(nodes_K, self.byzantine)


@dataclass
class NodeSide:
    """What the nodes of this process remember, by stage."""

    stores: dict[str, RowStore] = field(default_factory=lambda: defaultdict(RowStore))


@dataclass
class ServerSide:
    """What the coordinator remembers.

    Args:
        algorithm: the algorithm's state.
        rules: the rule's, for each channel of what nodes say.
        downlink: the codec's, for each channel of the broadcast.
        plan: the trigger's.
        holders: by channel, the nodes that have acknowledged what was last sent in it; of a channel that is not named,
            all of them, who can make the first broadcast for themselves.
        lost: the nodes that were gone when the last round began.
        reported_Nn: the samples that each node reported last, -1 where there are fewer; empty if nobody did.
    """

    algorithm: State
    rules: dict[str, State] = field(default_factory=dict)
    downlink: dict[str, State] = field(default_factory=dict)
    plan: State = field(default_factory=dict)
    holders: dict[str, IntArray] = field(default_factory=dict)
    lost: Lost = field(default_factory=dict)
    reported_Nn: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(frozen=True)
class Spoken:
    """What the nodes of one host would say, and which of them do.

    Args:
        cohort: the nodes.
        message: what they would say.
        speaks_K: (K,) who does.
        hardest_Kn: (K, n) the samples that each reports with it; (K, 0) where none are due.
    """

    cohort: Cohort
    message: Message
    speaks_K: Tensor
    hardest_Kn: Tensor

    def rows(self, index: IntArray) -> Spoken:
        """The same of some of the rows."""
        if len(index) == len(self.cohort):
            return self
        at = torch.from_numpy(index)
        return Spoken(self.cohort.rows(index), self.message.rows(at), self.speaks_K[at], self.hardest_Kn[at])

    def speaking(self) -> Spoken:
        """Only those who speak."""
        return self.rows(np.flatnonzero(self.speaks_K.numpy()))

    def silent(self) -> Spoken:
        """Only those who do not."""
        return self.rows(np.flatnonzero(~self.speaks_K.numpy()))
