"""A map that robots with lidars learn together."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from holdfast.problems.lidar.base import MappingProblem
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.problems.lidar.task import Window
from holdfast.types import FloatArray

__all__ = ["LidarDensity"]


class LidarDensity(MappingProblem):
    r"""Lidar mapping: robots in a flat learn together where its walls are, as a network (x, y) → density.

    The inputs are (S, 2) places and the targets (S, 1) densities, 0 free and 1 wall, both float32. The loss is the
    binary cross-entropy of the density σ(z) of the network's output z; the metric ``accuracy`` says how many samples
    are told right. The flat is generated, unless `image` names one.

    `poses` says where robots scan: ``random``, at free places all over the map, which every robot draws for itself;
    ``trajectory``, at equal distances along its path, read from `paths` or planned through random places; ``walk``,
    along a random walk. The number of a sample's robot is what partitions tell samples apart by: with
    ``label_shards`` and as many nodes as robots, node i holds what robot i has seen.

    Raises:
        InputError: a file is missing or damaged, or a path leaves the map or runs into a wall.

    Example:
        >>> task = LidarDensity(robots=3, scans=4, lidar={"num_beams": 5, "beam_samps": 6}).load()
        >>> tuple(task.train[0].shape), tuple(task.train[1].shape), task.drive.robots_S[-1].item()
        ((360, 2), (360, 1), 2)

    Source: Yu, Vincent & Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative
    learning", 2022, section VI.
    """

    poses: Literal["random", "trajectory", "walk"] = Field(
        "random", description="where robots scan: random, trajectory or walk"
    )

    @property
    def window(self) -> Window | None:
        """None: a robot keeps all its scans."""
        return None

    def stands(self, plan: FloorPlan, data_dir: Path | None) -> FloatArray:
        """(R, P, 2) where the robots scan, in pixels."""
        if self.poses == "random":
            return plan.random(self.seed, "lidar.pose", np.arange(self.robots)[:, None], np.arange(self.scans))
        return self.walked(plan) if self.poses == "walk" else self.driven(plan, data_dir)
