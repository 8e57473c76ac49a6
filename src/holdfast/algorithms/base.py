"""The contracts of algorithms with a coordinator and among peers, and the local training that they share."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from scipy import sparse
from torch import Tensor

from holdfast.batches import batches_per_epoch
from holdfast.cohort import Cohort
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.inbox import PeerInbox, ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.optimizer import Optimizer
from holdfast.triggers import Trigger
from holdfast.types import BoolArray, ExtraGradient, FloatArray, IntArray, State

__all__ = ["Algorithm", "Links", "LocalTraining", "PeerAlgorithm", "ServerAlgorithm"]

Links = Literal["", "both ways", "equal weights"]


class Algorithm(Component):
    """One page of a paper, on rows; the same object serves a simulation and real processes."""

    family: ClassVar[str] = "algorithms"

    says: ClassVar[tuple[str, ...]] = ("x",)
    """The channels of what the nodes say; a receiver refuses any other."""

    max_staleness: int = Field(0, ge=0, description="how late a message may come and still count, in rounds")

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples nodes with so many work in a round, each as often as it is passed; for the clock."""
        return sizes_K.astype(np.float64)

    @abstractmethod
    def check_trigger(self, trigger: Trigger) -> None:
        """Refuse a trigger that does not suit the algorithm.

        Raises:
            InputError: it does not.
        """

    def widths(self, layout: Layout) -> dict[str, int]:
        """How many columns each channel has that nodes say; all that a row has by default."""
        return dict.fromkeys(self.says, layout.columns)


