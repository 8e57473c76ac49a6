import pytest
import torch
from sklearn.datasets import load_digits

from holdfast.errors import InputError
from holdfast.models import Logistic
from holdfast.problems import Digits


def test_the_samples_are_scikit_learns_each_once():
    task = Digits().load()
    images, labels = (torch.cat(pair) for pair in zip(task.train, task.test, strict=True))
    assert images.shape == (1797, 1, 8, 8)
    assert images.dtype == torch.float32

    def rows(pixels, targets):
        return sorted((*map(float, image), int(label)) for image, label in zip(pixels, targets, strict=True))

    bunch = load_digits()
    assert rows((images * 16).flatten(1).tolist(), labels) == rows(bunch.data, bunch.target)


def test_the_split_is_always_the_same():
    one, other = Digits().load(), Digits(model="logistic").load()
    assert torch.equal(one.test[0], other.test[0])
    assert torch.equal(one.train[1], other.train[1])


@pytest.mark.parametrize(("fraction", "held_out"), [(0.001, 2), (0.2, 359), (0.5, 898), (0.999, 1795)])
def test_the_fraction_is_held_out(fraction, held_out):
    task = Digits(test_fraction=fraction).load()
    assert (len(task.test[1]), len(task.train[1])) == (held_out, 1797 - held_out)


def test_every_class_is_on_both_sides():
    task = Digits().load()
    assert task.train[1].bincount().min() > 100
    assert task.test[1].bincount().min() > 20


def test_the_model_makes_logits_for_ten_classes():
    assert Digits(model=Logistic()).load().model()(torch.zeros(3, 1, 8, 8)).shape == (3, 10)


@pytest.mark.parametrize("fraction", [0, 1, -0.2])
def test_a_fraction_that_leaves_one_side_empty_is_refused(fraction):
    with pytest.raises(InputError, match="test_fraction"):
        Digits(test_fraction=fraction)
