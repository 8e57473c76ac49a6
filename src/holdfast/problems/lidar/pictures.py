"""Pictures of maps: what networks make of every place, and a figure of maps and drives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.types import FloatArray

__all__ = ["draw", "draw_map", "mesh", "mesh_places"]

_AT_ONCE = 2**14
"""How many places networks are asked about at once."""
_INCHES = 4.0
"""How wide one map is drawn."""


def mesh_places(plan: FloorPlan, step: int) -> FloatArray:
    """(H', W', 2) every so many pixels of the map, in either direction.

    Args:
        plan: the map.
        step: from one place to the next, in pixels.

    Example:
        >>> mesh_places(FloorPlan(np.zeros((3, 5), dtype=np.float32)), step=2).tolist()
        [[[0.0, 0.0], [2.0, 0.0], [4.0, 0.0]], [[0.0, 2.0], [2.0, 2.0], [4.0, 2.0]]]
    """
    height, width = plan.density_HW.shape
    columns, rows = np.meshgrid(np.arange(0, width, step), np.arange(0, height, step))
    return np.stack([columns, rows], axis=-1).astype(np.float64)


@torch.no_grad()
def mesh(outputs: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """(…, H', W') the density σ(z) that each of some networks learned at the places of a mesh.

    Args:
        outputs: ``f(inputs_B2) -> (…, B, 1)``: a network, or an engine's networks of many rows.
        inputs: (H', W', 2) the places as the networks are told them.

    Example:
        >>> places = torch.tensor([[[0.0, 1.0], [2.0, -1.0]]])
        >>> mesh(lambda inputs: inputs[:, 1:] * 100, places).tolist()
        [[1.0, 0.0]]
    """
    found = [outputs(block) for block in inputs.reshape(-1, inputs.shape[-1]).split(_AT_ONCE)]
    logits = torch.cat(found, dim=-2).squeeze(-1)
    return logits.sigmoid().reshape(*logits.shape[:-1], *inputs.shape[:-1])


def draw(
    plan: FloorPlan,
    maps_MHW: Sequence[FloatArray],
    titles: Sequence[str],
    drives: Sequence[FloatArray] = (),
    places: FloatArray | None = None,
) -> Figure:
    """Draw maps side by side: free is white, wall is black.

    Args:
        plan: the map that was learned, for its extent.
        maps_MHW: densities in [0, 1], such as `mesh` finds, or the plan's own.
        titles: what to write over each.
        drives: (P, 2) paths to draw over each, in pixels.
        places: (R, 2) where robots are, in pixels.
    """
    width, height = plan.extent + 1
    figure = Figure(figsize=(_INCHES * len(maps_MHW), _INCHES * height / width + 0.4), layout="constrained")
    many = figure.subplots(1, len(maps_MHW), squeeze=False)[0]
    for axes, density_HW, title in zip(many, maps_MHW, titles, strict=True):
        draw_map(axes, plan.extent, density_HW, drives, places)
        axes.set(title=title)
    return figure


def draw_map(
    axes: Axes,
    extent: FloatArray,
    density_HW: FloatArray,
    drives: Sequence[FloatArray] = (),
    places: FloatArray | None = None,
) -> None:
    """Draw one map; the arguments are those of `draw`, and the extent that of the plan."""
    right, bottom = extent + 0.5
    axes.imshow(density_HW, cmap="Greys", vmin=0, vmax=1, extent=(-0.5, right, bottom, -0.5), interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    for robot, drive in enumerate(drives):
        axes.plot(*drive.T, color=f"C{robot % 10}", linewidth=1)
    if places is not None:
        x, y = places.T
        axes.scatter(x, y, c=[f"C{robot % 10}" for robot in range(len(places))], s=30, zorder=3)
