"""Every draw is a function of its address alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.seeding import Draws, address, generator, generators, uniform

from .contract import PROPERTY

WORD = 2**64 - 1
ids = st.integers(0, 2**40)


def mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def plain(seed: int, crc: int, *numbers: int) -> int:
    """The address in integers of any length."""
    state, golden = 0, 0x9E3779B97F4A7C15
    for word in (seed, crc, *numbers):
        state = mix(((state + golden) & WORD) ^ mix((word + golden) & WORD))
    return state


@PROPERTY
@given(seed=st.integers(0, 2**63 - 1), numbers=st.lists(ids, max_size=3))
def test_an_address_is_splitmix_of_its_words(seed: int, numbers: list[int]) -> None:
    assert int(address(seed, "", *numbers)) == plain(seed, 0, *numbers)


def test_splitmix_gives_the_published_numbers() -> None:
    # the first output of SplitMix64 from seed 1234567 (Vigna's reference implementation)
    assert mix((1234567 + 0x9E3779B97F4A7C15) & WORD) == 6457827717110365317


@PROPERTY
@given(nodes=st.lists(ids, min_size=1, max_size=9), round=ids)
def test_a_draw_does_not_depend_on_the_rest_of_the_array(nodes: list[int], round: int) -> None:
    together = uniform(1, "drop", nodes, round)
    assert together.tolist() == [float(uniform(1, "drop", node, round)) for node in nodes]


def test_ids_broadcast() -> None:
    table = address(1, "delay", np.arange(3)[:, None], np.arange(4))
    assert table.shape == (3, 4)
    assert table[2, 3] == address(1, "delay", 2, 3)
    assert address(1, "delay").shape == ()
    assert uniform(1, "delay", []).shape == (0,)
    assert isinstance(float(uniform(1, "delay", 3)), float)


def test_seeds_purposes_and_ids_have_addresses_of_their_own() -> None:
    found = {int(address(*words)) for words in [(1, "a"), (2, "a"), (1, "b"), (1, "a", 0), (1, "a", 0, 0)]}
    found |= {int(address(1, "a", 2, 3)), int(address(1, "a", 3, 2))}
    assert len(found) == 7
    grid = address(1, "a", np.arange(300)[:, None], np.arange(300))
    assert len(np.unique(grid)) == grid.size


@pytest.mark.parametrize("vary", ["seed", "node", "round", "both"])
def test_uniform_is_uniform(vary: str) -> None:
    n = np.arange(20_000)
    draws = {
        "seed": lambda: np.array([float(uniform(int(s), "drop", 3, 4)) for s in n[:4000]]),
        "node": lambda: uniform(1, "drop", n, 4),
        "round": lambda: uniform(1, "drop", 4, n),
        "both": lambda: uniform(1, "drop", np.arange(150)[:, None], np.arange(150)).ravel(),
    }[vary]()
    assert ((draws >= 0) & (draws < 1)).all()
    counts, expected = np.bincount((draws * 16).astype(int), minlength=16), len(draws) / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7  # 15 degrees of freedom, exceeded once in 1000
    successive = np.corrcoef(draws[:-1], draws[1:])[0, 1]
    assert abs(successive) < 4 / np.sqrt(len(draws))


def test_generators_are_those_of_each_address_in_order() -> None:
    table = generators(1, "batches", np.arange(2)[:, None], np.arange(3))
    assert [g.initial_seed() for g in table] == [
        generator(1, "batches", node, epoch).initial_seed() for node in range(2) for epoch in range(3)
    ]
    assert generators(1, "batches", []) == []


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_a_row_does_not_depend_on_whom_it_is_drawn_with(kind: str) -> None:
    def draw(*nodes: int, round: int = 3, seed: int = 1, purpose: str = "int8") -> torch.Tensor:
        found: torch.Tensor = getattr(Draws(seed, purpose, np.array(nodes), round), kind)(6)
        return found

    together = draw(4, 9, 2)
    assert torch.equal(together[1], draw(9)[0])
    assert torch.equal(draw(2, 9)[1], draw(9)[0])
    others = [draw(5), draw(9, round=4), draw(9, seed=2), draw(9, purpose="gaussian")]
    assert all(not torch.equal(other[0], together[1]) for other in others)


def test_the_rows_of_draws_are_draws_of_the_rows() -> None:
    draws = Draws(1, "int8", np.array([4, 9, 2]), 3)
    assert torch.equal(draws.rows(np.array([2, 0])).uniform(5), draws.uniform(5)[[2, 0]])


def test_the_addresses_of_draws_are_those_of_their_nodes() -> None:
    found_K = Draws(7, "codec.x", np.array([4, 9]), 3).addresses_K
    assert found_K.tolist() == [int(address(7, "codec.x", node, 3)) for node in (4, 9)]
    assert Draws(7, "codec.x", np.array([], dtype=np.int64), 3).addresses_K.shape == (0,)


def test_draws_have_the_moments_that_they_name() -> None:
    draws = Draws(1, "gaussian", np.arange(40), 3)
    normal, uniform_ = draws.normal(500), draws.uniform(500)
    assert abs(float(normal.mean())) < 0.03
    assert abs(float(normal.std()) - 1) < 0.03
    assert abs(float(uniform_.mean()) - 0.5) < 0.01
    assert float(uniform_.min()) >= 0
    assert float(uniform_.max()) < 1


def test_nothing_is_taken_from_global_generators() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Draws(1, "gaussian", np.arange(3), 1).normal(4)
    uniform(1, "drop", np.arange(3))
    assert torch.equal(before, torch.get_rng_state())
    assert (numpy_before == np.random.get_state()[1]).all()
