"""The contract of triggers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.types import BoolArray, FloatArray, State

__all__ = ["ORDER", "News", "Trigger"]

ORDER = "order"
"""Where a node's state holds what the coordinator's plan tells it in this round."""


@dataclass(frozen=True)
class News:
    """What a coordinator knows when it plans a round.

    Args:
        rounds: how many rounds the run has.
        x_D: the model's parameters.
        reports_NR: (N, R) what each node answered to the survey; NaN of who has not.
        losses_N: each node's training loss, of the last round in which it worked; NaN before.
        validation: inputs and targets that no node is surveyed about.
        there_N: who will be told what is planned: the nodes that are asked in the round and run.
    """

    rounds: int
    x_D: Tensor
    reports_NR: Tensor
    losses_N: FloatArray
    validation: tuple[Tensor, Tensor]
    there_N: BoolArray


class Trigger(Component):
    """Decides who speaks after a round's local work.

    Every node decides for itself. Where it must know what the others have, a coordinator plans: it asks every node once
    (`survey`), plans each round (`plan`), and tells each node its order, a number, with the broadcast.
    """

    family: ClassVar[str] = "triggers"

    plans: ClassVar[bool] = False
    """Whether a coordinator must plan, so that it does not suit peers."""
    surveys: ClassVar[bool] = False
    """Whether the plan rests on a survey."""
    together: ClassVar[bool] = False
    """Whether in a round all nodes speak, or none does."""
    trims: ClassVar[bool] = False
    """Whether nodes say only a part of what they would, so that it suits one channel of what is newly learned."""

    def check(self, nodes: int, rounds: int) -> None:
        """Refuse what does not fit an experiment of so many nodes and rounds; nothing by default.

        Raises:
            InputError: it does not fit.
        """
        return

    def _at_most(self, field: str, rounds: int) -> None:
        """Refuse an interval after whose end nobody is left to speak."""
        value = getattr(self, field)
        if value > rounds:
            raise InputError(field, f"be at most {rounds}, the rounds there are", value, "Or nobody would ever speak.")

    def fitted(self, shapes: Sequence[tuple[int, ...]]) -> Self:
        """The trigger for rows that hold tensors of these shapes, one after the other; itself if it does not matter."""
        return self

    def survey(self, inputs: Tensor, targets: Tensor, classes: int | None, seed: int) -> Tensor:
        """(R,) what a node tells the coordinator of its samples before the first round; R does not depend on them.

        Args:
            inputs: (S, …) its samples, without those of the coordinator's validation.
            targets: (S, …) theirs.
            classes: how many classes there are; ``None`` in a regression.
            seed: the experiment's.
        """
        return torch.empty(0)

    def plan(self, state: State, round: int, news: News) -> tuple[State, FloatArray]:
        """The coordinator's new state, and (N,) what it tells each node in this round.

        Args:
            state: what the plan remembers; empty at first.
            round: the round that begins, from 1.
            news: what the coordinator knows.
        """
        raise NotImplementedError(f"{self.component_name()} does not plan")

    def start(self, x_KD: Tensor) -> State:
        """What nodes remember at first, one row for each."""
        return {}

    def trim(self, state: State, said_KD: Tensor, x_KD: Tensor) -> tuple[State, Tensor]:
        """The new state, and what nodes say of the rows that they would say; asked before `speakers`.

        Args:
            state: what the nodes remember, one row for each.
            said_KD: (K, D) what they would say.
            x_KD: (K, D) the broadcast.
        """
        return state, said_KD

    def may_silence(self) -> bool:
        """Whether any node may ever stay silent."""
        return True

    @abstractmethod
    def speakers(
        self, state: State, round: int, x_KD: Tensor, reference_KD: Tensor, losses_K: Tensor
    ) -> tuple[State, Tensor]:
        """The new state, and a (K,) boolean mask of the nodes that speak.

        Args:
            state: what the nodes remember, one row for each; with a plan, ``order`` holds (K,) what it tells them.
            round: the round, from 1.
            x_KD: (K, D) the parameters after local work, without buffers.
            reference_KD: (K, D) what to compare them with: the broadcast's, or the algorithm's own; among peers what
                they said last.
            losses_K: (K,) the local training losses.
        """
