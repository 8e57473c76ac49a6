"""Federated averaging of updates that count alike however many steps they took."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import model_validator
from torch import Tensor

from holdfast.algorithms.base import LocalTraining, ServerAlgorithm
from holdfast.algorithms.federated.fedopt import moved
from holdfast.algorithms.federated.local_sgd import refuse_other_than_sgd, steps_taken
from holdfast.cohort import Cohort
from holdfast.inbox import ServerInbox
from holdfast.layout import Layout
from holdfast.message import Message
from holdfast.types import State

__all__ = ["FedNova"]


class FedNova(LocalTraining, ServerAlgorithm):
    r"""Normalised averaging: the mean direction of the nodes, times their mean number of steps.

    Where nodes take different numbers of steps, the objective that FedAvg minimises is not the mean of theirs. With
    a_i the weight that all gradients of node i together have in its update, and p_i its share of the samples,

    .. math:: d_i = \frac{y_i - x}{a_i}, \qquad
        x \leftarrow x + \Bigl(\sum_i p_i a_i\Bigr) \sum_i p_i d_i

    With K_i steps of gradient descent a_i = K_i; with momentum ρ it is (K_i - ρ(1 - ρ^{K_i})/(1 - ρ))/(1 - ρ). Buffers
    such as a batch normalisation's means are not steps: they are averaged as they are.

    Raises:
        InputError: the optimiser is another than gradient descent with or without momentum, for which there is no such
            a_i.

    Source: Wang et al. 2020, "Tackling the Objective Inconsistency Problem in Heterogeneous Federated Optimization",
    equations 6 to 8 and section 4.

    Example:
        >>> FedNova(local_epochs=2, optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9}).says
        ('update', 'steps')
    """

    says: ClassVar[tuple[str, ...]] = ("update", "steps")

    @model_validator(mode="after")
    def _with_momentum_at_most(self) -> FedNova:
        refuse_other_than_sgd(self.optimizer, "momentum")
        return self

    def widths(self, layout: Layout) -> dict[str, int]:
        """Beside d_i a single number, a_i."""
        return {"update": layout.columns, "steps": 1}

    def local(self, node: State, message: Message, cohort: Cohort) -> tuple[State, Message]:
        """Train, and say the update in units of a_i, and a_i."""
        x_KD = message["x"]
        y_KD, losses_K = self.train(cohort, x_KD)
        a_K = self._weight(steps_taken(self, cohort))
        said = {"update": (y_KD - x_KD) * cohort.learning_rates(1 / a_K), "steps": a_K.unsqueeze(1)}
        return node, Message(said, cohort.samples(), losses_K)

    def _weight(self, steps_K: Tensor) -> Tensor:
        """(K,) a_i, the sum of the gradients' weights after so many steps."""
        rho: float = (self.optimizer.model_extra or {}).get("momentum", 0.0)
        if rho == 1:
            return steps_K * (steps_K + 1) / 2
        return (steps_K - rho * (1 - torch.pow(rho, steps_K)) / (1 - rho)) / (1 - rho)

    def local_models(self, said: Message, heard: Message) -> Tensor:
        """The broadcast moved by each node's update; the buffers a_i times as far as they went."""
        return heard["x"] + said["steps"] * said["update"]

    def merge(self, server: State, inbox: ServerInbox) -> State:
        """Move the model by the combined direction, times the combined number of steps."""
        steps, direction_D = inbox.combined["steps"], inbox.combined["update"]
        return {"x": moved(server["x"], direction_D, steps * direction_D[: inbox.parameters])}
