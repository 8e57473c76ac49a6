"""The contract of aggregation rules, and their composition."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from holdfast.catalogue import build
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.types import State

__all__ = ["Aggregator", "Chain", "PreAggregator", "Robust"]


class Aggregator(Component):
    """A rule that turns the M rows of an inbox into one row.

    Every rule takes leading batch dimensions, so ``x_MD`` may be (…, M, D): many inboxes of one size at once. Values
    that are not finite follow one policy: coordinate-wise rules treat them as missing, distance-based rules put such
    a row at infinite distance, `mean` lets them through.

    Raises:
        InputError: when called on fewer rows than `requires` says, or on rows that are not floating point.
    """

    family: ClassVar[str] = "aggregators"
    takes_missing: ClassVar[bool] = False
    """Whether a value that is not finite costs a row that one coordinate alone, so that lossy links may leave holes."""

    @property
    def tolerates(self) -> int:
        """How many Byzantine rows the rule is built to tolerate; 0 of a rule that is not robust."""
        return 0

    @abstractmethod
    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The new state and the aggregate.

        Args:
            state: what the rule remembers; ``{}`` at first, and always for a stateless rule.
            x_MD: (…, M, D) rows.
            weights_M: (…, M) non-negative weights of the rows; ``None`` weighs them equally.
            pivot_D: (…, D) the receiver's own row, or the previous aggregate, where a rule wants a centre.

        Returns:
            The state and the (…, D) aggregate.
        """

    def requires(self, f: int) -> int:
        """The least number of rows with which the rule tolerates f Byzantine ones."""
        return 1

    @property
    def least(self) -> int:
        """The least number of rows that this very rule, with its own f, accepts."""
        return self.requires(self.tolerates)

    def check(self, rows: int) -> None:
        """Refuse a number of rows with which the rule cannot keep its promise.

        Raises:
            InputError: fewer than `least` rows.
        """
        if rows < self.least:
            name = self.component_name()
            remedy = f"Use at least {self.least} rows, a smaller f, or a rule that needs fewer."
            raise InputError(
                "f",
                f"leave {name} at least {self.least} rows",
                f"f={self.tolerates} with {rows} rows",
                remedy,
            )

    def __call__(self, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None) -> Tensor:
        """The (…, D) aggregate of a rule without memory, or of one that starts afresh."""
        if not x_MD.is_floating_point() or x_MD.ndim < 2:
            given = f"{x_MD.dtype} of shape {tuple(x_MD.shape)}"
            raise InputError("x_MD", "be a floating point tensor (…, rows, columns)", given, "Convert it first.")
        self.check(x_MD.shape[-2])
        return self.aggregate({}, x_MD, weights_M, pivot_D)[1]

    @staticmethod
    def chain(stages: Sequence[object]) -> Aggregator:
        """Pre-aggregators and a final rule, applied in order."""
        if not stages:
            raise InputError("", "name at least one rule", list(stages), "Write aggregator: mean, say.")
        *before, last = (build(Aggregator, stage) for stage in stages)
        for stage in before:
            if not isinstance(stage, PreAggregator):
                remedy = "Put it last, or leave it out."
                raise InputError("", "hold pre-aggregators before its last rule", stage.component_name(), remedy)
        return Chain(stages=(*before, last)) if before else last


class Robust(Aggregator):
    """A rule that tolerates f arbitrary rows."""

    f: int = Field(1, ge=0, description="how many Byzantine rows the rule must tolerate")

    @property
    def tolerates(self) -> int:
        """The declared f."""
        return self.f


class PreAggregator(Aggregator):
    """A stage before a rule: rows in, rows out."""

    @abstractmethod
    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The new state, the new rows (…, M', D) and their weights."""

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """Transform, then take the (weighted) mean: what the stage does when it stands alone."""
        state, x_MD, weights_M = self.transform(state, x_MD, weights_M, pivot_D)
        if weights_M is None:
            return state, x_MD.mean(-2)
        share_M = (weights_M / weights_M.sum(-1, keepdim=True)).to(x_MD.dtype)
        return state, (share_M.unsqueeze(-1) * x_MD).sum(-2)


class Chain(Aggregator):
    """Pre-aggregators followed by a rule; its state holds each stage's under the stage's number."""

    stages: tuple[Aggregator, ...]

    @property
    def tolerates(self) -> int:
        """What the weakest robust stage tolerates."""
        return min((stage.tolerates for stage in self.stages if stage.tolerates), default=0)

    @property
    def least(self) -> int:
        """The most that any stage asks."""
        return max(stage.least for stage in self.stages)

    def requires(self, f: int) -> int:
        """The most that any stage asks for f Byzantine rows."""
        return max(stage.requires(f) for stage in self.stages)

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """Each stage in turn."""
        states: State = {}
        for number, stage in enumerate(self.stages):
            own = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"{number}.")}
            if isinstance(stage, PreAggregator) and number < len(self.stages) - 1:
                own, x_MD, weights_M = stage.transform(own, x_MD, weights_M, pivot_D)
            else:
                own, x_D = stage.aggregate(own, x_MD, weights_M, pivot_D)
            states |= {f"{number}.{key}": value for key, value in own.items()}
        return states, x_D

    def as_mapping(self) -> list[dict[str, object]]:  # type: ignore[override]
        """The list that an experiment file would hold."""
        return [stage.as_mapping() for stage in self.stages]
