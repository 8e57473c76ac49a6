"""The maps that robots have learned: a panel a robot, beside the true one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from holdfast.problems.lidar.pictures import draw_map
from holdfast.record.files import safe_name
from holdfast.record.film import Film
from holdfast.record.page import Plot
from holdfast.record.run_data import Run
from holdfast.record.theme import LIGHT, Theme, new_figure
from holdfast.types import FloatArray

__all__ = ["Maps", "draw_maps", "load_maps", "map_films", "map_plots"]

_MOST_MAPPED = 4
_MOST_PANELS = 8
_ACROSS = 4
_PANEL = 2.75  # inches


@dataclass(frozen=True)
class Maps:
    """What the models of a variant made of the map.

    Args:
        density_HW: the true density, 0 free and 1 wall.
        extent: the x and the y of the last pixel.
        paths_RP2: where each robot scans, in pixels.
        frames: each with ``round``, ``maps``, (K, H, W) densities, and ``places``, (R, 2) where the robots are.
    """

    density_HW: FloatArray
    extent: FloatArray
    paths_RP2: FloatArray
    frames: Sequence[dict[str, Any]]


def map_plots(run: Run) -> Iterator[Plot]:
    """A plot of what each variant has learned of the map at the end."""
    for variant, maps in _mapped(run):
        words = f"{variant}: the map with the drives, and what each model has learned of it at the end."
        yield Plot(f"maps_{safe_name(variant)}", words, partial(_plot, maps), wide=True)


def map_films(run: Run) -> Iterator[Film]:
    """A film of what each variant learns of the map."""
    for variant, maps in _mapped(run):
        stem, labels = f"maps_{safe_name(variant)}_film", [f"round {int(frame['round'])}" for frame in maps.frames]
        words = f"{variant}: what each model has learned of the map so far; also as plots/{stem}.gif."
        yield Film(stem, words, labels, partial(draw_maps, maps, LIGHT), _size(maps))


def _mapped(run: Run) -> list[tuple[str, Maps]]:
    """The variants that map something, and what."""
    found = [(variant, load_maps(run.directory, variant)) for variant in run.variants]
    return [(variant, maps) for variant, maps in found if maps is not None and maps.frames][:_MOST_MAPPED]


def load_maps(directory: Path, variant: str) -> Maps | None:
    """The maps of a variant, as far as they were recorded; None where nothing is mapped."""
    file = f"{safe_name(variant)}.npz"
    plan = directory / "maps" / "plan" / file
    if not plan.exists():
        return None
    frames = [_arrays(path) for path in sorted((directory / "maps").glob(f"[0-9][0-9]/{file}"))]
    known = _arrays(plan)
    return Maps(known["density"] / 255, known["extent"], known["paths"], frames)


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _plot(maps: Maps, theme: Theme) -> Figure:
    figure = new_figure(theme, *_size(maps))
    draw_maps(maps, theme, figure, len(maps.frames) - 1)
    return figure


def _size(maps: Maps) -> tuple[float, float]:
    panels = len(_shown(maps.frames[0])) + 1
    across, (width, height) = min(panels, _ACROSS), maps.extent + 1
    return _PANEL * across, -(-panels // _ACROSS) * (_PANEL * height / width + 0.3) + 0.4


def draw_maps(maps: Maps, theme: Theme, figure: Figure, number: int) -> None:
    """Draw the true map with all drives, and what some models make of it, each with where its robot is.

    Args:
        maps: the maps.
        theme: the colours.
        figure: an empty figure.
        number: which of the frames.
    """
    known = maps.frames[number]
    learned_KHW, alone = _shown(known), len(known["maps"]) == len(maps.paths_RP2)
    panels = figure.subplots(-(-(len(learned_KHW) + 1) // _ACROSS), min(len(learned_KHW) + 1, _ACROSS), squeeze=False)
    first, *others = panels.ravel()
    draw_map(first, maps.extent, maps.density_HW, list(maps.paths_RP2), known["places"])
    first.set_title("the map and the drives", fontsize=9, color=theme.ink)
    for robot, (axes, map_HW) in enumerate(zip(others, learned_KHW, strict=False)):
        draw_map(axes, maps.extent, map_HW / 255, (), None)
        axes.set_title(f"robot {robot}" if alone else f"model {robot}", fontsize=9, color=theme.ink)
        if alone:
            axes.scatter(*known["places"][robot], color=f"C{robot % 10}", s=30, zorder=3)
    for axes in others[len(learned_KHW) :]:
        axes.set_axis_off()
    figure.suptitle(f"round {int(known['round'])}", fontsize=10, color=theme.muted)


def _shown(frame: dict[str, Any]) -> np.ndarray:
    """(k, H, W) the first few maps."""
    maps: np.ndarray = frame["maps"][: _MOST_PANELS - 1]
    return maps
