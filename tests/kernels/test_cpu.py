"""The kernels on the CPU where blocks, tasks and threads end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from holdfast.kernels import cpu, machine

from . import oracles
from .oracles import as_lists, assert_near, nearest_of, normal, shares, trimmed_of, with_holes

KERNELS: list[Callable[[Tensor], Tensor]] = [
    lambda x_GMD: cpu.ordered(x_GMD, None, trimmed_of(5)),
    lambda x_GMD: cpu.ordered(x_GMD, None, nearest_of(5)),
    lambda x_GMD: cpu.ordered(x_GMD, shares(1, len(x_GMD), 3, 5), trimmed_of(3)),
    lambda x_GMD: cpu.squared_distances(x_GMD, x_GMD[:, :2].contiguous()),
    lambda x_GMD: cpu.combined(x_GMD, shares(2, len(x_GMD), 5)),
    lambda x_GMD: cpu.present_mean(x_GMD, shares(3, len(x_GMD), 5)),
]
each = pytest.mark.parametrize("kernel", KERNELS)
precisions = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
small_widths = pytest.mark.parametrize("D", [0, 1, 2, 63, 64, 65, 127, 128, 129, 191, 200, 256, 257])


@pytest.fixture
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 64 columns, two of them a task, and every task worth a thread."""
    monkeypatch.setattr(cpu, "CACHE_BYTES", 1)
    monkeypatch.setattr(cpu, "TASK_COLUMNS", 128)
    monkeypatch.setattr(machine, "WORTH_THREADS", 1)


@small_widths
@precisions
@pytest.mark.usefixtures("small_tasks")
def test_ordered_where_blocks_and_tasks_end(D: int, dtype: torch.dtype) -> None:
    x_MD, mix_QM = normal(D, 5, D, dtype=dtype), shares(D, 3, 5)
    one_hole_MD = x_MD.clone()
    one_hole_MD[2, D // 2 : D // 2 + 1] = torch.nan
    for rows_MD in (x_MD, one_hole_MD, with_holes(x_MD)):
        for ranks in (trimmed_of(5), nearest_of(5)):
            expected = [oracles.ordered(as_lists(rows_MD), ranks)]
            assert_near(cpu.ordered(rows_MD.unsqueeze(0), None, ranks), expected)
        expected = [oracles.ordered(oracles.mixed(as_lists(rows_MD), as_lists(mix_QM)), trimmed_of(3))]
        assert_near(cpu.ordered(rows_MD.unsqueeze(0), mix_QM.unsqueeze(0), trimmed_of(3)), expected)


@pytest.mark.parametrize("D", [0, 1, 127, 128, 129, 300, 511, 512, 513, 1025])
@precisions
@pytest.mark.usefixtures("small_tasks")
def test_squared_distances_where_blocks_and_tasks_end(
    D: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    x_MD = normal(D, 7, D, dtype=dtype)
    expected = [oracles.squared_distances(as_lists(x_MD))]
    for columns in (128, 600, 2**16):
        monkeypatch.setattr(cpu, "TASK_COLUMNS", columns)
        assert_near(cpu.squared_distances(x_MD.unsqueeze(0), x_MD[None, :0]), expected)


def test_few_partial_sums_make_long_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    x_GMD = normal(4, 2, 7, 1000)
    expected = cpu.squared_distances(x_GMD, x_GMD[:, :1].contiguous())
    monkeypatch.setattr(cpu, "TASK_COLUMNS", 10)
    monkeypatch.setattr(cpu, "PARTIAL_SUMS", 2 * 9**2 * 3)
    torch.testing.assert_close(cpu.squared_distances(x_GMD, x_GMD[:, :1].contiguous()), expected)


@pytest.mark.parametrize("D", [0, 1, 127, 128, 129, 1023, 1024, 1025, 2049])
@pytest.mark.parametrize("columns", [128, 1500, 2**16])
@precisions
def test_weighted_sums_where_blocks_and_tasks_end(
    D: int, columns: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "TASK_COLUMNS", columns)
    x_MD, weights_M = with_holes(normal(D, 5, D, dtype=dtype)), shares(D, 5)
    x, weights = as_lists(x_MD), weights_M.tolist()
    assert_near(cpu.combined(x_MD.unsqueeze(0), weights_M.unsqueeze(0)), [oracles.combined(x, weights)])
    assert_near(cpu.present_mean(x_MD.unsqueeze(0), weights_M.unsqueeze(0)), [oracles.present_mean(x, weights)])


@each
@precisions
@pytest.mark.parametrize(("groups", "D"), [(1, 1000), (3, 300), (7, 1)])
@pytest.mark.usefixtures("small_tasks")
def test_threads_change_no_bit(
    kernel: Callable[[Tensor], Tensor],
    dtype: torch.dtype,
    groups: int,
    D: int,
    threads: Callable[[int], None],
) -> None:
    x_GMD = with_holes(normal(5, groups, 5, D, dtype=dtype))
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(kernel(x_GMD))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=0, atol=0, equal_nan=True)
