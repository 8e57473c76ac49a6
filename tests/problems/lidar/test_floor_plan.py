from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import image
from scipy.ndimage import label

from holdfast.errors import InputError
from holdfast.problems.lidar.floor_plan import FloorPlan, bordered, generate, read
from tests.contract import PROPERTY

RAMP = FloorPlan(np.array([[0, 0.5, 1], [1, 0, 0.25]], dtype=np.float32))


def bilinear(density, x, y):
    """One place, as a sum over the four pixels around it; what lies outside is 1."""
    total, (height, width) = 0.0, density.shape
    for row in (floor(y), floor(y) + 1):
        for column in (floor(x), floor(x) + 1):
            value = float(density[row, column]) if 0 <= row < height and 0 <= column < width else 1.0
            total += value * (1 - abs(x - column)) * (1 - abs(y - row))
    return total


@pytest.mark.parametrize(
    ("place", "density"),
    [
        ((1, 0), 0.5),
        ((2, 1), 0.25),
        ((0.5, 0), 0.25),
        ((0, 0.25), 0.25),
        ((1.5, 0.5), 0.4375),
        ((-1, 0), 1),
        ((9, 9), 1),
    ],
)
def test_density_by_hand(place, density):
    assert RAMP.at(np.array(place, dtype=float)) == pytest.approx(density, abs=1e-12)


@given(st.floats(-3, 5), st.floats(-3, 4))
@PROPERTY
def test_density_is_that_of_a_plain_sum(x, y):
    assert RAMP.at(np.array([x, y])) == pytest.approx(bilinear(RAMP.density_HW, x, y), abs=1e-9)


def test_corners_are_the_ends_of_the_unit_square():
    corners = np.array([[0.0, 0.0], [2.0, 1.0], [1.0, 0.5]])
    assert RAMP.unit(corners).tolist() == [[-1, -1], [1, 1], [0, 0]]
    assert RAMP.places(RAMP.unit(corners)).tolist() == corners.tolist()
    assert RAMP.centred(corners).tolist() == [[-1, -0.5], [1, 0.5], [0, 0]]


def test_random_places_are_free_and_addressed():
    places = RAMP.random(1, "pose", np.arange(200))
    assert {tuple(place) for place in places.tolist()} == {(0, 0), (1, 1), (2, 1)}
    assert (RAMP.random(1, "pose", np.array([7])) == places[7]).all()
    assert (RAMP.random(2, "pose", np.arange(200)) != places).any()


def test_a_map_of_nothing_but_wall_is_refused():
    with pytest.raises(InputError, match="a map with a free place"):
        FloorPlan(np.ones((2, 2), dtype=np.float32)).random(1, "pose", np.arange(2))


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ((2.0, 0.0), r"stay out of walls, but 'the position x = 2\.0, y = 0\.0 pixels'"),
        ((1.0, 0.0), "stay out of walls"),
        ((-0.5, 0.0), r"stay on the map, 0 ≤ x ≤ 2 and 0 ≤ y ≤ 1 pixels, but 'the position x = -0\.5"),
        ((0.0, 1.5), "stay on the map"),
    ],
)
def test_where_no_robot_can_stand_is_named(place, complaint):
    with pytest.raises(InputError, match=f"pose must {complaint}"):
        RAMP.check_free("pose", np.array([(0.0, 0.0), place]))


def test_a_border_is_painted_over():
    assert bordered(RAMP, 0).density_HW.tolist() == RAMP.density_HW.tolist()
    walled = bordered(FloorPlan(np.zeros((4, 5), dtype=np.float32)), 1).density_HW
    assert walled.tolist() == [[1] * 5, [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1] * 5]


@pytest.mark.parametrize(("rooms", "seed"), [(1, 0), (3, 0), (4, 1), (5, 2)])
def test_every_place_of_a_generated_plan_can_be_reached(rooms, seed):
    plan = generate(200, rooms, seed)
    assert label(plan.density_HW < 0.5)[1] == 1
    edge = np.concatenate([plan.density_HW[[0, -1]].ravel(), plan.density_HW[:, [0, -1]].ravel()])
    assert edge.min() == 1


def test_a_generated_plan_has_its_rooms():
    closed = generate(200, 3, 1).density_HW
    walls = [np.flatnonzero((closed == 1).mean(axis) > 0.3) for axis in (0, 1)]
    for columns in walls:  # four walls of two pixels, three rooms between them
        groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
        assert [len(group) for group in groups] == [2] * 4
        sizes = np.diff([group[0] for group in groups])
        assert sizes.max() <= 2 * sizes.min() + 2


def test_a_generated_plan_is_a_function_of_its_seed():
    assert (generate(100, 3, 1).density_HW == generate(100, 3, 1).density_HW).all()
    assert (generate(100, 3, 1).density_HW != generate(100, 3, 2).density_HW).any()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_image_is_read_with_its_top_row_first(tmp_path, channels):
    pixels = np.zeros((2, 3, channels), dtype=np.uint8)
    pixels[0, 2, :3] = 255
    pixels[..., 3:] = 255
    image.imsave(tmp_path / "map.png", np.repeat(pixels, 3, axis=2) if channels == 1 else pixels)
    assert read(tmp_path / "map.png").density_HW.tolist() == [[0, 0, 1], [0, 0, 0]]


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused_by_name(tmp_path, content):
    (tmp_path / "map.png").write_bytes(content)
    with pytest.raises(InputError, match=r"map\.png must be an image"):
        read(tmp_path / "map.png")


def test_images_of_the_wrong_size_are_refused(tmp_path, monkeypatch):
    image.imsave(tmp_path / "map.png", np.zeros((1, 9, 3), dtype=np.uint8))
    with pytest.raises(InputError, match="have 2x2 to"):
        read(tmp_path / "map.png")
    monkeypatch.setattr("holdfast.problems.lidar.floor_plan._MOST_BYTES", 3)
    with pytest.raises(InputError, match="at most 3 bytes"):
        read(tmp_path / "map.png")


def test_a_single_room_is_empty():
    assert generate(50, 1, 0).density_HW[2:-2, 2:-2].max() == 0
