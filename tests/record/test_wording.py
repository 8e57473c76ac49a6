import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.wording import (
    byte_unit,
    compared_by,
    cost_unit,
    human_bytes,
    human_time,
    is_counter,
    less_is_better,
    quality,
    shown,
)


@given(st.integers(0, 10**17))
def test_bytes_keep_three_digits(count: int) -> None:
    number, unit = human_bytes(count).split()
    size = {"B": 0, "kB": 1, "MB": 2, "GB": 3, "TB": 4, "PB": 5}[unit]
    assert float(number) * 1000**size == pytest.approx(count, rel=0.005)
    assert float(number) < 1000 or unit == "PB"


def test_the_unit_of_an_axis() -> None:
    assert byte_unit(0) == (1.0, "B")
    assert byte_unit(3e9) == (1e9, "GB")


def test_quality_prefers_accuracy() -> None:
    assert quality(["test_r2", "test_accuracy"]) == "test_accuracy"
    assert quality([]) is None


def test_the_success_of_an_attack_is_a_share_and_no_quality() -> None:
    assert shown("attack_success", 0.05) == "5.0%"
    assert less_is_better("attack_success")
    assert quality(["attack_success", "test_loss"]) is None


def test_what_cannot_be_an_accuracy_is_no_percentage() -> None:
    assert shown("test_accuracy", 91.5) == "91.5"
    assert shown("test_accuracy", math.nan) == "not finite"


def test_small_words() -> None:
    assert human_time(59.99) == "60.0 s"
    assert is_counter("speakers")


def test_what_is_spent_is_told_in_its_unit_and_less_of_it_is_better() -> None:
    assert [shown(name, 7200) for name in ("bytes_down", "seconds", "samples", "rounds")] == [
        "7.2 kB", "2 h 0 min", "7,200", "7200",
    ]  # fmt: skip
    assert less_is_better("virtual_seconds")
    assert not is_counter("test_accuracy")


def test_the_unit_of_a_cost_leaves_readable_numbers() -> None:
    assert cost_unit("virtual_seconds", 119) == (1.0, "seconds")
    assert cost_unit("virtual_seconds", 0.01) == (1.0, "seconds")
    assert cost_unit("samples", 5e6) == (1e6, "millions")


def test_without_a_quality_the_test_loss_decides() -> None:
    assert compared_by(iter(["bytes_up", "train_loss", "test_loss"])) == "test_loss"
