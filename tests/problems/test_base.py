import pytest
import torch

from holdfast.catalogue import catalogue
from holdfast.errors import InputError
from holdfast.problems import Digits
from holdfast.problems.base import Classification
from holdfast.problems.losses import cross_entropy, hinge
from tests.tiny import play, simulation

SVM = {
    "problem": {"name": "digits", "model": "logistic", "loss": "hinge"},
    "algorithm": {"name": "fedavg", "l2": 1e-3, "optimizer": {"name": "sgd", "lr": 0.1}},
    "nodes": 2,
}


def test_every_problem_with_classes_of_ours_offers_the_losses():
    classes = {"cifar10", "digits", "fashion_mnist", "mnist", "occupancy"}
    assert classes <= {name for name, cls in catalogue("problems").items() if issubclass(cls, Classification)}


@pytest.mark.parametrize(("name", "function"), [("cross_entropy", cross_entropy), ("hinge", hinge)])
def test_the_task_has_the_loss_that_was_chosen(name, function):
    assert Digits(loss=name).load().loss is function
    assert Digits().load().loss is cross_entropy


def test_another_loss_is_refused():
    with pytest.raises(InputError, match="loss must be 'cross_entropy' or 'hinge', but 'squared' was given"):
        Digits(loss="squared")


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_a_linear_support_vector_machine_learns_digits(engine):
    sim = simulation(**SVM, engine=engine)
    start_D, everyone = sim.run.parts.initial_D, sim.run.cohort(sim.run.everyone, round=1)
    before = everyone.evaluate(start_D.unsqueeze(0))
    after = everyone.evaluate(torch.from_numpy(play(sim, 3)[-1]).float())
    assert float(after["accuracy"].min()) > 0.85 > 0.3 > float(before["accuracy"])
    assert float(after["loss"].max()) < float(before["loss"])
