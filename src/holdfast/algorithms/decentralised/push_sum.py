"""Stochastic gradient push."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor

from holdfast.algorithms.base import PeerAlgorithm
from holdfast.algorithms.decentralised.steps import GradientStep
from holdfast.cohort import Cohort
from holdfast.inbox import PeerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["PushSum"]


class PushSum(GradientStep, PeerAlgorithm):
    r"""Stochastic gradient push: SGD over links that lead one way and may differ from round to round.

    A node shares itself out evenly among itself and those who hear it, :math:`A_{ij} = 1 / (1 + d_j)` with d_j their
    number in the round. No row of A need add up to 1, so a weight w_i, 1 at first, is shared out with the model:

    .. math::
        x_i^+ = \sum_j A_{ij} (x_j - \alpha g_j(z_j)), \qquad
        w_i^+ = \sum_j A_{ij} w_j, \qquad z_i = x_i / w_i

    z is the model. As the columns of A add up to 1, neither Σx nor Σw is lost in mixing. That holds as well where a
    link fails or is late, a receiver is down or a node keeps silent, for the sender keeps what it does not deliver in
    the round; so nothing that is late may count, or it would count twice. A loss of which the sender does not know, as
    of a process that is gone, takes of x and w alike, which shifts the mean and no more. A w that a liar makes negative
    counts as nothing. Buffers have no weights: a node takes the mean of those it hears.

    Source: Assran, Loizou, Ballas & Rabbat 2019, "Stochastic Gradient Push for Distributed Deep Learning", Algorithm 1;
    Kempe, Dobra & Gehrke 2003 for push-sum.

    Example:
        >>> A_NN = PushSum().links(sparse.csr_array(np.array([[0, 0, 0.3], [0.3, 0, 0], [0, 0.3, 0.3]])), 1, 1)
        >>> A_NN.toarray().tolist()
        [[0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    """

    says: ClassVar[tuple[str, ...]] = ("x", "weight")
    pushes: ClassVar[bool] = True

    lr: float = Field(0.1, gt=0, description="the learning rate α")

    def widths(self, layout: Layout) -> dict[str, int]:
        """The weight is one number."""
        return {"x": layout.columns, "weight": 1}

    def links(self, W_NN: sparse.csr_array, round: int, seed: int) -> sparse.csr_array:
        """A: the same links, of which each column adds up to 1."""
        size = W_NN.shape[0]
        linked = sparse.csr_array((W_NN + sparse.eye_array(size)) != 0, dtype=np.float64)
        return sparse.csr_array(linked @ sparse.diags_array(1.0 / linked.sum(axis=0)))

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """The parameters and their weights, and the buffers, which have none."""
        x_KP, buffers = x_KD.tensor_split([cohort.engine.layout.parameters], dim=1)
        return {"x": x_KP, "weight": x_KD.new_ones(len(x_KD), 1), "buffers": buffers}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Step along the gradient at z; all of it goes out."""
        z_KD, p = self.models(node), node["x"].shape[1]
        gradient_KD, losses_K = self.gradient(cohort, z_KD)
        x_KP, buffers = node["x"] - self.lr * gradient_KD[:, :p], z_KD[:, p:] - gradient_KD[:, p:]
        said = {"x": torch.cat([x_KP, buffers], dim=1), "weight": node["weight"]}
        return {**node, "x": x_KP, "buffers": buffers}, Message(said, cohort.samples(), losses_K)

    def local_models(self, node: State, said: Message) -> Tensor:
        """The models z after the step, for triggers."""
        return self.models(node)

    def merge(self, node: State, inbox: PeerInbox, cohort: Cohort) -> State:
        """Add up the shares, of which a weight is at least nothing; buffers take the mean of what was heard."""
        own_K1 = torch.from_numpy(inbox.left_K if inbox.kept_K is None else inbox.kept_K).to(node["x"]).unsqueeze(1)
        weight_K1 = inbox.pushed("weight").maximum(own_K1 * node["weight"])
        p, buffers = node["x"].shape[1], node["buffers"]
        if buffers.shape[1]:
            rows_K1 = torch.from_numpy(1 + inbox.degrees_K).to(buffers).unsqueeze(1)
            buffers = buffers - inbox.apart("x")[:, p:] / rows_K1
        return {"x": inbox.pushed("x")[:, :p], "weight": weight_K1, "buffers": buffers}

    def models(self, node: State) -> Tensor:
        """The (K, D) models z, without the bias of their weights."""
        return torch.cat([node["x"] / node["weight"], node["buffers"]], dim=1)
