from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from holdfast.record import page
from holdfast.record.maps import draw_maps, load_maps, map_films, map_plots
from holdfast.record.recorder import Recorder
from holdfast.record.run_data import load_run
from holdfast.record.theme import LIGHT

DENSITY = np.array([[0, 255], [0, 255], [0, 0]], dtype=np.uint8)


def write(directory: Path, models: int, robots: int = 2, variant: str = "v w") -> None:
    with Recorder(directory, variant) as recorder:
        recorder.metric(1, "test_loss", 1.0)
        recorder.arrays("maps/plan", density=DENSITY, extent=np.array([3.0, 5.0]), paths=np.ones((robots, 4, 2)))
        for part, round in ((0, 0), (12, 5), (12, 7), (23, 9)):
            learned = np.full((models, 3, 2), round, dtype=np.uint8)
            recorder.arrays(f"maps/{part:02}", round=round, maps=learned, places=np.ones((robots, 2)))


def test_the_last_of_each_part_of_the_run_is_kept_in_order(tmp_path: Path) -> None:
    write(tmp_path, models=2)
    maps = load_maps(tmp_path, "v w")
    assert maps is not None
    assert [int(frame["round"]) for frame in maps.frames] == [0, 7, 9]
    assert maps.density_HW.tolist() == [[0, 1], [0, 1], [0, 0]]
    assert load_maps(tmp_path, "another") is None


@pytest.mark.parametrize(("models", "panels"), [(1, 2), (2, 3), (7, 8), (9, 8)])
def test_there_is_a_panel_for_the_plan_and_for_each_model_up_to_seven(tmp_path: Path, models: int, panels: int) -> None:
    write(tmp_path, models, robots=min(models, 7))
    maps, figure = load_maps(tmp_path, "v w"), Figure()
    assert maps is not None
    draw_maps(maps, LIGHT, figure, 1)
    assert sum(bool(axes.images) for axes in figure.axes) == panels
    assert figure.axes[0].images[0].get_extent() == [-0.5, 3.5, 5.5, -0.5]
    assert figure.axes[1].images[0].get_array()[0, 0] == 7 / 255
    assert figure.axes[1].get_title() == ("model 0" if models == 9 else "robot 0")


def test_each_variant_that_maps_has_a_picture_and_a_film(tmp_path: Path) -> None:
    write(tmp_path, models=2)
    with Recorder(tmp_path, "maps nothing") as recorder:
        recorder.metric(1, "test_loss", 1.0)
    run = load_run(tmp_path)
    [plot], [shown] = map_plots(run), map_films(run)
    page.draw([plot], tmp_path)
    assert plot.path(tmp_path).stat().st_size > 1000
    assert shown.labels == ["round 0", "round 7", "round 9"]
    figure = Figure()
    shown.draw(figure, 2)
    assert figure.get_suptitle() == "round 9"
