"""The contract of aggregation rules, and their composition."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import count
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.shares import shares
from holdfast.catalogue import build
from holdfast.component import Component
from holdfast.errors import InputError
from holdfast.kernels import Ranks
from holdfast.types import State

__all__ = [
    "Aggregator",
    "Chain",
    "CoordinateWise",
    "Mixing",
    "OfMixtures",
    "PreAggregator",
    "Robust",
    "Weighing",
    "round_of",
]


class Aggregator(Component):
    """A rule that turns the M rows of an inbox into one row.

    Every rule takes leading batch dimensions, so ``x_MD`` may be (…, M, D): many inboxes of one size at once. Values
    that are not finite follow one policy: coordinate-wise rules treat them as missing, distance-based rules put such
    a row at infinite distance, `mean` lets them through.

    A rule that draws does so by the round, which whoever calls it puts into its state as ``round``.

    Raises:
        InputError: when called on fewer rows than `requires` says, or on rows that are not floating point.
    """

    family: ClassVar[str] = "aggregators"
    takes_missing: ClassVar[bool] = False
    """Whether a value that is not finite costs a row that one coordinate alone, so that lossy links may leave holes."""
    on_graphs_only: ClassVar[bool] = False
    """Whether the first row must be the receiver's own, which a coordinator has not."""
    of_updates: ClassVar[bool] = False
    """Whether 0 counts as a row that changes nothing: true of updates, and not of the models that peers send."""

    @property
    def tolerates(self) -> int:
        """How many Byzantine rows the rule is built to tolerate; 0 of a rule that is not robust."""
        return 0

    @property
    def trusted_node(self) -> int | None:
        """The node whose row is the coordinator's own, which comes as the pivot instead of among the rows; none."""
        return None

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

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The same of rows that the stages before have mixed; written down here, which most rules can do without."""
        return self.aggregate(state, rows.tensor(), rows.weights_Q, pivot_D)

    def start(self, rows: int, columns: int) -> State:
        """What nodes that speak for the first time remember for `before_sending`; nothing by default."""
        return {}

    def before_sending(self, state: State, x_KD: Tensor) -> tuple[State, Tensor]:
        """What the nodes make of the rows that they are about to send, such as a momentum; the rows by default.

        Args:
            state: what the nodes remember, one row for each.
            x_KD: (K, D) rows.
        """
        return state, x_KD

    def requires(self, f: int) -> int:
        """The least number of rows with which the rule tolerates f Byzantine ones."""
        return 1

    @property
    def least(self) -> int:
        """The least number of rows that this very rule, with its own f, accepts."""
        return self.requires(self.tolerates)

    def each(self) -> tuple[Aggregator, ...]:
        """The rule; of a chain, its stages."""
        return (self,)

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

    def __call__(
        self, x_MD: Tensor | Sequence[Tensor], weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> Tensor:
        """The (…, D) aggregate of a rule without memory, or of one that starts afresh; rows may come as a list."""
        x_MD = x_MD if isinstance(x_MD, Tensor) else _stacked(x_MD)
        if not x_MD.is_floating_point() or x_MD.ndim < 2:
            given = f"{x_MD.dtype} of shape {tuple(x_MD.shape)}"
            raise InputError("x_MD", "be a floating point tensor (…, rows, columns)", given, "Convert it first.")
        _check_weights(x_MD, weights_M)
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


def _stacked(rows: Sequence[Tensor]) -> Tensor:
    shapes = sorted({tuple(row.shape) for row in rows})
    if len(shapes) != 1:
        required = "hold at least one row" if not rows else "hold rows of one length"
        raise InputError("x_MD", required, shapes, "Give rows of the same columns in the same order.")
    return torch.stack(list(rows))


def _check_weights(x_MD: Tensor, weights_M: Tensor | None) -> None:
    if weights_M is None:
        return
    if weights_M.shape[-1:] != x_MD.shape[-2:-1]:
        given = f"{tuple(weights_M.shape)} for rows {tuple(x_MD.shape)}"
        raise InputError("weights_M", "hold one weight a row", given, "Give as many weights as rows.")
    if not bool((weights_M >= 0).all() & weights_M.isfinite().all() & (weights_M.sum(-1) > 0).all()):
        required = "be finite and not negative, and not all 0"
        raise InputError(
            "weights_M", required, weights_M.tolist(), "Weigh rows by their samples, or leave weights out."
        )


class OfMixtures(Aggregator):
    """A rule that takes rows as the stages before have mixed them, without seeing them written down."""

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """The new state and the (…, D) aggregate of the (…, M, D) rows."""
        return self.aggregate_rows(state, Mixture(x_MD, weights_M), pivot_D)

    @abstractmethod
    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The same of mixtures."""


class Robust(Aggregator):
    """A rule that tolerates f arbitrary rows."""

    f: int = Field(1, ge=0, description="how many Byzantine rows the rule must tolerate")

    @property
    def tolerates(self) -> int:
        """The declared f."""
        return self.f

    def requires(self, f: int) -> int:
        """2f + 1 rows: an honest majority, without which no rule can tell the honest from the others."""
        return 2 * f + 1


class CoordinateWise(OfMixtures):
    """A rule that looks at the ordered values of each coordinate alone; a value that is not finite is missing."""

    takes_missing: ClassVar[bool] = True

    @abstractmethod
    def ranks(self, rows: int) -> Ranks:
        """Which ranks of so many rows the rule takes the mean of."""

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The same of mixtures, each block of columns mixed in the cache."""
        return state, rows.ordered(self.ranks(rows.rows))


class Weighing(OfMixtures):
    """A rule whose result is a weighted sum of the rows, with weights told from how the rows lie to each other."""

    @abstractmethod
    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The new state and the (…, M) weights of the rows in the result; 0 keeps a row out, whatever it holds."""

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """The same of mixtures, told from the geometry of the rows."""
        state, weights_Q = self.weigh(state, rows)
        return state, rows.combined(weights_Q)


