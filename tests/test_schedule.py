"""Learning rates by hand, and against torch's own schedulers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LRScheduler, PolynomialLR

from holdfast.errors import InputError
from holdfast.schedule import Schedule


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [0.4, 0.4, 0.4, 0.4]),
        ({"name": "polynomial", "rounds": 2, "end": 0.2}, [0.4, 0.3, 0.2, 0.2]),
        ({"name": "polynomial", "rounds": 2, "end": 0.0, "power": 2.0}, [0.4, 0.1, 0.0, 0.0]),
        ({"name": "exponential", "rounds": 2, "rate": 0.25}, [0.4, 0.2, 0.1, 0.05]),
        ({"name": "cosine", "rounds": 2, "end": 0.2}, [0.4, 0.3, 0.2, 0.2]),
        ({"warmup": 3}, [0.1, 0.2, 0.3, 0.4, 0.4]),
        ({"name": "polynomial", "rounds": 2, "end": 0.2, "warmup": 1}, [0.2, 0.4, 0.3, 0.2, 0.2]),
    ],
)
def test_by_hand(fields: dict[str, Any], expected: list[float]) -> None:
    schedule = Schedule(**fields)
    assert [schedule.at(round, 0.4) for round in range(len(expected))] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("fields", "theirs"),
    [
        ({"name": "polynomial", "end": 0.0, "power": 1.5}, lambda o: PolynomialLR(o, 7, power=1.5)),
        ({"name": "exponential", "rate": 0.5}, lambda o: ExponentialLR(o, 0.5 ** (1 / 7))),
        ({"name": "cosine", "end": 0.01}, lambda o: CosineAnnealingLR(o, 7, eta_min=0.01)),
    ],
)
def test_against_torch(fields: dict[str, Any], theirs: Any) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    scheduler: LRScheduler = theirs(optimizer)
    schedule = Schedule(rounds=7, **fields)
    for round in range(8):
        assert schedule.at(round, 0.3) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_the_defaults_are_aggregathors() -> None:
    decays = {name: Schedule(name=name) for name in ("polynomial", "exponential")}
    assert decays["polynomial"].at(5_000, 1e-3) == pytest.approx(5.5e-4)
    assert decays["polynomial"].at(20_000, 1e-3) == pytest.approx(1e-4)
    assert decays["exponential"].at(10_000, 1e-3) == pytest.approx(0.96e-3)


@pytest.mark.parametrize(
    ("wrong", "field", "word"),
    [
        ({"name": "polinomial"}, "schedule.name", "polynomial"),
        ({"name": "fixed", "rounds": 5}, "schedule.rounds", "polynomial and exponential and cosine"),
        ({"name": "exponential", "end": 0.1}, "schedule.end", "polynomial and cosine"),
        ({"name": "cosine", "rate": 0.5}, "schedule.rate", "exponential"),
        ({"warmup": -1}, "schedule.warmup", "linear growth"),
        ({"steps": 3}, "schedule.steps", "rounds"),
    ],
)
def test_what_would_be_ignored_is_refused(wrong: dict[str, Any], field: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        Schedule(**wrong)
    assert caught.value.field == field
    assert word in str(caught.value)
