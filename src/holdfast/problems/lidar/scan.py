"""What a lidar measures on a floor plan, all beams of many poses at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtri

from holdfast.component import Settings
from holdfast.problems.lidar.floor_plan import WALL, FloorPlan
from holdfast.seeding import uniform
from holdfast.types import BoolArray, FloatArray, IntArray

__all__ = ["Lidar", "Scans"]

_AT_ONCE = 2**19
"""How many places are looked up at once, so that they stay near the processor."""


class Scans(NamedTuple):
    """What was measured: (P, A, T, 2) places along the A beams of P poses, and (P, A, T) labels or densities."""

    places: FloatArray
    densities: NDArray[np.float32]


class Lidar(Settings):
    r"""A lidar that casts beams around itself and samples points along each, up to the first wall.

    A beam of the angle -π + 2πa/A looks at `collision_samps` places along `beam_length` times the longer side of the
    map, then at `fine_samps` places between the first that is wall and the one before it; the first wall among these
    is the hit, at range r. With t = 0, 1/(T-1), …, 1 the T samples lie at r·t^`samp_distribution_factor`; where
    nothing is hit, at `beam_length`·t. A wall thinner than a coarse step can be missed.

    With `range_noise` σ the sample at range s of a beam that hit at r is reported at s(r + σz)/r, z being normal: the
    label is what was there, the place what the lidar makes of it.

    Example:
        >>> plan = FloorPlan(np.array([[0, 0, 0, 0, 1]] * 5, dtype=np.float32))
        >>> found = Lidar(num_beams=4, beam_length=1.0, beam_samps=3, fine_samps=11).scan(plan, np.array([[1.0, 2.0]]))
        >>> found.places[0, 2].round(1).tolist(), found.densities[0, 2].tolist()
        ([[1.0, 2.0], [2.2, 2.0], [3.5, 2.0]], [0.0, 0.0, 1.0])

    Source: Yu, Vincent & Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative
    learning", 2022, section VI (their implicit density mapping).
    """

    num_beams: int = Field(20, ge=1, le=10_000, description="how many beams a scan casts, in beams")
    beam_length: float = Field(
        0.2, gt=0, le=2, description="how far a beam reaches, as a fraction of the map's longer side"
    )
    beam_samps: int = Field(25, ge=2, le=10_000, description="how many points are sampled along a beam, in samples")
    samp_distribution_factor: float = Field(
        1.0, gt=0, le=10, description="the exponent that moves samples towards the wall where it is below 1 (no unit)"
    )
    collision_samps: int = Field(
        50, ge=2, le=10_000, description="how many coarse places a beam is searched for a wall at, in places"
    )
    fine_samps: int = Field(
        3, ge=2, le=10_000, description="how many places the coarse step that met a wall is searched at, in places"
    )
    round_density: bool = Field(True, description="whether labels are rounded to free (0) or wall (1): true or false")
    range_noise: float = Field(0.0, ge=0, description="the standard deviation of a measured range, in pixels")

    @property
    def samples(self) -> int:
        """How many samples one scan makes."""
        return self.num_beams * self.beam_samps

    def scan(
        self, plan: FloorPlan, poses_P2: FloatArray, seed: int = 0, names_P: IntArray | None = None, field: str = "pose"
    ) -> Scans:
        """The samples of a scan at each pose.

        Args:
            plan: the map.
            poses_P2: (P, 2) places, in pixels.
            seed: what addresses the noise.
            names_P: (P,) the numbers by which the noise of each pose is addressed; 0 … P-1 without them.
            field: what an error calls the poses.

        Raises:
            InputError: a pose is in a wall or outside the map.
        """
        plan.check_free(field, poses_P2)
        names_P = np.arange(len(poses_P2)) if names_P is None else names_P
        places = np.empty((len(poses_P2), self.num_beams, self.beam_samps, 2))
        densities = np.empty(places.shape[:-1], dtype=np.float32)
        for some in self._blocks(len(poses_P2)):
            places[some], densities[some] = self._scan(plan, poses_P2[some], seed, names_P[some])
        return Scans(places, densities)

    def _blocks(self, poses: int) -> Iterator[slice]:
        size = max(1, _AT_ONCE // (self.num_beams * max(self.beam_samps, self.collision_samps, self.fine_samps)))
        return (slice(start, start + size) for start in range(0, poses, size))

    def _scan(
        self, plan: FloorPlan, poses_P2: FloatArray, seed: int, names_P: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """The places and densities of a block of poses."""
        range_PA, hit_PA = self._ranges(plan, poses_P2)
        even_T = np.linspace(0, 1, self.beam_samps)
        share_PAT = np.where(hit_PA[..., None], even_T**self.samp_distribution_factor, even_T)
        density_PAT = plan.at(self._along(poses_P2, range_PA[..., None] * share_PAT))
        if self.round_density:
            density_PAT = (density_PAT >= WALL).astype(np.float64)
        if self.range_noise:
            z_PA = ndtri(uniform(seed, "lidar.noise", names_P[:, None], np.arange(self.num_beams)) + 2.0**-54)
            range_PA = np.where(hit_PA, np.maximum(range_PA + self.range_noise * z_PA, 0), range_PA)
        return self._along(poses_P2, range_PA[..., None] * share_PAT), density_PAT

    def _ranges(self, plan: FloorPlan, poses_P2: FloatArray) -> tuple[FloatArray, BoolArray]:
        """(P, A) where each beam ends, in pixels, and whether at a wall."""
        coarse_C = np.linspace(0, self.beam_length * plan.longer, self.collision_samps)
        first_PA = (plan.at(self._along(poses_P2, coarse_C)) >= WALL).argmax(-1)
        hit_PA = first_PA > 0  # the pose itself is free, so that 0 says that nothing is wall
        fine_PAF = np.linspace(coarse_C[first_PA - 1], coarse_C[first_PA], self.fine_samps, axis=-1)
        at_PA = (plan.at(self._along(poses_P2, fine_PAF)) >= WALL).argmax(-1)
        ends_PA = np.take_along_axis(fine_PAF, at_PA[..., None], -1)[..., 0]
        return np.where(hit_PA, ends_PA, coarse_C[-1]), hit_PA

    def _along(self, poses_P2: FloatArray, ranges: FloatArray) -> FloatArray:
        """(P, A, …, 2) the places at some ranges (…) or (P, A, …) along each beam."""
        angles_A = -np.pi + 2 * np.pi * np.arange(self.num_beams) / self.num_beams
        beams_A2 = np.stack([np.cos(angles_A), np.sin(angles_A)], axis=-1)
        places: FloatArray = poses_P2[:, None, None] + beams_A2[:, None] * ranges[..., None]
        return places
