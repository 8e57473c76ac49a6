"""What robots that map a flat learn from: who made which sample, which of them they still have, where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from holdfast.problems.base import Task
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.types import BoolArray, FloatArray, IntArray

__all__ = ["Drive", "RobotTask", "Site", "Window"]


@dataclass(frozen=True)
class Window:
    """Which scans of its drive a robot still has in a round: the last few, and a little later ones in every round.

    In round 1 a robot has its first `scans` scans. In round r it has as many that begin ⌊(r - 1)·speed⌋ scans later;
    after its last scan comes its first again.

    Args:
        scans: how many scans it has, in scans.
        speed: how many scans it makes a round, and forgets.

    Example:
        >>> Window(scans=2, speed=0.5).live(round=6, drive=4).tolist()
        [False, False, True, True]
        >>> Window(scans=2, speed=0.5).live(round=7, drive=4).tolist()
        [True, False, False, True]
    """

    scans: int
    speed: float

    def newest(self, round: int, drive: int) -> int:
        """The number of the scan that a robot makes in a round, of a drive of so many."""
        return (int((round - 1) * self.speed) + self.scans - 1) % drive

    def live(self, round: int, drive: int) -> BoolArray:
        """(drive,) which of the scans of a drive a robot has in a round."""
        age = (self.newest(round, drive) - np.arange(drive)) % drive
        found: BoolArray = age < self.scans
        return found


@dataclass(frozen=True)
class Site:
    """The map that robots learn, and what networks are told of a mesh of its places, for pictures.

    Args:
        plan: the map.
        density_HW: (H', W') its density at the places of the mesh.
        mesh_HW2: (H', W', 2) the inputs of a network there.
    """

    plan: FloorPlan
    density_HW: Tensor
    mesh_HW2: Tensor


@dataclass(frozen=True)
class Drive:
    """Where robots made their scans, and how many samples each scan has.

    Args:
        poses_RP2: (R, P, 2) the places of each robot's scans in the order of its drive, in pixels.
        samples: how many samples a scan has.
        window: which of its scans a robot has in a round; all without one.

    Example:
        >>> drive = Drive(np.zeros((2, 3, 2)), samples=2, window=Window(scans=1, speed=1))
        >>> drive.robots_S.tolist()
        [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
        >>> drive.held(np.arange(6, 12), round=2).tolist()
        [8, 9]
    """

    poses_RP2: FloatArray
    samples: int
    window: Window | None = None

    @property
    def robots_S(self) -> IntArray:
        """(S,) which robot made each training sample."""
        robots, scans = self.poses_RP2.shape[:2]
        return np.repeat(np.arange(robots), scans * self.samples)

    def held(self, shard: IntArray, round: int) -> IntArray:
        """Those of a node's training samples that it has in a round, in the order of the shard."""
        if self.window is None:
            return shard
        robots, scans = self.poses_RP2.shape[:2]
        live = np.tile(self.window.live(round, scans), robots)
        return shard[live[shard // self.samples]]

    def lacking(self, shards: Sequence[IntArray]) -> IntArray:
        """The nodes that have no sample in some round: their scans leave a gap that the window fits into.

        Example:
            >>> drive = Drive(np.zeros((1, 4, 2)), samples=1, window=Window(scans=2, speed=1))
            >>> drive.lacking([np.array([0, 2]), np.array([0, 1])]).tolist()
            [1]
        """
        if self.window is None:
            return np.zeros(0, dtype=np.int64)
        drive, found = self.poses_RP2.shape[1], []
        for node, shard in enumerate(shards):
            scans = np.unique(np.asarray(shard) // self.samples % drive)
            if np.diff(scans, append=scans[0] + drive).max() > self.window.scans:
                found.append(node)
        return np.array(found, dtype=np.int64)

    def positions(self, round: int) -> FloatArray:
        """(R, 2) where each robot is in a round, in pixels: at its newest scan; without a window at its first."""
        scan = self.window.newest(round, self.poses_RP2.shape[1]) if self.window else 0
        return self.poses_RP2[:, scan]


@dataclass(frozen=True)
class RobotTask(Task):
    """A task whose training samples lie robot after robot, and scan after scan, in the order of a drive.

    Args:
        drive: how the samples were made.
        site: what is mapped.
    """

    drive: Drive = field(kw_only=True)
    site: Site = field(kw_only=True)

    def places(self, round: int) -> FloatArray:
        """(R, 2) where each robot is in a round, in sides of the map's longer side, from its lower left corner."""
        x, y = self.drive.positions(round).T
        plan = self.site.plan
        return np.stack([x, plan.extent[1] - y], axis=-1) / plan.longer
