"""A map that robots with lidars learn together while they drive."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from holdfast.errors import InputError
from holdfast.problems.lidar.base import MappingProblem
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.problems.lidar.task import Window
from holdfast.types import FloatArray

__all__ = ["OnlineDensity"]


class OnlineDensity(MappingProblem):
    r"""Lidar mapping while driving: in each round a robot has the last scans of its drive, and no others.

    It is `lidar_density` on paths, of whose scans ⌊(r - 1)·speed⌋ to ⌊(r - 1)·speed⌋ + window_scans - 1 are at hand in
    round r; after the last scan comes the first again. Where robot i is in round r is where it makes the newest.

    Raises:
        InputError: a file is missing or damaged, a path leaves the map or runs into a wall, or the window holds more
            scans than a robot makes.

    Example:
        >>> task = OnlineDensity(robots=2, scans=10, window_scans=3, lidar={"num_beams": 5, "beam_samps": 4}).load()
        >>> task.drive.held(task.drive.robots_S.nonzero()[0], round=2)[[0, -1]].tolist()
        [220, 279]

    Source: Yu, Vincent & Schwager, "DiNNO: distributed neural network optimization for multi-robot collaborative
    learning", 2022, section VI.
    """

    poses: Literal["trajectory", "walk"] = Field("trajectory", description="where robots scan: trajectory or walk")
    window_scans: int = Field(30, ge=1, description="how many scans a robot has at a time, in scans")
    speed: float = Field(1.0, gt=0, le=1000, description="how fast robots drive, in scans a round")

    @model_validator(mode="after")
    def _check_window(self) -> OnlineDensity:
        if self.window_scans > self.scans:
            required = f"be at most the {self.scans} scans of a drive"
            raise InputError("window_scans", required, self.window_scans, "Lower it, or raise scans.")
        return self

    @property
    def window(self) -> Window:
        """The last few scans."""
        return Window(self.window_scans, self.speed)

    def stands(self, plan: FloorPlan, data_dir: Path | None) -> FloatArray:
        """(R, P, 2) where the robots scan, in pixels."""
        return self.walked(plan) if self.poses == "walk" else self.driven(plan, data_dir)
