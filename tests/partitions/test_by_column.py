import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.partitions import ByColumn
from tests.contract import PROPERTY
from tests.tiny import Blobs, prepare

TARGETS = np.array([0, 1, 0, 1])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.data())
@PROPERTY
def test_groups_are_whole_and_nothing_is_lost(groups, data):
    groups = np.array(groups)
    nodes = data.draw(st.integers(1, len(set(groups.tolist()))))
    parts = ByColumn().split(groups, nodes, seed=1)
    assert sorted(np.concatenate(list(parts))) == list(range(len(groups)))
    held = [set(groups[part].tolist()) for part in parts]
    assert min(map(len, held)) >= 1
    assert sum(map(len, held)) == len(set().union(*held)), "a group was cut"
    # The bound of the greedy rule: nobody ends above the least by more than the group that it took last.
    assert parts.sizes.max() - parts.sizes.min() <= np.bincount(groups).max()


def test_the_largest_goes_first_to_whoever_has_least():
    groups = np.repeat([3, 1, 4, 2, 0], [5, 4, 3, 3, 3])  # 5 | 4, then 3 to the 4, 3 to the 5, 3 to the 7
    parts = ByColumn().split(groups, 2, seed=1)
    assert parts.sizes.tolist() == [8, 10]


def test_equal_groups_go_by_chance():
    groups = np.arange(40)
    one, other = (ByColumn().split(groups, 4, seed) for seed in (1, 2))
    assert set(one[0]) != set(other[0])


def test_fewer_groups_than_nodes_are_refused():
    with pytest.raises(InputError, match="a group for each of 3 nodes, but '2 groups'"):
        ByColumn().split(TARGETS, 3, seed=1)


def test_the_target_is_a_key_of_its_own():
    assert ByColumn().keys(TARGETS, None) is TARGETS


def test_keys_come_from_text(tmp_path):
    (tmp_path / "writers.csv").write_text("anna\nbert\r\n anna \nÇelik\n", encoding="utf-8")
    assert ByColumn(key="writers.csv").keys(TARGETS, tmp_path).tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize("values", [[7, 3, 7, 9], [0.5, 0.1, 0.5, 0.7], ["b", "a", "b", "c"]])
def test_keys_come_from_an_array(tmp_path, monkeypatch, values):
    (tmp_path / "sub").mkdir()
    np.save(tmp_path / "sub" / "k.npy", np.array(values))
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    keys = ByColumn(key="sub/k.npy").keys(TARGETS, None)
    assert keys.dtype == np.int64
    assert keys.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("k.csv", b"writer\na\nb\na\nb\n", "one key for each of 4 training samples, but '5 keys'.*without a header"),
        ("k.csv", b"", "but '0 keys'"),
        ("k.csv", b"\xff\xfe", "be an .npy array or UTF-8 text"),
        ("k.npy", b"", "be an .npy array or UTF-8 text"),
        ("k.npy", b"no array", "be an .npy array or UTF-8 text"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} must .*{complaint}"):
        ByColumn(key=name).keys(TARGETS, tmp_path)


@pytest.mark.parametrize("array", [np.zeros((4, 2)), np.zeros(3), np.array([{}] * 4)])
def test_an_array_that_is_no_column_is_refused(tmp_path, array):
    np.save(tmp_path / "k.npy", array)
    with pytest.raises(InputError, match=r"k.npy must"):
        ByColumn(key="k.npy").keys(TARGETS, tmp_path)


def test_a_header_that_promises_too_much_costs_no_memory(tmp_path):
    with (tmp_path / "k.npy").open("wb") as stream:
        header = {"descr": "<i8", "fortran_order": False, "shape": (10**12,)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(32))
    with pytest.raises(InputError, match=r"be an \.npy array"):
        ByColumn(key="k.npy").keys(TARGETS, tmp_path)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.partitions.by_column._MOST_BYTES", 3)
    (tmp_path / "k.csv").write_text("a\na\na\na\n")
    with pytest.raises(InputError, match="at most 3 bytes"):
        ByColumn(key="k.csv").keys(TARGETS, tmp_path)


def test_a_missing_file_names_the_remedies(tmp_path, monkeypatch):
    monkeypatch.delenv("HOLDFAST_DATA", raising=False)
    for folder in (tmp_path, None):
        with pytest.raises(InputError, match=r"partition.key must be a file .* 'k.csv' .*--data-dir or HOLDFAST_DATA"):
            ByColumn(key="k.csv").keys(TARGETS, folder)


@pytest.mark.parametrize("key", ["/etc/hostname", "../k.csv", "a/../../k.csv", ""])
def test_a_key_outside_the_data_folder_is_refused(key):
    with pytest.raises(InputError, match="key must"):
        ByColumn(key=key)


def test_an_experiment_splits_by_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    (tmp_path / "k.csv").write_text("\n".join("ab"[i % 2] for i in range(60)))
    partition = {"name": "by_column", "key": "k.csv"}
    run = prepare(algorithm="fedavg", problem=Blobs(), nodes=2, partition=partition, engine="sequential")
    assert sorted(set((np.asarray(part) % 2).tolist()).pop() for part in run.data.shards) == [0, 1]
