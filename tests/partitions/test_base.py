import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.partitions import Iid
from holdfast.partitions.shards import Shards


@pytest.mark.parametrize("lazy", [False, True])
def test_the_first_empty_node_is_named(lazy):
    shards = Shards.cut(np.arange(3), np.array([0, 2, 2, 3, 3]))
    with pytest.raises(InputError, match=r"2 empty nodes of 4 \(first: node 1\)"):
        Iid().refuse_empty(shards if lazy else list(shards))


def test_parts_without_an_empty_one_come_back():
    parts = [np.array([1]), np.array([0, 2])]
    assert Iid().refuse_empty(parts) is parts


def test_numbers_are_addressed():
    first, again, other = (Iid.numbers(1, node).random(3) for node in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).all()
