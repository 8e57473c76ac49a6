"""From way points to where a robot stands at each scan: files, smoothing by splines, even spacing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.interpolate import splev, splprep

from holdfast.errors import InputError
from holdfast.problems.lidar.planner import Planner
from holdfast.types import FloatArray

__all__ = ["closely", "evenly", "read_path", "smooth", "spline"]

_MOST_POINTS = 100_000
_DEGREE = 3
_DENSITY = 8
"""How many places of a spline are looked at for each point that it was drawn through."""
_LOOSENESS = (4.0, 2.0, 1.0, 0.5, 0.25)
"""How far a smoothed path may run from its points, in cells of the search's grid, tried in this order."""


def read_path(path: Path) -> FloatArray:
    """(n, 2) the way points of an .npy file, as x and y with the map as [-1, 1] x [-1, 1].

    Raises:
        InputError: the file holds no such points, or too few for a spline.
    """
    remedy = "Save way points as an .npy array of shape (n, 2), x and y in [-1, 1]."
    required = f"hold {_DEGREE + 1} to {_MOST_POINTS} way points, as an .npy array (n, 2) of numbers"
    try:
        points = np.lib.format.open_memmap(path, mode="r")
    except (OSError, EOFError, ValueError) as error:
        raise InputError(str(path), required, f"{type(error).__name__}: {error}", remedy) from error
    numeric = np.issubdtype(points.dtype, np.floating) or np.issubdtype(points.dtype, np.integer)
    if not numeric or points.ndim != 2 or points.shape[1] != 2 or not _DEGREE < len(points) <= _MOST_POINTS:
        raise InputError(str(path), required, f"{points.dtype} of shape {points.shape}", remedy)
    if not np.isfinite(points).all():
        raise InputError(str(path), "hold finite numbers", "others", remedy)
    return np.array(points, dtype=np.float64)


def spline(points: FloatArray, looseness: float = 0.0) -> FloatArray:
    """(m, 2) a cubic spline near (n, 2) points, closed where they are.

    Args:
        points: the points; one that repeats the one before it is passed over.
        looseness: how far the spline runs from a point, as a root mean square, at most; 0 goes through all.

    Example:
        >>> corner = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [2.0, 2.0]])
        >>> spline(corner)[[0, -1]].round(6).tolist()
        [[0.0, 0.0], [2.0, 2.0]]

    Source: Dierckx, "Curve and surface fitting with splines", 1993, as scipy's splprep.
    """
    moved = np.append(True, (np.diff(points, axis=0) != 0).any(1))
    distinct: FloatArray = points[moved]
    if len(distinct) <= _DEGREE + 1:  # a closed cubic needs one more
        return distinct
    closed = bool((distinct[0] == distinct[-1]).all())
    knots = splprep(distinct.T, s=len(distinct) * looseness**2, k=_DEGREE, per=closed)[0]
    return np.stack(splev(np.linspace(0, 1, _DENSITY * len(distinct)), knots), axis=-1)


def smooth(planner: Planner, path: FloatArray) -> FloatArray:
    """(m, 2) the path without its corners, as loosely as the planner's clearance lets it; else the path itself."""
    for looseness in _LOOSENESS:
        curve = spline(path, looseness * planner.stride)
        if (planner.clear(curve) >= planner.clearance).all():
            return curve
    return path


def closely(path: FloatArray) -> FloatArray:
    """(m, 2) places along a path of pixels, half a pixel apart at most, so that no wall lies between two.

    Example:
        >>> closely(np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]])).tolist()
        [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0], [1.5, 0.0], [2.0, 0.0]]
    """
    closed = bool(np.allclose(path[0], path[-1]))
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    return evenly(path, int(np.ceil(2 * length)) + (not closed))


def evenly(path: FloatArray, poses: int) -> FloatArray:
    """(poses, 2) places at equal distances along a path; on a closed one the last is a step before the first.

    Example:
        >>> evenly(np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), 4).tolist()
        [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]
        >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
        >>> evenly(square, 4).tolist()
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    """
    closed = bool(np.allclose(path[0], path[-1]))
    lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    at = np.linspace(0, lengths[-1], poses, endpoint=not closed)
    return np.stack([np.interp(at, lengths, column) for column in path.T], axis=-1)
