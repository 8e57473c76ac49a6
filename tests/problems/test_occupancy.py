import hashlib
import statistics
import zipfile

import pytest
import torch

from holdfast.errors import InputError
from holdfast.problems import Occupancy
from holdfast.problems.files import Source

HEADER = '"date","Temperature","Humidity","Light","CO2","HumidityRatio","Occupancy"'
ROWS = {
    "datatraining.txt": [[20.0, 30.0, 0.0, 400.0, 0.004, 0], [22.0, 34.0, 500.0, 800.0, 0.004, 1]],
    "datatest.txt": [[21.0, 32.0, 250.0, 600.0, 0.004, 1]],
    "datatest2.txt": [[23.0, 30.0, 0.0, 400.0, 0.005, 0], [19.0, 28.0, 500.0, 1000.0, 0.004, 1]],
}


def text(rows):
    lines = [f'"{n}","2015-02-04 17:51:00",' + ",".join(map(str, row)) for n, row in enumerate(rows, start=1)]
    return "\n".join([HEADER, *lines, ""])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "occupancy").mkdir()
    for name, rows in ROWS.items():
        (tmp_path / "occupancy" / name).write_text(text(rows))
    return tmp_path


def test_features_are_standardised_by_the_training_samples(folder):
    task = Occupancy().load(folder)
    assert task.train[0].tolist() == [[-1, -1, -1, -1, 0], [1, 1, 1, 1, 0]]
    expected = [[0, 0, 0, 0, 0], [2, -1, -1, -1, 0.001], [-2, -2, 1, 2, 0]]
    torch.testing.assert_close(task.test[0], torch.tensor(expected), atol=1e-6, rtol=0)
    assert task.train[1].tolist() == [0, 1]
    assert task.test[1].tolist() == [1, 0, 1]
    assert task.model()(task.test[0]).shape == (3, 2)


def test_pooled_samples_are_split_anew_against_a_plain_loop(folder):
    task = Occupancy(split="pooled", test_fraction=0.4).load(folder)
    assert (len(task.train[1]), len(task.test[1])) == (3, 2)
    rows = [row for part in ROWS.values() for row in part]
    targets = torch.cat([task.train[1], task.test[1]]).tolist()
    assert sorted(targets) == sorted(row[5] for row in rows)
    for feature in range(4):
        column = task.train[0][:, feature].tolist()
        assert statistics.mean(column) == pytest.approx(0, abs=1e-6)
        assert statistics.pstdev(column) == pytest.approx(1, abs=1e-6)
    again = Occupancy(split="pooled", test_fraction=0.4).load(folder)
    assert torch.equal(task.test[0], again.test[0])


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_both_sides_of_a_pooled_split_hold_a_sample(folder, fraction):
    task = Occupancy(split="pooled", test_fraction=fraction).load(folder)
    assert min(len(task.train[1]), len(task.test[1])) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "begin with"),
        (HEADER.encode(), "begin with"),
        (text([[1, 2, 3, 4, 5, 0]]).replace("CO2", "CO3").encode(), "begin with"),
        (text([[1, 2, 3, 4, 5, 0], [1, 2, 3]]).encode(), r"8 columns in every line, but '5 in line 3'"),
        (text([[1, 2, 3, "x", 5, 0]]).encode(), "hold numbers"),
        (text([[1, 2, 3, "nan", 5, 0]]).encode(), "finite numbers"),
        (text([[1, 2, 3, 4, 5, 2]]).encode(), "occupancy of 0 or 1"),
        (b"\xff\xfe", "text table"),
        (b'"' + b"x" * 200_000, "text table"),
    ],
)
def test_damaged_files_are_refused_by_name(folder, content, complaint):
    (folder / "occupancy" / "datatest.txt").write_bytes(content)
    with pytest.raises(InputError, match=rf"datatest\.txt must .*{complaint}"):
        Occupancy().load(folder)


def test_a_file_that_is_far_too_large_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("holdfast.problems.occupancy._MOST_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        Occupancy().load(folder)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"occupancy/datatraining\.txt must be in the data folder"):
        Occupancy().load(tmp_path)


def test_a_download_unpacks_the_three_files(folder, site, cache, no_data, monkeypatch):
    served, address = site
    with zipfile.ZipFile(served / "occupancy+detection.zip", "w") as archive:
        for name in ROWS:
            content = (folder / "occupancy" / name).read_bytes()
            archive.writestr(name, content)
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            url = address + "occupancy+detection.zip"
            monkeypatch.setitem(Occupancy.sources, name, Source(url, digest, member=name))
    assert len(Occupancy(download=True).load().test[1]) == 3
    assert {path.name for path in (cache / "occupancy").iterdir()} == {*ROWS, "occupancy+detection.zip"}


def test_the_real_data(real_data):
    task = Occupancy().load(real_data)
    assert (len(task.train[1]), len(task.test[1])) == (8143, 2665 + 9752)
    torch.testing.assert_close(task.train[0].mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(task.train[0].std(0, correction=0), torch.ones(5))
    assert task.train[1].sum() == 1729


def test_the_published_digests_are_those_of_the_real_files(real_data):
    for name, source in Occupancy.sources.items():
        assert source.digest == "sha256:" + hashlib.sha256((real_data / "occupancy" / name).read_bytes()).hexdigest()
