"""What the lidar problems share: the map, the robots' paths, and samples (x, y) → free or wall."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

from holdfast.catalogue import Choice
from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.fourier import Fourier
from holdfast.problems.base import Problem
from holdfast.problems.files import find
from holdfast.problems.lidar.floor_plan import FloorPlan, bordered, generate, read
from holdfast.problems.lidar.paths import closely, evenly, read_path, smooth, spline
from holdfast.problems.lidar.pictures import mesh_places
from holdfast.problems.lidar.planner import Planner
from holdfast.problems.lidar.scan import Lidar, Scans
from holdfast.problems.lidar.task import Drive, RobotTask, Site, Window
from holdfast.types import FloatArray

__all__ = ["MappingProblem", "density_loss", "occupied"]

_MESH = 100
"""At how many places along the longer side of a map a picture of it looks, at most."""


class MappingProblem(Problem):
    """A map to learn from lidar scans; what the robots' paths are like is for the subclass to say.

    The training samples lie robot after robot and scan after scan. The test samples are scans from random free places
    all over the map. The seed of the problem addresses map, paths, places and noise, so that they stay when the
    experiment's seed changes.
    """

    model: Annotated[Model, Choice(Model)] = Field(Fourier(), description="the network to train, a model")
    image: str | None = Field(
        None,
        min_length=1,
        description="the floor plan, an image file in the data folder, black free and white wall; generated without it",
    )
    size: int = Field(800, ge=20, le=8000, description="the side of the generated floor plan, in pixels")
    rooms: int = Field(4, ge=1, le=20, description="how many rooms of it stand side by side, either way, in rooms")
    border_width: int = Field(0, ge=0, le=1000, description="how thick a wall is painted around the map, in pixels")
    robots: int = Field(7, ge=1, le=10_000, description="how many robots scan, in robots")
    scans: int = Field(100, ge=1, le=1_000_000, description="how many scans each robot makes, in scans")
    validation_scans: int = Field(100, ge=1, le=1_000_000, description="how many random scans test, in scans")
    lidar: Lidar = Field(Lidar(), description="how a scan is made")
    paths: tuple[str, ...] = Field(
        (), description="way points of each robot's path, .npy files in the data folder; planned without them"
    )
    stops: int = Field(8, ge=2, le=1000, description="how many random places a planned path visits, in places")
    clearance: float = Field(0.01, ge=0, le=1, description="how far planned paths stay from walls, of the longer side")
    connectivity: Literal[4, 8] = Field(8, description="how many neighbours a cell of the planner's grid has, in cells")
    coordinates: Literal["pixel", "unit"] = Field(
        "pixel", description="the inputs: pixel, from the middle of the map, or unit, the map as [-1, 1] x [-1, 1]"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="the seed that addresses map, paths, places and noise")

    @field_validator("image", "paths")
    @classmethod
    def _within_folder(cls, given: str | tuple[str, ...] | None, info: ValidationInfo) -> str | tuple[str, ...] | None:
        for name in (given,) if isinstance(given, str) else given or ():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                remedy = "Put the file into the data folder and name it relative to that."
                raise InputError(info.field_name or "", "be within the data folder", name, remedy)
        return given

    @property
    @abstractmethod
    def window(self) -> Window | None:
        """Which of its scans a robot has in a round; all where there is none."""

    @abstractmethod
    def stands(self, plan: FloorPlan, data_dir: Path | None) -> FloatArray:
        """(R, P, 2) where the robots scan, in pixels.

        Raises:
            InputError: a file is missing or damaged, or a path leaves the map or runs into a wall.
        """

    def load(self, data_dir: Path | None = None) -> RobotTask:
        """The task, with its data in memory."""
        plan = self.plan(data_dir)
        poses_RP2 = self.stands(plan, data_dir)
        tested = plan.random(self.seed, "lidar.validation", np.arange(self.validation_scans))
        numbers = np.arange(poses_RP2.size // 2 + len(tested))
        scan = partial(self.lidar.scan, plan, seed=self.seed)
        return RobotTask(
            model=partial(self.model.build, (2,), 1),
            train=self._samples(plan, scan(poses_RP2.reshape(-1, 2), names_P=numbers[: -len(tested)])),
            test=self._samples(plan, scan(tested, names_P=numbers[-len(tested) :])),
            loss=density_loss,
            metrics={"accuracy": occupied},
            drive=Drive(poses_RP2, self.lidar.samples, self.window),
            site=self._site(plan),
        )

    def plan(self, data_dir: Path | None = None) -> FloorPlan:
        """The map.

        Raises:
            InputError: the image is missing or damaged, or its border covers all of it.
        """
        plan = read(find(self.image, data_dir)) if self.image else generate(self.size, self.rooms, self.seed)
        if 2 * self.border_width >= min(plan.density_HW.shape):
            required = f"be less than half of the {min(plan.density_HW.shape)} pixels of the map"
            raise InputError("problem.border_width", required, self.border_width, "Lower it.")
        return bordered(plan, self.border_width)

    def inputs(self, plan: FloorPlan, places: FloatArray) -> Tensor:
        """(…, 2) float32 what a network is told of (…, 2) places."""
        scaled = plan.centred(places) if self.coordinates == "pixel" else plan.unit(places)
        return torch.from_numpy(scaled.astype(np.float32))

    def driven(self, plan: FloorPlan, data_dir: Path | None) -> FloatArray:
        """(R, P, 2) scans at equal distances along each robot's path, which is planned where no file says it.

        Raises:
            InputError: as `stands` says.
        """
        if not self.paths:
            planner = self.planner(plan)
            tours = [planner.tour(self.stops, self.seed, robot) for robot in range(self.robots)]
            return np.stack([evenly(smooth(planner, tour), self.scans) for tour in tours])
        if len(self.paths) != self.robots:
            remedy = f"Set robots: {len(self.paths)}, or name other files."
            raise InputError("problem.paths", f"name a file for each of {self.robots} robots", len(self.paths), remedy)
        return np.stack([self._from_file(plan, name, data_dir) for name in self.paths])

    def walked(self, plan: FloorPlan) -> FloatArray:
        """(R, P, 2) scans along random walks, each step as long as the clearance or a pixel."""
        planner = self.planner(plan)
        step = max(planner.clearance, 1.0)
        return np.stack([planner.walk(self.scans, step, self.seed, robot) for robot in range(self.robots)])

    def planner(self, plan: FloorPlan) -> Planner:
        """Who plans paths on the map."""
        return Planner(plan, self.clearance * plan.longer, self.connectivity)

    def _site(self, plan: FloorPlan) -> Site:
        """The map and a mesh over it."""
        places = mesh_places(plan, -(-plan.longer // _MESH))
        return Site(plan, torch.from_numpy(plan.at(places)), self.inputs(plan, places))

    def _from_file(self, plan: FloorPlan, name: str, data_dir: Path | None) -> FloatArray:
        """(P, 2) scans along the spline through the way points of a file."""
        curve = spline(plan.places(read_path(find(name, data_dir))))
        poses = evenly(curve, self.scans)
        plan.check_free(name, np.concatenate([curve, closely(curve), poses]))
        return poses

    def _samples(self, plan: FloorPlan, scans: Scans) -> tuple[Tensor, Tensor]:
        """(S, 2) inputs and (S, 1) densities."""
        densities = torch.from_numpy(scans.densities.astype(np.float32))
        return self.inputs(plan, scans.places).view(-1, 2), densities.view(-1, 1)


def density_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    r"""(B,) the binary cross-entropy of each sample's density σ(output), in nats.

    -t log σ(z) - (1 - t) log(1 - σ(z)).

    Example:
        >>> density_loss(torch.zeros(1, 1), torch.ones(1, 1)).round(decimals=4)
        tensor([0.6931])
    """
    return nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").flatten(1).mean(1)


def occupied(outputs: Tensor, targets: Tensor) -> Tensor:
    """(B,) 1 where free or wall is told right, density ½ or more being wall, else 0; an output that is NaN is wrong.

    Example:
        >>> occupied(torch.tensor([[2.0], [-1.0], [-1.0]]), torch.tensor([[1.0], [0.0], [1.0]]))
        tensor([1., 1., 0.])
    """
    right = (outputs >= 0) == (targets >= 0.5)
    return (right & ~outputs.isnan()).float().flatten(1).mean(1)
