import hashlib

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.models import Cnn
from holdfast.problems import Mnist
from holdfast.problems.files import Source

from .idx import idx, write_mnist


def test_images_are_scaled_and_shaped(tmp_path):
    arrays = write_mnist(tmp_path / "mnist")
    task = Mnist().load(tmp_path)
    for part, (images, labels) in {"train": task.train, "t10k": task.test}.items():
        pixels = arrays[f"{part}-images-idx3-ubyte.gz"]
        expected = torch.tensor([[[[int(v) / 255 for v in row] for row in image]] for image in pixels])
        torch.testing.assert_close(images, expected)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert labels.tolist() == arrays[f"{part}-labels-idx1-ubyte.gz"].tolist()
    assert task.model()(task.train[0]).shape == (6, 10)


def test_the_model_is_the_users_choice():
    assert Mnist(model={"name": "cnn", "channels": [4]}).model == Cnn(channels=(4,))
    with pytest.raises(InputError, match="model"):
        Mnist(model="no_such_model")


def test_a_missing_file_is_named(tmp_path):
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"mnist/t10k-labels-idx1-ubyte\.gz must be in the data folder"):
        Mnist().load(tmp_path)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [([1, 2, 3], "a label for each of 6 images"), ([0, 1, 2, 3, 4, 10], r"labels in 0\.\.9")],
)
def test_labels_that_do_not_fit_are_refused_by_file(tmp_path, labels, complaint):
    write_mnist(tmp_path / "mnist")
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.array(labels)))
    with pytest.raises(InputError, match=rf"train-labels-idx1-ubyte\.gz must hold {complaint}"):
        Mnist().load(tmp_path)


def test_a_download_fills_the_cache(site, cache, no_data, monkeypatch):
    served, address = site
    write_mnist(served / "files")
    for name in Mnist.sources:
        digest = hashlib.md5((served / "files" / name).read_bytes()).hexdigest()
        monkeypatch.setitem(Mnist.sources, name, Source(f"{address}files/{name}", f"md5:{digest}"))
    assert len(Mnist(download=True).load().test[1]) == 4
    assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(Mnist.sources)
    with pytest.raises(InputError, match="download: true"):
        Mnist().load()


def test_the_real_data(real_data):
    task = Mnist().load(real_data)
    assert task.test[0].shape == (10_000, 1, 28, 28)
    # The classes of the official test set.
    assert task.test[1].bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert task.train[0].min() == 0
    assert task.train[0].max() == 1
