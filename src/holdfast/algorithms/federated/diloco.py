"""Distributed low-communication training."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.algorithms.federated.fedavg import FedAvg
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.optimizer import Optimizer
from holdfast.types import State

__all__ = ["DiLoCo"]

_INNER, _OUTER = "inner.", "outer."


class DiLoCo(FedAvg):
    r"""DiLoCo: many inner steps of AdamW on each node, then one outer step with Nesterov momentum.

    Each node starts from the model x and takes H inner steps (``local_steps``) to y_i, with the moments that its
    optimiser had at the end of its last round. How far they went is the outer gradient:

    .. math:: \Delta = x - \sum_i \frac{n_i}{\sum_j n_j} y_i, \qquad
        m \leftarrow \beta m + \Delta, \qquad
        x \leftarrow x - \eta (\Delta + \beta m)

    from m = 0, with η = 0.7 and β = 0.9, or any other outer optimiser, and the aggregation rule of the experiment in
    place of the weighted mean. Buffers take the plain update. A node keeps two more rows in memory, AdamW's moments.

    Source: Douillard et al. 2023, "DiLoCo: Distributed Low-Communication Training of Language Models", Algorithm 1.

    Example:
        >>> DiLoCo(local_steps=50).outer.lr
        0.7
    """

    local_steps: int | None = Field(500, ge=1, description="inner steps H a round, unless local_epochs is given")
    optimizer: Optimizer = Field(
        Optimizer(name="adamw", lr=1e-3, weight_decay=0.1), description="the nodes' inner optimiser, of torch.optim"
    )
    outer: Optimizer = Field(
        Optimizer(name="sgd", lr=0.7, momentum=0.9, nesterov=True),
        description="the coordinator's outer optimiser, of torch.optim",
    )
    keep_inner: bool = Field(
        True, description="whether a node's inner optimiser goes on from what it remembers of the node's last round"
    )

    @model_validator(mode="before")
    @classmethod
    def _epochs_instead(cls, fields: dict[str, Any]) -> dict[str, Any]:
        """Epochs that are asked for stand in for the default number of steps."""
        return {"local_steps": None, **fields} if fields.get("local_epochs") is not None else fields

    def start_nodes(self, x_KD: Tensor, cohort: Cohort) -> State:
        """What FedAvg's nodes start with, and an inner optimiser that remembers nothing yet."""
        inner = self.optimizer.memory(x_KD[:, : cohort.engine.layout.parameters]) if self.keep_inner else {}
        return {**super().start_nodes(x_KD, cohort), **_marked(_INNER, inner)}

    def work(self, node: State, start_KD: Tensor, x_KD: Tensor, cohort: Cohort) -> tuple[State, Tensor, Tensor]:
        """Take the inner steps."""
        memory = _within(_INNER, node) if self.keep_inner else None
        memory, y_KD, losses_K = self.train_on(cohort, start_KD, memory)
        return {**node, **_marked(_INNER, memory)}, y_KD, losses_K

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """One outer step of the parameters; buffers take the plain update."""
        x_D, update_D, p = server["x"], inbox.combined["update"], inbox.parameters
        memory, y_P = self.outer.step(_within(_OUTER, server), x_D[:p], -update_D[:p])
        return {"x": torch.cat([y_P, x_D[p:] + update_D[p:]]), **_marked(_OUTER, memory)}


def _within(mark: str, state: State) -> State:
    """The part of a state that an optimiser remembers."""
    return {name.removeprefix(mark): value for name, value in state.items() if name.startswith(mark)}


def _marked(mark: str, memory: State) -> State:
    """What an optimiser remembers, as a part of a state."""
    return {f"{mark}{name}": value for name, value in memory.items()}
