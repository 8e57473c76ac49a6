import numpy as np
import pytest
import torch

from holdfast.problems.lidar import pictures
from holdfast.problems.lidar.floor_plan import FloorPlan
from holdfast.problems.lidar.pictures import draw, mesh, mesh_places

PLAN = FloorPlan(np.zeros((6, 10), dtype=np.float32))


@pytest.mark.parametrize("at_once", [1, 7, 10**6])
def test_a_mesh_is_the_density_at_its_places(monkeypatch, at_once):
    monkeypatch.setattr(pictures, "_AT_ONCE", at_once)
    inputs = torch.from_numpy(mesh_places(PLAN, 3)).float()
    assert inputs.shape == (2, 4, 2)
    found = mesh(lambda x: (x[:, :1] - x[:, 1:]) / 10, inputs)
    assert found.shape == (2, 4)
    assert found[1, 2] == torch.tensor((6 - 3) / 10).sigmoid()


def test_meshes_of_many_rows_come_together():
    inputs = torch.from_numpy(mesh_places(PLAN, 2)).float()
    found = mesh(lambda x: torch.stack([x[:, :1], -x[:, :1]]), inputs)
    assert found.shape == (2, 3, 5)
    torch.testing.assert_close(found[0] + found[1], torch.ones(3, 5))


def test_a_figure_has_a_map_each_with_its_drives_the_top_row_above():
    drive = np.array([[1.0, 1.0], [4.0, 2.0]])
    maps = [PLAN.density_HW, np.ones((3, 5))]
    figure = draw(PLAN, maps, ["true", "learned"], drives=[drive], places=drive[:1])
    assert [axes.get_title() for axes in figure.axes] == ["true", "learned"]
    for axes in figure.axes:
        assert axes.images[0].get_extent() == [-0.5, 9.5, 5.5, -0.5]
        assert axes.lines[0].get_xydata().tolist() == drive.tolist()
        assert axes.collections[0].get_offsets().tolist() == [[1, 1]]
        low, high = axes.get_ylim()
        assert low > high
