import itertools

from holdfast.topologies import Complete


def test_every_pair_is_linked():
    assert sorted(Complete().graph(0, 5, 0).edges) == list(itertools.combinations(range(5), 2))
