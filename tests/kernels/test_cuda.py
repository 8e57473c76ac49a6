"""The Triton kernels against those of the CPU: on a CUDA device, or else in another process in Triton's interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from holdfast.kernels import Ranks, cpu

from .oracles import RULES, assert_near, normal, shares, trimmed_of, with_holes

pytest.importorskip("triton", reason="triton is not installed")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu"

here = pytest.mark.skipif(DEVICE == "cpu" and not INTERPRETED, reason="no CUDA device; another process interprets it")
precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")  # Triton's, of NaN and of FMA


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The kernels; with small blocks in the interpreter, whose time goes with their size."""
    from holdfast.kernels import cuda

    if INTERPRETED:
        for name, value in {"THREADS": 8, "THREAD_BYTES": 256, "TILE_BYTES": 1024, "COLUMNS": 16, "STEPS": 2}.items():
            monkeypatch.setattr(cuda, name, value)
    return cuda


def there(tensor: Tensor) -> Tensor:
    return tensor.to(DEVICE)


@pytest.mark.skipif(DEVICE == "cuda" or INTERPRETED, reason="the tests below run in this process")
def test_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@here
@precisions
@pytest.mark.parametrize(("rows", "D"), [(1, 1), (1, 9), (2, 8), (3, 7), (4, 9), (7, 17), (8, 3), (13, 8), (40, 5)])
def test_ordered(cuda: Any, rows: int, D: int, dtype: torch.dtype) -> None:
    x_GMD = with_holes(normal(rows, 2, rows, D, dtype=dtype))
    x_GMD[0] = normal(rows + 1, rows, D)
    for ranks in (RULES[1](rows), RULES[3](rows)):
        assert_near(cuda.ordered(there(x_GMD), None, ranks).cpu(), cpu.ordered(x_GMD, None, ranks))


@here
@precisions
@pytest.mark.parametrize(("mixtures", "rows"), [(1, 1), (1, 5), (5, 5), (9, 3), (3, 17)])
def test_ordered_mixtures(cuda: Any, mixtures: int, rows: int, dtype: torch.dtype) -> None:
    x_GMD, mix_GQM = normal(1, 2, rows, 9, dtype=dtype), shares(2, 2, mixtures, rows)
    x_GMD[1] = with_holes(x_GMD[1])
    for ranks in (RULES[1](mixtures), RULES[2](mixtures)):
        found_GD = cuda.ordered(there(x_GMD), there(mix_GQM), ranks).cpu()
        assert_near(found_GD, cpu.ordered(x_GMD, mix_GQM, ranks))


@here
def test_of_two_values_as_near_the_lesser_is_kept(cuda: Any) -> None:
    x_GMD, ranks = torch.tensor([[[2.0, 0.0], [1.0, 4.0], [0.0, 2.0]]]), Ranks.of(3, lambda m: (1, 2), lambda m: 2)
    assert_near(cuda.ordered(there(x_GMD), None, ranks).cpu(), [[0.5, 1.0]])


@here
@precisions
@pytest.mark.parametrize(("rows", "others"), [(1, 0), (2, 1), (7, 0), (8, 2), (17, 1), (64, 0)])
def test_squared_distances(cuda: Any, rows: int, others: int, dtype: torch.dtype) -> None:
    x_GMD, other_GED = normal(3, 2, rows, 300, dtype=dtype), normal(4, 2, others, 300, dtype=dtype)
    x_GMD[1, 0, 299] = torch.nan
    found_GPP = cuda.squared_distances(there(x_GMD), there(other_GED)).cpu()
    assert_near(found_GPP, cpu.squared_distances(x_GMD, other_GED))


@here
@precisions
@pytest.mark.parametrize("centres", [0, 1])
def test_squared_lengths(cuda: Any, centres: int, dtype: torch.dtype) -> None:
    x_GMD, centre_GED = normal(9, 2, 5, 300, dtype=dtype), normal(10, 2, centres, 300, dtype=dtype)
    found_GM = cuda.squared_lengths(there(x_GMD), there(centre_GED)).cpu()
    assert_near(found_GM, cpu.squared_lengths(x_GMD, centre_GED))


@here
def test_few_partial_sums_make_long_chunks(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x_GMD = normal(5, 2, 6, 1100)
    monkeypatch.setattr(cuda, "STEPS", 2)
    monkeypatch.setattr(cuda, "PARTIAL_SUMS", 2 * 7**2 * 3)
    assert_near(
        cuda.squared_distances(there(x_GMD), there(x_GMD[:, :0])).cpu(), cpu.squared_distances(x_GMD, x_GMD[:, :0])
    )


@here
@precisions
@pytest.mark.parametrize(("rows", "D"), [(1, 1), (5, 15), (5, 16), (5, 17), (40, 33)])
def test_weighted_sums(cuda: Any, rows: int, D: int, dtype: torch.dtype) -> None:
    x_GMD, weights_GM = with_holes(normal(6, 3, rows, D, dtype=dtype)), shares(7, 3, rows)
    x_GMD[0] = normal(8, rows, D)
    for kernel in ("combined", "present_mean"):
        found_GD = getattr(cuda, kernel)(there(x_GMD), there(weights_GM)).cpu()
        assert_near(found_GD, getattr(cpu, kernel)(x_GMD, weights_GM))


@here
@pytest.mark.parametrize("shape", [(2, 3, 0), (0, 3, 5)])
def test_no_columns_and_no_inboxes(cuda: Any, shape: tuple[int, int, int]) -> None:
    x_GMD, groups, columns = there(torch.ones(shape)), shape[0], shape[2]
    assert cuda.ordered(x_GMD, None, trimmed_of(3)).shape == (groups, columns)
    assert cuda.combined(x_GMD, there(shares(9, groups, 3))).shape == (groups, columns)
    assert_near(cuda.squared_distances(x_GMD, x_GMD[:, :0]), torch.zeros(groups, 4, 4))


@pytest.mark.skipif(DEVICE == "cpu", reason="no CUDA device")
@pytest.mark.parametrize(
    ("rows", "D", "dtype"),
    [
        (19, 100_003, torch.float32),
        (19, 9_999, torch.float64),
        (100, 3_001, torch.float32),
        (100, 999, torch.float64),
        (1000, 300, torch.float32),
    ],
)
def test_many_rows_and_columns_twice_the_same(cuda: Any, rows: int, D: int, dtype: torch.dtype) -> None:
    whole_GMD, mix_GQM, weights_GM = normal(10, 1, rows, D, dtype=dtype), shares(11, 1, 30, rows), shares(12, 1, rows)
    holed_GMD = with_holes(whole_GMD)
    cases: list[tuple[str, tuple[Any, ...]]] = [
        ("ordered", (holed_GMD, None, RULES[0](rows))),
        ("ordered", (holed_GMD, None, RULES[3](rows))),
        ("ordered", (whole_GMD, mix_GQM, RULES[1](30))),
        ("squared_distances", (whole_GMD, holed_GMD[:, :1].contiguous())),
        ("combined", (whole_GMD, weights_GM)),
        ("present_mean", (holed_GMD, weights_GM)),
    ]
    for kernel, args in cases:
        moved = [there(arg) if isinstance(arg, Tensor) else arg for arg in args]
        first, second = getattr(cuda, kernel)(*moved), getattr(cuda, kernel)(*moved)
        torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)
        assert_near(first.cpu(), getattr(cpu, kernel)(*args))
