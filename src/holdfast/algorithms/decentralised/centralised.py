"""All data in one place."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.algorithms.decentralised.solo import Solo, go_on
from holdfast.cohort import Cohort
from holdfast.message import Message
from holdfast.seeding import address
from holdfast.types import FloatArray, IntArray, State

__all__ = ["Centralised"]


class Centralised(Solo):
    r"""One model trained on the samples of all nodes, which every node then has: what no algorithm can hope to beat.

    .. math:: x \leftarrow \operatorname{train}\Bigl(x; \tfrac{1}{S} \sum_{s} \ell_s\Bigr)

    over all S training samples, in batches drawn from all of them. It is computed once, not once a node, and nothing is
    sent. This baseline breaks what all else here keeps, that data stay on their nodes: it stands for a machine that has
    collected them, and needs a process that holds them all, so nodes with data of their own cannot run it. Neither
    stragglers nor poisoned samples touch that machine; a node that was down lacks the rounds that it missed.

    Source: the centralised baseline of Yu, Vincent & Schwager 2022, "DiNNO: Distributed Neural Network Optimization for
    Multi-Robot Collaborative Learning", section VI.

    Example:
        >>> Centralised(local_steps=1, batch_size=640).says
        ()
    """

    pools: ClassVar[bool] = True

    def effort(self, sizes_K: IntArray) -> FloatArray:
        """(K,) on how many samples the one machine works in a round, if these nodes are all that there are."""
        return super().effort(np.full_like(sizes_K, sizes_K.sum()))

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """What training alone starts with, and that each node has seen the same rounds: none."""
        history_K = torch.zeros(len(x_KD), dtype=torch.int64, device=x_KD.device)
        return {**super().start_nodes(x_KD, cohort), "history": history_K}

    def local(self, node: State, cohort: Cohort) -> tuple[State, Message]:
        """Train one row for all nodes that have seen the same rounds."""
        history_K = node["history"].cpu().numpy()
        _, first_U, which_K = np.unique(history_K, return_index=True, return_inverse=True)
        first, which = torch.from_numpy(first_U), torch.from_numpy(which_K)
        one = {name: rows[first] for name, rows in node.items()}
        one, losses_U = go_on(self, one, _pooled(cohort, len(first_U)))
        one["history"] = one["history"] ^ int(address(cohort.data.seed, "centralised", cohort.round).view(np.int64))
        return {name: rows[which] for name, rows in one.items()}, Message({}, cohort.samples(), losses_U[which])


def _pooled(cohort: Cohort, rows: int) -> Cohort:
    """A machine with all samples, as often as asked."""
    samples, nobody = np.arange(len(cohort.data.train[0])), np.zeros(rows, dtype=bool)
    nodes = np.zeros(rows, dtype=np.int64)
    return replace(cohort, nodes_K=nodes, work_K=np.ones(rows), poisoned_K=nobody, held={0: samples})
