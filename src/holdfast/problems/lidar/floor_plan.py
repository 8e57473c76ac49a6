"""Floor plans: an image in which walls are bright, read from a file or generated.

A place is (x, y) in pixels: x columns to the right and y rows down, from the centre of the top left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import networkx as nx
import numpy as np
import torch
from matplotlib import image
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from holdfast.errors import InputError
from holdfast.problems.files import damaged
from holdfast.seeding import address, uniform
from holdfast.types import FloatArray, IntArray

__all__ = ["WALL", "FloorPlan", "bordered", "generate", "read"]

WALL = 0.5
"""The density from which on a place is wall."""
_MOST_PIXELS = 2**26
_MOST_BYTES = 2**26
_SPARE_DOORS = 0.3
"""How many of the walls that need no door have one, as a fraction."""


@dataclass(frozen=True)
class FloorPlan:
    """The density of each pixel of a map: 0 is free, 1 is wall.

    Args:
        density_HW: (H, W) float32 in [0, 1].

    Example:
        >>> plan = FloorPlan(np.array([[0, 0, 1]], dtype=np.float32))
        >>> plan.at(np.array([[1.0, 0.0], [1.75, 0.0], [2.5, 0.0]])).tolist()
        [0.0, 0.75, 1.0]
    """

    density_HW: NDArray[np.float32]

    @property
    def extent(self) -> FloatArray:
        """(2,) the x and the y of the last pixel."""
        height, width = self.density_HW.shape
        return np.array([width - 1.0, height - 1.0])

    @property
    def longer(self) -> int:
        """The longer of width and height, in pixels."""
        height, width = self.density_HW.shape
        return int(max(height, width))

    @cached_property
    def _freedom(self) -> Tensor:
        """(1, 1, H, W) how far each pixel is from being wall, negative: torch takes 0 for what lies outside."""
        return torch.from_numpy(self.density_HW).double()[None, None] - 1

    def at(self, places: FloatArray) -> FloatArray:
        """(…) the density at (…, 2) places, interpolated bilinearly; what lies outside the map is wall."""
        grid = torch.from_numpy(self.unit(places).reshape(1, 1, -1, 2))
        found: FloatArray = (grid_sample(self._freedom, grid, align_corners=True) + 1).numpy()
        return found.reshape(places.shape[:-1])

    def unit(self, places: FloatArray) -> FloatArray:
        """(…, 2) the places with the map as [-1, 1] x [-1, 1].

        Example:
            >>> FloorPlan(np.zeros((3, 5), dtype=np.float32)).unit(np.array([4.0, 1.0])).tolist()
            [1.0, 0.0]
        """
        scaled: FloatArray = 2 * places / np.maximum(self.extent, 1) - 1
        return scaled

    def places(self, unit: FloatArray) -> FloatArray:
        """(…, 2) the places of coordinates in [-1, 1] x [-1, 1]."""
        found: FloatArray = (unit + 1) / 2 * self.extent
        return found

    def centred(self, places: FloatArray) -> FloatArray:
        """(…, 2) the places counted from the middle of the map, in pixels."""
        found: FloatArray = places - self.extent / 2
        return found

    def random(self, seed: int, purpose: str, *ids: IntArray) -> FloatArray:
        """(…, 2) one free pixel for each broadcast combination of the ids, by chance.

        Raises:
            InputError: everything is wall.
        """
        free = np.flatnonzero(self.density_HW < WALL)
        if not len(free):
            raise InputError("problem", "have a map with a free place", "nothing but wall", "Use another floor plan.")
        chosen = free[(uniform(seed, purpose, *ids) * len(free)).astype(np.int64)]
        return np.stack(np.unravel_index(chosen, self.density_HW.shape)[::-1], axis=-1).astype(np.float64)

    def check_free(self, field: str, places: FloatArray) -> None:
        """Refuse places where no robot can stand.

        Raises:
            InputError: one of the (…, 2) places is in a wall, or outside the map; it is named.
        """
        flat = places.reshape(-1, 2)
        outside = ((flat < 0) | (flat > self.extent)).any(-1)
        if outside.any():
            x, y = self.extent
            required = f"stay on the map, 0 ≤ x ≤ {x:.0f} and 0 ≤ y ≤ {y:.0f} pixels"
            raise InputError(field, required, _named(flat[outside][0]), "Move the path.")
        inside = self.at(flat) >= WALL
        if inside.any():
            raise InputError(field, "stay out of walls", _named(flat[inside][0]), "Move the path into the free space.")


def _named(place: FloatArray) -> str:
    return f"the position x = {place[0]:.1f}, y = {place[1]:.1f} pixels"


def read(path: Path) -> FloorPlan:
    """The floor plan of an image file, in which black is free and white is wall.

    Raises:
        InputError: the file is no image, or too large a one.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise damaged(path, f"be of at most {_MOST_BYTES} bytes", path.stat().st_size)
        pixels = image.imread(path)
    except (OSError, ValueError, SyntaxError) as error:  # SyntaxError: what PIL calls a broken PNG
        raise damaged(path, "be an image", f"{type(error).__name__}: {error}") from error
    grey = pixels[..., :3].mean(-1) if pixels.ndim == 3 else pixels
    if grey.size > _MOST_PIXELS or min(grey.shape) < 2:
        raise damaged(path, f"have 2x2 to {_MOST_PIXELS} pixels", grey.shape)
    scale = 1.0 if np.issubdtype(pixels.dtype, np.floating) else float(np.iinfo(pixels.dtype).max)
    return FloorPlan((grey / scale).astype(np.float32))