class ServerAlgorithm(Algorithm):
    """An algorithm in which a coordinator merges what the nodes send.

    A round is: `broadcast` to its `recipients`, on the nodes `local` and `spoke`, back at the coordinator `ask` until
    nobody more must speak, then `merge`, or `skip` where the rule cannot be applied.
    """

    weighting: Literal["samples", "uniform", "loss", "inverse_loss", "svd"] = Field(
        "samples",
        description="what a row weighs in the mean: its number of samples, 1, or the softmax of its training loss, of "
        "the negative loss, or of how various its samples are, from 0 to 1 (as the trigger svd counts it)",
    )

    counts: ClassVar[bool] = True
    """Whether the weight that a node states is how many samples it holds, unless `weighting` says otherwise."""
    asks: ClassVar[bool] = False
    """Whether `ask` may want to hear somebody whom the trigger kept silent."""
    remembers: ClassVar[bool] = False
    """Whether nodes go on from what they say, and so must say the whole of it."""

    def default_trigger(self) -> Trigger | None:
        """The trigger of an experiment that names none, where the algorithm has a condition of its own."""
        return None

    def check_trigger(self, trigger: Trigger) -> None:
        """Refuse another condition of the own kind, and parts of what nodes say where that is not newly learned."""
        own, name = self.default_trigger(), self.component_name()
        if type(own) is type(trigger) and own != trigger:
            raise InputError("", f"be that of {name} itself, {own!r}", repr(trigger), "Leave trigger out.")
        personal = type(self).personal is not ServerAlgorithm.personal or getattr(self, "keep_local", False)
        if trigger.trims and (personal or self.remembers or self.says not in (("update",), ("gradient",))):
            required = f"let nodes say all or nothing with {name}, which keeps what it has not said, or says more"
            remedy = "Use divergence, say, or an algorithm such as fedavg without keep_local."
            raise InputError("", required, trigger.component_name(), remedy)

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

    def watched(self, node: State, said: Message, heard: Message) -> tuple[Tensor, Tensor]:
        """(K, D) where the nodes' models stand after local work, and (K, D) what triggers compare them with."""
        return self.local_models(said, heard), heard["x"]

    def spoke(self, node: State, speaks_K: Tensor) -> State:
        """The nodes' state once the trigger, or `ask` after it, has decided who speaks; unchanged by default."""
        return node

    def ask(self, server: State, inbox: ServerInbox) -> IntArray:
        """Who else must speak before the merge, such as dynamic averaging's balancing set; nobody by default.

        The inbox's ``combined`` holds what the rule would make of its rows; nothing where they are too few.
        """
        return np.zeros(0, dtype=np.int64)

    def weights(self, inbox: ServerInbox) -> Tensor:
        """(M,) what the rows weigh in the aggregation rule; see ``weighting``."""
        if self.weighting == "samples":
            return inbox.weights_M
        if self.weighting == "uniform":
            return torch.ones_like(inbox.weights_M)
        if self.weighting == "svd":
            low, high = inbox.weights_M.min(), inbox.weights_M.max()
            return ((inbox.weights_M - low) / (high - low).clamp(min=1e-12)).softmax(0)
        losses_M = inbox.losses_M.double().nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        return (losses_M if self.weighting == "loss" else -losses_M).softmax(0).to(inbox.weights_M)

    @property
    def awaits(self) -> int | None:
        """How many updates the coordinator waits for, whoever sends them; ``None`` for all that it has asked for."""
        return None

    @abstractmethod
    def merge(self, server: State, inbox: ServerInbox) -> State:
        """The coordinator's state after a round whose inbox satisfies the aggregation rule."""

    def skip(self, server: State, inbox: ServerInbox) -> State:
        """The coordinator's state after a round in which too few spoke for the rule; unchanged by default."""
        return server

    def forget(self, server: State, nodes: IntArray) -> State:
        """The coordinator's state once nodes have begun anew, perhaps without what they knew; unchanged by default."""
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

    pushes: ClassVar[bool] = False
    """Whether the columns of `links` add up to 1 and not the rows, so that a sender keeps what it cannot deliver."""
    pools: ClassVar[bool] = False
    """Whether it computes on the samples of all nodes, which one process must hold."""
    needs: ClassVar[Links] = ""
    """What its derivation asks of the graph: links that lead both ways, also with equal weights; or nothing."""
    stays: ClassVar[bool] = False
    """Whether its derivation asks for the same graph in all rounds."""
    balanced: ClassVar[bool] = False
    """Whether sums over all nodes must stay what they are: then no node may be heard one way only, or late."""

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.max_staleness and (self.balanced or self.pushes or self.needs):
            required = f"be 0 with {self.component_name()}, in which what two nodes hear of each other belongs together"
            raise InputError("max_staleness", required, self.max_staleness, "Leave it out.")
        return self

    def check_trigger(self, trigger: Trigger) -> None:
        """Refuse what needs a coordinator, parts of a model, which peers could not mix, and silence of some alone."""
        name, needs = self.component_name(), "no plan" if trigger.plans else "no broadcast"
        if trigger.plans or trigger.trims:
            required = f"need {needs} of a coordinator with {name}, which has none"
            raise InputError("", required, trigger.component_name(), "Use periodic, say.")
        if self.balanced and trigger.may_silence() and not trigger.together:
            required = f"silence all nodes or none with {name}, in which what two nodes hear of each other must balance"
            raise InputError("", required, trigger.component_name(), "Use periodic, or an algorithm such as dsgd.")

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The nodes' state before the first round, one row for each: at least ``x``, the (K, D) models."""
        return {"x": x_KD}

    def links(self, W_NN: sparse.csr_array, round: int, seed: int) -> sparse.csr_array:
        """(N, N) by what weights whom a node hears in a round, itself included: by the topology's unless it says so.

        Args:
            W_NN: the topology's mixing matrix of the round.
            round: the round, from 1.
            seed: the experiment's seed.
        """
        return W_NN

    @abstractmethod
    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """The nodes' work in a round: their new state, and what they would say to their neighbours."""

    def local_models(self, node: State, said: Message) -> Tensor:
        """(K, D) where the nodes' models stand after local work, for triggers; what they would say by default."""
        return said["x"]

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

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples nodes with so many work in a round, each as often as it is passed."""
        if self.local_steps is None:
            return (sizes_K * (self.local_epochs or 1)).astype(np.float64)
        return self.local_steps * sizes_K / batches_per_epoch(sizes_K, self.batch_size)

    def train(self, cohort: Cohort, x_KD: Tensor, extra_gradient: ExtraGradient | None = None) -> tuple[Tensor, Tensor]:
        """The (K, D) rows after local training and their (K,) losses."""
        return self.train_on(cohort, x_KD, None, extra_gradient)[1:]

    def train_on(
        self, cohort: Cohort, x_KD: Tensor, memory: State | None, extra_gradient: ExtraGradient | None = None
    ) -> tuple[State, Tensor, Tensor]:
        """The same with an optimiser that goes on from what it remembers, and that memory; see `Cohort.train_on`."""
        epochs = self.local_epochs or (None if self.local_steps else 1)
        return cohort.train_on(
            x_KD,
            self.optimizer.at(cohort.round - 1),
            memory,
            epochs=epochs,
            steps=self.local_steps,
            batch_size=self.batch_size,
            extra_gradient=extra_gradient,
            clip_norm=self.clip_norm,
            clip_value=self.clip_value,
            l1=self.l1,
            l2=self.l2,
        )
