"""The choice of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holdfast import calibrate as module
from holdfast.calibrate import Timing, choose_engine, row_bytes
from holdfast.engines import Engine
from holdfast.errors import InputError
from holdfast.problems.base import cross_entropy

from .small import MODELS, network, samples, seeded

PLENTY = 2**30


def choose(model: nn.Module | None = None, **own: Any) -> tuple[Engine, tuple[Timing, ...]]:
    fields = {
        "wanted": "auto",
        "chunk": None,
        "rows": 300,
        "batch_size": 2,
        "memory": PLENTY,
        "device": torch.device("cpu"),
    }
    data = samples([2] * 300, dtype=torch.float32)
    return choose_engine(network("mlp") if model is None else model, data, cross_entropy, **{**fields, **own})


Speeds = Callable[[str, int], float]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Speeds], list[tuple[str, int, int]]]:
    """Replaces the measuring by a function of engine and width; what was asked is noted."""

    def install(speeds: Speeds) -> list[tuple[str, int, int]]:
        asked: list[tuple[str, int, int]] = []

        def measured(engine: Engine, data: object, x_D: Tensor, nodes: int, batch_size: int | None) -> Timing:
            asked.append((engine.name, engine.chunk, nodes))
            return Timing(engine.name, engine.chunk, speeds(engine.name, engine.chunk))

        monkeypatch.setattr(module, "_time", measured)
        return asked

    return install


def no_clock(name: str, width: int) -> float:
    raise AssertionError("nothing was to be timed")


@pytest.mark.parametrize("best", [16, 30, 60, 100, 150, 300])
def test_the_least_time_wins(best: int, clock: Any) -> None:
    asked = clock(lambda name, width: 2.0 if name == "sequential" else 1 + abs(width - best) / 1000)
    engine, timings = choose()
    assert (engine.name, engine.chunk) == ("stacked", best)
    assert [name for name, *_ in asked] == ["sequential"] + ["stacked"] * 6
    assert [(t.engine, t.chunk) for t in timings] == [(name, width) for name, width, _ in asked]


def test_the_sequential_engine_wins_where_it_is_faster(clock: Any) -> None:
    clock(lambda name, width: 1.0 if name == "sequential" else 1.2)
    engine, _ = choose()
    assert (engine.name, engine.chunk) == ("sequential", 1)


def test_wider_blocks_are_not_tried_once_one_is_much_slower(clock: Any) -> None:
    asked = clock(lambda name, width: 1.0 if name == "sequential" else width / 4)
    _, timings = choose()
    assert [width for _, width, _ in asked] == [1, 16]
    assert len(timings) == 2


def test_no_block_is_wider_than_the_rows_there_are(clock: Any) -> None:
    asked = clock(lambda name, width: 1.0)
    choose(rows=10)
    assert asked == [("sequential", 1, 4), ("stacked", 10, 10)]


def test_memory_bounds_the_block(clock: Any) -> None:
    data = samples([2] * 300, dtype=torch.float32)
    one = row_bytes(network("mlp"), cross_entropy, (data.train[0][:2], data.train[1][:2]))
    for memory, widths in [(20 * one, [1, 16, 20]), (3 * one + one // 2, [1, 3]), (one // 2, [1, 1])]:
        asked = clock(lambda name, width: 1.0)
        choose(memory=memory)
        assert [width for _, width, _ in asked] == widths


def test_the_memory_is_that_of_the_largest_shard() -> None:
    data, model = samples([2, 9, 3], dtype=torch.float32), network("mlp")
    most = row_bytes(model, cross_entropy, (data.train[0][:9], data.train[1][:9]))
    fields = {"wanted": "stacked", "chunk": None, "rows": 3, "memory": 2 * most, "device": torch.device("cpu")}
    engine, _ = choose_engine(model, data, cross_entropy, batch_size=None, **fields)
    assert engine.chunk == 2


def test_row_bytes_grow_with_network_and_batch() -> None:
    x, y = torch.zeros(8, 5), torch.zeros(8, dtype=torch.int64)

    def of(name: str, count: int) -> int:
        return row_bytes(network(name), cross_entropy, (x[:count], y[:count]))

    assert of("logistic", 2) < of("mlp", 2) < of("mlp", 8)
    numbers = sum(p.numel() for p in network("logistic").parameters())
    assert of("logistic", 2) > 4 * 6 * numbers


@pytest.mark.parametrize(
    "own",
    [
        {"wanted": "sequential"},
        {"wanted": "sequential", "chunk": 3},
        {"wanted": "stacked", "chunk": 7},
        {"wanted": "stacked", "rows": 1},
        {"wanted": "auto", "rows": 1},
    ],
    ids=str,
)
def test_nothing_is_timed_where_there_is_nothing_to_choose(own: dict[str, Any], clock: Any) -> None:
    clock(no_clock)
    engine, timings = choose(**own)
    assert timings == ()
    assert engine.name == ("sequential" if own["wanted"] == "auto" else own["wanted"])
    assert engine.chunk == own.get("chunk", 1)


def test_a_width_that_is_asked_for_is_kept(clock: Any) -> None:
    clock(lambda name, width: 1.0 / width)
    engine, _ = choose(chunk=7)
    assert (engine.name, engine.chunk) == ("stacked", 7)


class Branching(nn.Module):
    """Goes one way or the other with the value of a parameter, which torch.func cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(x)
        return out if float(self.out.bias.detach().sum()) > 0 else 2 * out


def test_a_network_that_cannot_be_stacked_trains_one_row_after_another() -> None:
    engine, timings = choose(seeded(Branching), rows=4)
    assert engine.name == "sequential"
    assert [t.engine for t in timings] == ["sequential"]


@pytest.mark.parametrize("own", [{"rows": 20}, {"rows": 10}, {"chunk": 3}])
def test_a_network_that_cannot_be_stacked_is_refused_where_stacking_is_asked_for(own: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="engine must be one that the network can run on"):
        choose(seeded(Branching), wanted="stacked", **own)


def test_what_fails_in_both_engines_is_the_users_to_see() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        choose(nn.Linear(3, 3), rows=4)


@pytest.mark.parametrize("name", ["batch_norm", "dropout", "mlp"])
def test_a_real_measurement_leaves_everything_as_it_was(name: str) -> None:
    model, before = network(name), torch.get_rng_state()
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    engine, timings = choose(model, rows=5)
    assert all(torch.equal(kept[key], value) for key, value in model.state_dict().items())
    assert all(value.grad is None for value in model.parameters())
    assert torch.equal(before, torch.get_rng_state())
    assert all(np.isfinite(t.seconds_per_row_step) and t.seconds_per_row_step > 0 for t in timings)
    assert engine.name in {t.engine for t in timings}


def test_every_small_network_can_be_stacked() -> None:
    for make in MODELS.values():
        shape = (1, 6, 6) if "Conv" in str(make()) else (5,)
        data = samples([2] * 3, shape, torch.float32)
        fields = {"chunk": None, "rows": 3, "batch_size": 2, "memory": PLENTY, "device": torch.device("cpu")}
        _, timings = choose_engine(seeded(make), data, cross_entropy, wanted="auto", **fields)
        assert {t.engine for t in timings} == {"sequential", "stacked"}
