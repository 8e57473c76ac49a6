import numpy as np

from holdfast.partitions import OwnData


def test_every_node_holds_all_samples():
    parts = OwnData().split(np.array([2, 0, 1]), nodes=4, seed=1)
    assert [part.tolist() for part in parts] == [[0, 1, 2]] * 4
