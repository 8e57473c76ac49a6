"""Films of a run: pictures one after the other, as a GIF and as frames that a page's slider chooses from."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from holdfast.record.theme import LIGHT

__all__ = ["Film", "shoot"]

_DPI = 80
_A_SECOND = 4
"""How many frames a film shows in a second."""


SLIDER = """for (const film of document.querySelectorAll(".film")) {
  const frames = film.querySelectorAll("img"), slider = film.querySelector("input");
  slider.oninput = () => {
    frames.forEach((frame, number) => { frame.hidden = number != slider.value; });
    film.querySelector("output").textContent = frames[slider.value].alt;
  };
  slider.oninput();
}"""
"""The script by which a page's slider shows one frame of a film."""
SLIDER_DIGEST = base64.b64encode(hashlib.sha256(SLIDER.encode()).digest()).decode()
"""What a page's policy knows the script by, so that it runs and no other does."""


@dataclass(frozen=True)
class Film:
    """A film of a run.

    Args:
        stem: its file name without the ending.
        caption: what it shows, in one sentence.
        labels: what each frame is called.
        draw: draws a frame into an empty figure.
        size: of the figure, in inches.
    """

    stem: str
    caption: str
    labels: Sequence[str]
    draw: Callable[[Figure, int], None]
    size: tuple[float, float]

    def path(self, directory: Path) -> Path:
        """Where the GIF lies in the run directory."""
        return directory / "plots" / f"{self.stem}.gif"


def shoot(film: Film, directory: Path) -> dict[str, Any]:
    """Write a film into a run directory, and hand back what a page needs to show it: its frames, as data URIs."""
    figure = Figure(figsize=film.size, dpi=_DPI, facecolor=LIGHT.background, layout="constrained")
    FigureCanvasAgg(figure)
    film.path(directory).parent.mkdir(parents=True, exist_ok=True)
    writer, frames = PillowWriter(fps=_A_SECOND), []
    with writer.saving(figure, str(film.path(directory)), _DPI):
        for number in range(len(film.labels)):
            figure.clear()
            film.draw(figure, number)
            writer.grab_frame()
            frames.append(_data_uri(figure))
    shown = [{"label": label, "data": data} for label, data in zip(film.labels, frames, strict=True)]
    return {"caption": film.caption, "frames": shown, "last": len(shown) - 1}


def _data_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "Holdfast"})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