class PreAggregator(OfMixtures):
    """A stage before a rule: rows in, rows out."""

    @abstractmethod
    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The new state, the new rows (…, M', D) and their weights."""

    def transform_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Mixture]:
        """The same of rows that the stages before have mixed."""
        state, x_MD, weights_M = self.transform(state, rows.tensor(), rows.weights_Q, pivot_D)
        return state, Mixture(x_MD, weights_M)

    def leaves(self, rows: int) -> int:
        """How many rows the stage makes of so many; as many by default."""
        return rows

    def aggregate_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Tensor]:
        """Transform, then take the (weighted) mean: what the stage does when it stands alone."""
        state, rows = self.transform_rows(state, rows, pivot_D)
        return state, rows.combined(shares(rows.rows, rows.weights_Q))


class Mixing(PreAggregator):
    """A stage whose new rows are weighted sums of the rows, with shares told from how these lie to each other."""

    @abstractmethod
    def share(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The new state and the (…, Q, M) share of each row in each new one; 0 keeps a row out, whatever it holds."""

    def weights_after(self, weights_M: Tensor | None) -> Tensor | None:
        """The weights of the new rows; none by default, since a liar states its own."""
        return None

    def transform(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor, Tensor | None]:
        """The new state, the new rows (…, M', D) and their weights."""
        state, rows = self.transform_rows(state, Mixture(x_MD, weights_M), pivot_D)
        return state, rows.tensor(), rows.weights_Q

    def transform_rows(self, state: State, rows: Mixture, pivot_D: Tensor | None = None) -> tuple[State, Mixture]:
        """The same, with the shares multiplied instead of the rows."""
        state, shares_QM = self.share(state, rows)
        return state, rows.mixed(shares_QM, self.weights_after(rows.weights_Q))


class Chain(Aggregator):
    """Pre-aggregators followed by a rule; its state holds each stage's under the stage's number."""

    stages: tuple[Aggregator, ...]

    @property
    def tolerates(self) -> int:
        """What the weakest robust stage tolerates."""
        return min((stage.tolerates for stage in self.stages if stage.tolerates), default=0)

    @property
    def least(self) -> int:
        """The least number of rows of which every stage gets as many as it asks."""
        return next(rows for rows in count(1) if all(stage.least <= some for stage, some in self._fed(rows)))

    def _fed(self, rows: int) -> list[tuple[Aggregator, int]]:
        """Each stage, and how many rows come to it."""
        fed: list[tuple[Aggregator, int]] = []
        for stage in self.stages:
            fed.append((stage, rows))
            rows = stage.leaves(rows) if isinstance(stage, PreAggregator) else rows
        return fed

    def requires(self, f: int) -> int:
        """The least number of rows of which every stage gets as many as it asks for f Byzantine rows."""
        return next(rows for rows in count(1) if all(stage.requires(f) <= some for stage, some in self._fed(rows)))

    def check(self, rows: int) -> None:
        """Refuse a number of rows with which a stage cannot keep its promise.

        Raises:
            InputError: fewer than that stage's `least` rows come to it.
        """
        for stage, some in self._fed(rows):
            stage.check(some)

    def each(self) -> tuple[Aggregator, ...]:
        """Its stages."""
        return self.stages

    @property
    def trusted_node(self) -> int | None:
        """The node that the last rule trusts."""
        return self.stages[-1].trusted_node

    def start(self, rows: int, columns: int) -> State:
        """What the nodes remember for each stage."""
        states: State = {}
        for number, stage in enumerate(self.stages):
            states |= _above(stage.start(rows, columns), number)
        return states

    def before_sending(self, state: State, x_KD: Tensor) -> tuple[State, Tensor]:
        """What each stage asks of the nodes, in turn."""
        states: State = {}
        for number, stage in enumerate(self.stages):
            own, x_KD = stage.before_sending(_below(state, number), x_KD)
            states |= _above(own, number)
        return states, x_KD

    def aggregate(
        self, state: State, x_MD: Tensor, weights_M: Tensor | None = None, pivot_D: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """Each stage in turn."""
        states, rows = dict(_shared(state)), Mixture(x_MD, weights_M)
        *before, last = self.stages
        for number, stage in enumerate(before):
            assert isinstance(stage, PreAggregator)
            own, rows = stage.transform_rows(_below(state, number), rows, pivot_D)
            states |= _above(own, number)
        own, x_D = last.aggregate_rows(_below(state, len(before)), rows, pivot_D)
        return states | _above(own, len(before)), x_D

    def as_mapping(self) -> list[dict[str, object]]:  # type: ignore[override]
        """The list that an experiment file would hold."""
        return [stage.as_mapping() for stage in self.stages]


def _shared(state: State) -> State:
    """What every stage sees."""
    return {key: value for key, value in state.items() if key == "round"}


def _below(state: State, number: int) -> State:
    """The state of one stage."""
    own = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(f"{number}.")}
    return _shared(state) | own


def _above(own: State, number: int) -> State:
    return {f"{number}.{key}": value for key, value in own.items() if key != "round"}


def round_of(state: State) -> int:
    """The round that whoever calls a rule has put into its state; 0 without one."""
    return int(state.get("round", torch.tensor(0)))
