"""Components that note what they see, in the order in which they see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor

from holdfast.aggregators import Aggregator
from holdfast.algorithms.decentralised.dsgd import DSGD
from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.attacks import Attack, Context
from holdfast.codecs import Codec, Payload
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox, ServerInbox
from holdfast.message import Message
from holdfast.seeding import Draws
from holdfast.triggers import Trigger
from holdfast.types import State

SEEN: list[tuple[str, Any]] = []
"""(stage, what it saw)."""


@pytest.fixture(autouse=True)
def nothing_seen() -> Iterator[None]:
    SEEN.clear()
    yield
    SEEN.clear()


def seen(stage: str) -> list[Any]:
    """What a stage saw, time after time."""
    return [what for name, what in SEEN if name == stage]


class SpyTrigger(Trigger):
    """Those speak whose loss exceeds 1."""

    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        SEEN.append(("trigger", x_KD.flatten().tolist()))
        return state, losses_K > 1


class SpyAttack(Attack):
    """Adds 100; sees its own row."""

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        nodes = context.draws.nodes_K.tolist()
        SEEN.append(("attack", (nodes, own_BD.flatten().tolist(), honest_HD.flatten().tolist())))
        return state, own_BD + 100


class SpyColluders(SpyAttack):
    """Adds 100; sees its accomplices' rows."""

    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "colluders"


class SpyOmniscient(SpyAttack):
    """Adds 100; sees all rows."""

    knows: ClassVar[Literal["own", "colluders", "omniscient"]] = "omniscient"


class SpyCodec(Codec):
    """Sends the rows as they are."""

    def encode(self, state: State, x_KD: Tensor, draws: Draws) -> tuple[State, Payload]:
        SEEN.append(("encode", dict(zip(draws.nodes_K.tolist(), x_KD.flatten().tolist(), strict=True))))
        return state, Payload({"values": x_KD}, x_KD.shape[1])

    def decode(self, payload: Payload) -> Tensor:
        SEEN.append(("decode", len(payload.tensors["values"])))
        return payload.tensors["values"]


class SpyRule(Aggregator):
    """The mean without weights."""

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        SEEN.append(("aggregate", x_MD.clone()))
        return state, x_MD.mean(-2)


class SpyFedAvg(FedAvg):
    """FedAvg, noted."""

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        SEEN.append(("local work", cohort.nodes_K.tolist()))
        return super().local(node, message, cohort)

    def merge(self, server: State, inbox: ServerInbox) -> State:
        SEEN.append(("merge", inbox))
        return super().merge(server, inbox)


class SpyDSGD(DSGD):
    """DSGD, noted."""

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        SEEN.append(("local work", cohort.nodes_K.tolist()))
        return super().local(node, cohort)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        state = super().merge(node, inbox, cohort)  # aggregates on the way
        SEEN.append(("merge", inbox))
        return state


def rows() -> list[Tensor]:
    """What the rule was given, round after round."""
    return [torch.as_tensor(x_MD) for x_MD in seen("aggregate")]
