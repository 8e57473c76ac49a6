import gzip
import hashlib
import io
import tarfile

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.problems import Cifar10
from holdfast.problems.cifar10 import PARTS
from holdfast.problems.files import Source

NAMES = [name for names in PARTS.values() for name in names]
PLACE = "cifar-10-batches-bin"


def batch(number, images=2):
    """The rows of a file: a label and the three planes of each image."""
    rows = np.random.default_rng(number).integers(0, 256, (images, 3073), dtype=np.uint8)
    rows[:, 0] %= 10
    return rows


def archive(files):
    """The bytes of a gzipped tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{PLACE}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def batches():
    """The files of a small archive, not in the order of their numbers."""
    files = {name: batch(number).tobytes() for number, name in reversed(list(enumerate(NAMES)))}
    return {"readme.html": b"<p>", **files}


def put(folder, content):
    (folder / "cifar10").mkdir(exist_ok=True)
    (folder / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(content)


def write_subset(folder, **changed):
    numbers = np.random.default_rng(1)
    arrays = {}
    for part, count in {"train": 6, "test": 4}.items():
        arrays[f"x_{part}"] = numbers.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{part}"] = numbers.integers(0, 10, count, dtype=np.uint8)
    arrays = {name: array for name, array in {**arrays, **changed}.items() if array is not None}
    (folder / "cifar10-subset").mkdir(exist_ok=True)
    np.savez(folder / "cifar10-subset" / "cifar10-subset.npz", **arrays)
    return arrays


def test_the_published_archive_in_the_order_of_its_files(tmp_path):
    put(tmp_path, archive(batches()))
    task = Cifar10().load(tmp_path)
    assert task.train[0].shape == (10, 3, 32, 32)
    assert task.train[0].dtype == torch.float32
    assert task.train[0].is_contiguous()
    for part, numbers in {"train": range(5), "test": range(5, 6)}.items():
        rows = [row.tolist() for number in numbers for row in batch(number)]
        inputs, targets = getattr(task, part)
        assert targets.tolist() == [row[0] for row in rows]
        for image, row in zip(inputs, rows, strict=True):
            # The red plane first, and in a plane the rows from the top.
            assert image[0, 0, 5] == np.float32(row[1 + 5] / 255)
            assert image[2, 31, 4] == np.float32(row[1 + 2 * 1024 + 31 * 32 + 4] / 255)
            torch.testing.assert_close(image.flatten() * 255, torch.tensor(row[1:], dtype=torch.float32))


def test_the_subset_in_which_colours_come_last(tmp_path):
    arrays = write_subset(tmp_path)
    task = Cifar10(subset=True).load(tmp_path)
    assert task.test[0].shape == (4, 3, 32, 32)
    assert task.test[0].is_contiguous()
    assert task.test[1].tolist() == arrays["y_test"].tolist()
    assert task.train[0][3, 2, 10, 7] == np.float32(arrays["x_train"][3, 10, 7, 2] / 255)


def test_the_model_is_aggregathors():
    assert Cifar10().model.component_name() == "cnnet"


def test_a_missing_archive_names_the_folder_and_the_download(tmp_path, no_data):
    with pytest.raises(
        InputError, match=r"cifar10/cifar-10-binary\.tar\.gz must be in the data folder.*download: true"
    ):
        Cifar10().load(tmp_path)


def test_a_subset_cannot_be_downloaded():
    with pytest.raises(InputError, match="download must be false with subset"):
        Cifar10(subset=True, download=True)


WHOLE = archive(batches())
DAMAGED = {
    "no gzip": (b"cifar", "whole gzipped tar"),
    "no tar": (gzip.compress(b"cifar" * 1000), "whole gzipped tar"),
    "cut": (WHOLE[: len(WHOLE) // 2], "whole gzipped tar"),
    "changed": (WHOLE[:5000] + b"....." + WHOLE[5005:], "whole gzipped tar"),
    "without a file": (archive({NAMES[0]: batch(0).tobytes()}), "an archive without data_batch_2.bin"),
    "a file of another length": (archive({NAMES[0]: b"12345"}), "images of 3073 bytes in data_batch_1.bin"),
    "an empty file": (archive({NAMES[0]: b""}), "images of 3073 bytes in data_batch_1.bin"),
    "an eleventh class": (archive({**batches(), NAMES[1]: bytes([10]) * 3073}), r"labels in 0\.\.9"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_archive_is_refused(tmp_path, damage):
    content, complaint = DAMAGED[damage]
    put(tmp_path, content)
    with pytest.raises(InputError, match=rf"cifar-10-binary\.tar\.gz must .*{complaint}"):
        Cifar10().load(tmp_path)


def test_a_file_longer_than_published_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.problems.cifar10.MOST_IMAGES", 3)
    put(tmp_path, archive({NAMES[0]: batch(0, images=4).tobytes()}))
    with pytest.raises(InputError, match=r"hold 1 to 3 images .* but '12292 bytes'"):
        Cifar10().load(tmp_path)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"y_test": None}, "x_train, y_train, x_test and y_test"),
        ({"y_test": np.array([object()] * 4)}, "x_train, y_train, x_test and y_test"),
        ({"y_test": np.zeros(3, dtype=np.uint8)}, r"images \(S, 32, 32, 3\) and labels"),
        ({"x_train": np.zeros((6, 32, 32, 3))}, "hold bytes"),
        ({"y_train": np.full(6, 10, dtype=np.uint8)}, r"labels in 0\.\.9"),
    ],
)
def test_a_damaged_subset_is_refused(tmp_path, changed, complaint):
    write_subset(tmp_path, **changed)
    with pytest.raises(InputError, match=complaint):
        Cifar10(subset=True).load(tmp_path)


def npy():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


@pytest.mark.parametrize("content", [b"PK\x03\x04 and nothing", b"nothing", b"", npy()])
def test_a_subset_that_is_no_npz_is_refused(tmp_path, content):
    write_subset(tmp_path)
    (tmp_path / "cifar10-subset" / "cifar10-subset.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"be an \.npz"):
        Cifar10(subset=True).load(tmp_path)


def test_a_download_fills_the_cache(site, cache, no_data, monkeypatch):
    served, address = site
    (served / "cifar.tar.gz").write_bytes(WHOLE)
    digest = f"md5:{hashlib.md5(WHOLE).hexdigest()}"
    monkeypatch.setattr(Cifar10, "source", Source(f"{address}cifar.tar.gz", digest))
    assert len(Cifar10(download=True).load().test[1]) == 2
    assert (cache / "cifar10" / "cifar-10-binary.tar.gz").read_bytes() == WHOLE


def test_the_real_subset(real_data):
    task = Cifar10(subset=True).load(real_data)
    assert task.train[1].bincount().tolist() == [500] * 10
    assert task.test[1].bincount().tolist() == [100] * 10
    assert task.train[0].min() == 0
    assert task.train[0].max() == 1