def bordered(plan: FloorPlan, width: int) -> FloorPlan:
    """The plan with a wall around it, painted over its outermost pixels.

    Args:
        plan: the plan; it is not changed.
        width: how thick the wall is, in pixels.

    Example:
        >>> bordered(FloorPlan(np.zeros((3, 3), dtype=np.float32)), 1).density_HW.astype(int).tolist()
        [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    """
    height, wide = plan.density_HW.shape
    inner = np.zeros((height, wide), dtype=bool)
    inner[width : height - width, width : wide - width] = True
    return FloorPlan(np.where(inner, plan.density_HW, np.float32(1)))


def generate(size: int, rooms: int, seed: int) -> FloorPlan:
    """A square flat of rooms of different sizes, in which a door leads from every room, in the end, to every other.

    The walls are a hundredth of the side thick. The rooms stand in a grid; doors open the walls of a random spanning
    tree of it, and some more.

    Args:
        size: the side of the map, in pixels.
        rooms: how many rooms stand side by side, in either direction.
        seed: what addresses the chance in it.

    Example:
        >>> plan = generate(200, rooms=3, seed=1)
        >>> plan.density_HW.shape, float(plan.density_HW[0].min())
        ((200, 200), 1.0)
    """
    rng = np.random.default_rng(int(address(seed, "lidar.plan")))
    thick = max(2, size // 100)
    starts = [_cuts(rng, size - thick, rooms) for _ in range(2)]
    density_HW = np.zeros((size, size), dtype=np.float32)
    for x, y in zip(*starts, strict=True):
        density_HW[:, x : x + thick] = 1
        density_HW[y : y + thick] = 1
    for one, other in _doors(rng, rooms):
        _open(rng, density_HW, starts, one, other, thick)
    return FloorPlan(density_HW)


def _cuts(rng: np.random.Generator, length: int, rooms: int) -> IntArray:
    """(rooms + 1,) where the walls across one direction start; the largest room is at most twice the smallest."""
    shares = rng.uniform(1, 2, rooms)
    ends = np.cumsum(shares) / shares.sum()
    return np.concatenate([[0], np.rint(ends * length)]).astype(np.int64)


def _doors(rng: np.random.Generator, rooms: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The pairs of neighbouring rooms, as (column, row), that a door joins."""
    grid = nx.grid_2d_graph(rooms, rooms)
    for edge in grid.edges:
        grid.edges[edge]["weight"] = rng.random()
    tree = nx.minimum_spanning_tree(grid)
    spare = [edge for edge in grid.edges if not tree.has_edge(*edge) and rng.random() < _SPARE_DOORS]
    return [*tree.edges, *spare]


def _open(
    rng: np.random.Generator,
    density_HW: NDArray[np.float32],
    starts: list[IntArray],
    one: tuple[int, int],
    other: tuple[int, int],
    thick: int,
) -> None:
    """Break a door into the wall between two rooms: a third to two thirds of the wall, anywhere along it."""
    across = 0 if one[0] != other[0] else 1  # the direction in which one walks through
    along, wall = 1 - across, starts[across][max(one[across], other[across])]
    first, last = starts[along][one[along]] + thick, starts[along][one[along] + 1]
    width = int((last - first) * rng.uniform(1 / 3, 2 / 3))
    begin = first + int(rng.random() * (last - first - width))
    view_xy = density_HW.T if across == 0 else density_HW
    view_xy[wall : wall + thick, begin : begin + width] = 0
