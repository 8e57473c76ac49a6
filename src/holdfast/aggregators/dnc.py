"""Divide and conquer: drop the rows that stand out along the direction in which the rows differ most."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from holdfast.aggregators.base import Robust, Weighing, round_of
from holdfast.aggregators.lengths import lengths
from holdfast.aggregators.mixture import Mixture
from holdfast.aggregators.scores import least, mean_of
from holdfast.aggregators.spectrum import principal
from holdfast.seeding import generator
from holdfast.types import State

__all__ = ["Dnc"]


class Dnc(Robust, Weighing):
    """The mean of the rows that never stand out along the top singular direction of a sample of coordinates.

    DnC = 1 / |I| · Σ_{i ∈ I} x_i,  I = ∩_t I_t,  I_t the n - ⌊c·f⌋ rows of least s_i = ⟨x_i - μ, v⟩²

    where in each iteration t the rows are seen on a fresh sample of coordinates, μ is their mean there and v the top
    right singular vector of the centred rows. A tie goes to the lower row; where no row survives every iteration, those
    count that survive most often. A row that is not finite stands out before all others. Weights are ignored, since a
    liar states its own. The sample holds one random coordinate out of each of as many equal strips, or all coordinates
    where there are no more; the inboxes of a batch share it. The breakdown point is 1/2, if c is at least 1. Costs O(M
    · D) to find rows that are not finite, O(M² · sample + M³) for each iteration, and the mean.

    Raises:
        InputError: when called on fewer than 2f + 1 or ⌊c·f⌋ + 1 rows.

    Example:
        >>> Dnc(f=1)(torch.tensor([[0.0, 1.0], [1.0, 0.0], [90.0, 90.0], [1.0, 1.0]]))
        tensor([0.6667, 0.6667])

    Reference:
        Shejwalkar & Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and Defenses for
        Federated Learning" (NDSS 2021), Algorithm 2.
    """

    c: float = Field(1.0, ge=0, description="how many rows each iteration drops, as a multiple of f")
    sample: int = Field(10_000, ge=1, description="how many coordinates each iteration looks at")
    iterations: int = Field(1, ge=1, description="how often to sample and drop")
    seed: int = Field(0, ge=0, lt=2**63, description="what the samples are drawn by, with the round")

    def requires(self, f: int) -> int:
        """2f + 1 rows, an honest majority; and ⌊c·f⌋ + 1, so that one is left."""
        return max(2 * f, int(self.c * f)) + 1

    def weigh(self, state: State, rows: Mixture) -> tuple[State, Tensor]:
        """The state, unchanged, and equal weights on the rows that survive."""
        draws, dropped = generator(self.seed, "dnc", round_of(state)), int(self.c * self.f)
        whole_M, width = lengths(rows).isfinite(), rows.x_MD.shape[-1]
        scores = [_scores(rows, whole_M, _columns(width, self.sample, draws)) for _ in range(self.iterations)]
        survived_M = torch.stack([least(scores_M, rows.rows - dropped) for scores_M in scores]).sum(0)
        return state, mean_of(survived_M == survived_M.amax(-1, keepdim=True), scores[0])


def _columns(width: int, sample: int, draws: torch.Generator) -> Tensor:
    """(C,) the sample, in ascending order."""
    if width <= sample:
        return torch.arange(width)
    strips = torch.arange(sample) + torch.rand(sample, generator=draws, dtype=torch.float64)
    return (strips * (width / sample)).long().clamp(max=width - 1)


def _scores(rows: Mixture, whole_M: Tensor, columns: Tensor) -> Tensor:
    """(…, M) how far out each row lies on these columns; inf for a row that is not finite."""
    seen = Mixture(rows.x_MD[..., columns.to(rows.x_MD.device)], shares_QM=rows.shares_QM)
    shares_M = whole_M / whole_M.sum(-1, keepdim=True, dtype=torch.float64).clamp(min=1)
    return principal(seen.geometry.between_MM, shares_M)[1].where(whole_M, torch.inf)
