"""Old rows."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.attacks.base import Attack, Context
from holdfast.types import State

__all__ = ["Stale"]


class Stale(Attack):
    """Sends what the attacker should have sent some rounds ago.

    b_i^t = x_i^{t - age}

    and the truth while there is no row so old. Only the rounds count in which the attacker attacks: those
    before ``from_round``, and those in which it is not asked or keeps silent, leave no row behind. Memory:
    age · D numbers an attacker.

    Example:
        >>> import numpy as np
        >>> from holdfast.seeding import Draws
        >>> context = Context(0, Draws(1, "attack", np.array([3]), 0), f=1, rule=lambda x_MD: x_MD.mean(0))
        >>> attack = Stale(age=1)
        >>> state = attack.start(rows=1, columns=1)
        >>> for now in (5.0, 6.0, 7.0):
        ...     state, sent_BD = attack.corrupt(state, torch.zeros(0, 1), torch.tensor([[now]]), context)
        ...     print(sent_BD.item())
        5.0
        5.0
        6.0

    Reference:
        Xie, Koyejo & Gupta, "Zeno++: Robust Fully Asynchronous SGD" (ICML 2020), in which stale and Byzantine
        rows come together.
    """

    age: int = Field(1, ge=1, description="how old the rows are that are sent, in rounds")

    def start(self, rows: int, columns: int) -> State:
        """The (rows, age, columns) last rows, the oldest first, and (rows,) how many of them there have been."""
        return {"past": torch.zeros(rows, self.age, columns), "seen": torch.zeros(rows, dtype=torch.int64)}

    def corrupt(self, state: State, honest_HD: Tensor, own_BD: Tensor, context: Context) -> tuple[State, Tensor]:
        """The (B, age, D) rows moved on by one, and the (B, D) oldest of them."""
        past, seen_B = state["past"].to(own_BD), state["seen"].to(own_BD.device)
        sent_BD = past[:, 0].where((seen_B >= self.age).unsqueeze(1), own_BD)
        return {"past": torch.cat([past[:, 1:], own_BD.unsqueeze(1)], dim=1), "seen": seen_B + 1}, sent_BD
