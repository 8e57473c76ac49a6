import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.partitions.shards import Shards


@given(st.lists(st.integers(0, 5), max_size=40))
def test_every_sample_is_with_its_owner(owners):
    shards = Shards.owned(np.array(owners, dtype=np.int64), nodes=6)
    assert [part.tolist() for part in shards] == [[s for s, o in enumerate(owners) if o == n] for n in range(6)]
    assert shards.sizes.tolist() == [len(part) for part in shards]


def test_it_is_a_sequence_of_views():
    indices = np.arange(6)
    shards = Shards.cut(indices, np.array([0, 1, 3, 6]))
    assert len(shards) == 3
    assert shards[-1].tolist() == [3, 4, 5]
    assert [part.tolist() for part in shards[:2]] == [[0], [1, 2]]
    assert np.shares_memory(shards[np.int64(1)], indices)
    with pytest.raises(IndexError):
        shards[3]
