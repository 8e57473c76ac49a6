"""Momentum of the nodes, before another rule."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import PreAggregator
from holdfast.aggregators.mixture import Mixture
from holdfast.types import State

__all__ = ["Momentum"]


class Momentum(PreAggregator):
    """Each node sends a running mean of its rows instead of the row itself, before another rule.

    m ← β m + (1 - β) g

    where g is the row that the node would have sent, and m starts at 0, one for each node. The work is done by the
    nodes before they send; the rows that arrive are left as they are, with their weights. Running means vary less
    than rows, so that lies which hide within the honest spread over many rounds stand out. Where m is not finite it
    is sent so, but the node goes on from what it was before, so that one broken row does not break all later ones.
    Costs O(D) in every node.

    Example:
        >>> import torch
        >>> rule, g_KD = Momentum(beta=0.5), torch.tensor([[4.0, 8.0]])
        >>> state = rule.start(rows=1, columns=2)
        >>> for round in range(2):
        ...     state, sent_KD = rule.before_sending(state, g_KD)
        ...     print(sent_KD)
        tensor([[2., 4.]])
        tensor([[3., 6.]])

    Reference:
        Karimireddy, He & Jaggi, "Learning from History for Byzantine Robust Optimization" (ICML 2021), Section 5.
    """

    of_updates: ClassVar[bool] = True

    beta: float = Field(0.9, ge=0, lt=1, description="what is left of the momentum after a round")

    def start(self, rows: int, columns: int) -> State:
        """A (rows, columns) momentum of zeros."""
        return {"m": torch.zeros(rows, columns)}

    def before_sending(self, state: State, x_KD: Tensor) -> tuple[State, Tensor]:
        """The new (K, D) momenta, as the state and as the rows to send."""
        old_KD = state["m"].to(x_KD)
        new_KD = self.beta * old_KD + (1 - self.beta) * x_KD
        return {"m": new_KD.where(new_KD.isfinite(), old_KD)}, new_KD

    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The state, the rows and their weights as they came."""
        return state, x_MD, weights_M

    def transform_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Mixture]:
        """The state and the rows as they came."""
        return state, rows
