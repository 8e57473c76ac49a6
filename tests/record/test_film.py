from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from holdfast.record import film
from holdfast.record.film import SLIDER, SLIDER_DIGEST, Film, shoot
from holdfast.record.report import write_report

from .test_graph import frames, written


def test_a_film_has_a_frame_for_each_label(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(film, "_DPI", 20)
    drawn: list[int] = []

    def draw(figure: Figure, number: int) -> None:
        assert not figure.axes
        drawn.append(number)
        figure.add_subplot().plot(np.arange(number + 2))

    shown = shoot(Film("f", "words", ["a", "b"], draw, (2, 2)), tmp_path)
    assert drawn == [0, 1]
    assert [frame["label"] for frame in shown["frames"]] == ["a", "b"]
    pictures = [base64.b64decode(frame["data"].partition(",")[2]) for frame in shown["frames"]]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    assert shown["last"] == 1


def test_the_page_lets_the_slider_run_and_no_other_script(tmp_path: Path) -> None:
    written(tmp_path, changes=True, frames=frames(3, [[0, 1]], (1, 2)))
    text = write_report(tmp_path).read_text()
    assert base64.b64decode(SLIDER_DIGEST) == hashlib.sha256(SLIDER.encode()).digest()
    [script] = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    assert script == SLIDER
    assert f"script-src 'sha256-{SLIDER_DIGEST}'" in text
    assert text.count('<img src="data:image/png') >= 2
    assert text.count(" hidden>") == 1


def test_a_page_without_a_film_has_no_script(tmp_path: Path) -> None:
    written(tmp_path)
    text = write_report(tmp_path).read_text()
    assert "<script" not in text
    assert "script-src" not in text
