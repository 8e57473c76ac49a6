"""The contracts of algorithms with a coordinator and among peers, and the local training that they share."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.cohort import Cohort
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.inbox import PeerInbox, ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.optimizer import Optimizer
from holdfast.types import BoolArray, ExtraGradient, IntArray, State

__all__ = ["Algorithm", "LocalTraining", "PeerAlgorithm", "ServerAlgorithm"]


class Algorithm(Component):
    """One page of a paper, on rows; the same object serves a simulation and real processes."""

    family: ClassVar[str] = "algorithms"

    says: ClassVar[tuple[str, ...]] = ("x",)
    """The channels of what the nodes say; a receiver refuses any other."""

    max_staleness: int = Field(0, ge=0, description="how late a message may come and still count, in rounds")

    def widths(self, layout: Layout) -> dict[str, int]:
        """How many columns each channel has that nodes say; all that a row has by default."""
        return dict.fromkeys(self.says, layout.columns)


class ServerAlgorithm(Algorithm):
    """An algorithm in which a coordinator merges what the nodes send.

    A round is: `broadcast` to its `recipients`, on the nodes `local` and `spoke`, back at the coordinator `ask` until
    nobody more must speak, then `merge`, or `skip` where the rule cannot be applied.
    """

    asks: ClassVar[bool] = False
    """Whether `ask` may want to hear somebody whom the trigger kept silent."""

    def start(self, x_D: Tensor, layout: Layout) -> State:
        """The coordinator's state before the first round: at least ``x``, the (D,) model.

        Args:
            x_D: (D,) the initial model.
            layout: which of its columns are which parameter or buffer.
        """
        return {"x": x_D}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The state of nodes that take part for the first time, one row for each; nothing by default.

        Args:
            x_KD: (K, D) the initial model in every row.
            cohort: the nodes.
        """
        return {}

    def broadcast(self, server: State) -> Message:
        """What the coordinator sends at the beginning of a round: (D,) channels, or of any other width."""
        return Message({"x": server["x"]})

    def recipients(self, server: State, channel: str, nodes_K: IntArray) -> BoolArray:
        """(K,) which of the nodes at work are sent a channel of the broadcast; all of them by default."""
        return np.ones(len(nodes_K), dtype=bool)

    @abstractmethod
    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """The nodes' work in a round: their new state, and what they would say.

        Args:
            node: the nodes' state, one row for each.
            message: the broadcast as the nodes received it, (K, D) channels.
            cohort: the nodes and the means to compute.
        """

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """(K, D) where the nodes' models stand after local work, for triggers; unmoved by default."""
        return heard["x"]

    def spoke(self, node: State, speaks_K: Tensor) -> State:
        """The nodes' state once the trigger, or `ask` after it, has decided who speaks; unchanged by default."""
        return node

    def ask(self, server: State, inbox: ServerInbox) -> IntArray:
        """Who else must speak before the merge, such as dynamic averaging's balancing set; nobody by default.

        The inbox's ``combined`` holds what the rule would make of its rows; nothing where they are too few.
        """
        return np.zeros(0, dtype=np.int64)

    @abstractmethod
    def merge(self, server: State, inbox: ServerInbox) -> State:
        """The coordinator's state after a round whose inbox satisfies the aggregation rule."""

    def skip(self, server: State, inbox: ServerInbox) -> State:
        """The coordinator's state after a round in which too few spoke for the rule; unchanged by default."""
        return server

    def model(self, server: State) -> Tensor:
        """The (D,) model to evaluate."""
        return server["x"]

    def personal(self, node: State, x_KD: Tensor) -> Tensor:
        """(K, D) the models that nodes use themselves, which are the coordinator's unless they keep their own.

        Args:
            node: the nodes' state, one row for each.
            x_KD: (K, D) the coordinator's `model` in every row.
        """
        return x_KD


class PeerAlgorithm(Algorithm):
    """An algorithm among peers: each works, speaks to its neighbours, and merges what it hears from them."""

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The nodes' state before the first round, one row for each: at least ``x``, the (K, D) models."""
        return {"x": x_KD}

    @abstractmethod
    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """The nodes' work in a round: their new state, and what they would say to their neighbours."""

    @abstractmethod
    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """The nodes' state after they have heard their neighbours; every node uses the values of the round's start."""

    def models(self, node: State) -> Tensor:
        """The (K, D) models to evaluate."""
        return node["x"]


class LocalTraining(Component):
    """The hyperparameters of several local steps, for algorithms whose nodes train before they speak."""

    local_epochs: int | None = Field(
        None, ge=1, description="passes over a node's samples a round (1 unless local_steps)"
    )
    local_steps: int | None = Field(None, ge=1, description="batches a round, instead of local_epochs")
    batch_size: int | None = Field(32, ge=1, description="samples in a batch; null takes all samples of the node")
    optimizer: Optimizer = Field(Optimizer(name="sgd", lr=0.1), description="the nodes' optimiser, of torch.optim")
    clip_norm: float | None = Field(None, gt=0, description="greatest Euclidean norm of a node's gradient")
    clip_value: float | None = Field(None, gt=0, description="greatest absolute value of a gradient's element")
    l1: float = Field(0.0, ge=0, description="λ of the penalty λΣ|w|")
    l2: float = Field(0.0, ge=0, description="λ of the penalty λΣw²")

    @model_validator(mode="after")
    def _epochs_or_steps(self) -> LocalTraining:
        if self.local_epochs is not None and self.local_steps is not None:
            remedy = "Leave one of them out."
            raise InputError("local_steps", "stand alone, without local_epochs", self.local_steps, remedy)
        return self

    def train(self, cohort: Cohort, x_KD: Tensor, extra_gradient: ExtraGradient | None = None) -> tuple[Tensor, Tensor]:
        """The (K, D) rows after local training and their (K,) losses."""
        epochs = self.local_epochs or (None if self.local_steps else 1)
        return cohort.train(
            x_KD,
            self.optimizer.at(cohort.round - 1),
            epochs=epochs,
            steps=self.local_steps,
            batch_size=self.batch_size,
            extra_gradient=extra_gradient,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            l1=self.l1,
            l2=self.l2,
        )
