import pytest

from holdfast.errors import InputError
from holdfast.problems import FashionMnist, Mnist

from .idx import write_mnist


def test_it_reads_its_own_folder(tmp_path):
    arrays = write_mnist(tmp_path / "fashion-mnist", train=3, test=2)
    task = FashionMnist().load(tmp_path)
    assert task.train[1].tolist() == arrays["train-labels-idx1-ubyte.gz"].tolist()
    assert task.model()(task.test[0]).shape == (2, 10)
    with pytest.raises(InputError, match="mnist/train-images"):
        Mnist().load(tmp_path)


def test_its_files_are_not_those_of_mnist():
    assert FashionMnist.sources.keys() == Mnist.sources.keys()
    digests = {source.digest for problem in (Mnist, FashionMnist) for source in problem.sources.values()}
    assert len(digests) == 8


def test_the_real_data(real_data):
    task = FashionMnist().load(real_data)
    assert task.train[1].bincount().tolist() == [6000] * 10
    assert task.test[1].bincount().tolist() == [1000] * 10
