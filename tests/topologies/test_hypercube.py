import itertools

import pytest

from holdfast.errors import InputError
from holdfast.topologies import Hypercube


@pytest.mark.parametrize("nodes", [1, 2, 4, 8, 32])
def test_nodes_one_binary_digit_apart_are_linked(nodes):
    apart = [(i, j) for i, j in itertools.combinations(range(nodes), 2) if (i ^ j).bit_count() == 1]
    assert sorted(Hypercube().graph(0, nodes, 0).edges) == apart


def test_another_number_of_nodes_is_refused_with_the_nearest_that_fit():
    with pytest.raises(InputError, match=r"power of 2 .* but 12 was given. Use 8 or 16 nodes"):
        Hypercube().graph(0, 12, 0)
