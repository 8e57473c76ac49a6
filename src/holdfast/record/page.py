"""What every report is made of: plots as files in two themes, and a page that holds them and works offline."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from holdfast.record.files import write_atomically
from holdfast.record.theme import DARK, LIGHT, Theme

__all__ = ["Plot", "draw", "picture", "save", "write_page"]


@dataclass(frozen=True)
class Plot:
    """One plot of a run.

    Attributes:
        stem: its file name without the ending.
        caption: what it shows, in one sentence.
        draw: makes the figure in a theme.
        wide: whether it wants the whole width of a page.
        pair: whether it is a curve, of which two stand side by side.
    """

    stem: str
    caption: str
    draw: Callable[[Theme], Figure]
    wide: bool = False
    pair: bool = False

    def path(self, directory: Path, theme: Theme = LIGHT) -> Path:
        """Where the picture lies in the run directory."""
        folder = directory / "plots" / ("dark" if theme is DARK else "")
        return folder / f"{self.stem}.png"


def draw(plots: Sequence[Plot], directory: Path) -> None:
    """Draw plots into a directory, in both themes."""
    for theme in (LIGHT, DARK):
        for plot in plots:
            save(plot.draw(theme), plot.path(directory, theme))


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name may be written in any script
        figure.savefig(path, format="png", metadata={"Software": "Holdfast"})


def picture(plot: Plot, directory: Path) -> dict[str, Any]:
    """A plot that was drawn, as a page shows it: with both of its files inside."""
    light, dark = (_data_uri(plot.path(directory, theme)) for theme in (LIGHT, DARK))
    return {"caption": plot.caption, "light": light, "dark": dark, "wide": plot.wide}


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def write_page(path: Path, template: str, page: Mapping[str, Any]) -> None:
    """Write what a template of this package makes of a page, all of it or nothing."""
    loader = PackageLoader("holdfast.record", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    write_atomically(path, environment.get_template(template).render(page))
