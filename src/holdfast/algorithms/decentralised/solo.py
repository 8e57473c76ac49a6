"""Every node alone."""

from __future__ import annotations

from typing import ClassVar

from scipy import sparse
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, PeerAlgorithm
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["Solo", "go_on"]

MEMORY = "memory."


class Solo(LocalTraining, PeerAlgorithm):
    r"""Each node trains on its own samples and says nothing: what every algorithm among peers must beat.

    .. math:: x_i \leftarrow \operatorname{train}(x_i; f_i)

    The optimiser goes on from round to round, so that all rounds together are one training. No byte is sent, and the
    topology does not matter.

    Source: the "individual training" of Yu, Vincent & Schwager 2022, "DiNNO: Distributed Neural Network Optimization
    for Multi-Robot Collaborative Learning", section VI.

    Example:
        >>> Solo(local_steps=2).links(sparse.csr_array([[0.5, 0.5], [0.5, 0.5]]), 1, 1).toarray().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """

    says: ClassVar[tuple[str, ...]] = ()

    def links(self, W_NN: sparse.csr_array, round: int, seed: int) -> sparse.csr_array:
        """None, but to oneself."""
        return sparse.csr_array(sparse.eye_array(W_NN.shape[0]))

    def widths(self, layout: Layout) -> dict[str, int]:
        """Nothing is said."""
        return {}

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The models, and an optimiser that remembers nothing yet."""
        memory = self.optimizer.memory(x_KD[:, : cohort.engine.layout.parameters])
        return {"x": x_KD, **{f"{MEMORY}{name}": rows for name, rows in memory.items()}}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Train on."""
        node, losses_K = go_on(self, node, cohort)
        return node, Message({}, cohort.samples(), losses_K)

    def local_models(self, node: State, said: Message) -> Tensor:
        """The trained models, for triggers."""
        return node["x"]

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Nobody is heard."""
        return node


def go_on(local: LocalTraining, node: State, cohort: Cohort) -> tuple[State, Tensor]:
    """The nodes' state after local training with the optimiser of the rounds before, and the (K,) losses.

    Args:
        local: how they train.
        node: the models under ``x``, and what the optimiser remembers under ``memory.…``.
        cohort: the nodes.
    """
    known = {name.removeprefix(MEMORY): rows for name, rows in node.items() if name.startswith(MEMORY)}
    memory, x_KD, losses_K = local.train_on(cohort, node["x"], known)
    return {**node, "x": x_KD, **{f"{MEMORY}{name}": rows for name, rows in memory.items()}}, losses_K
