"""As many cells at a time as there are cores, and memory for."""

from __future__ import annotations

import pytest

from holdfast.sweep import room as module
from holdfast.sweep.room import OF_A_PROCESS, Room, available_memory, cell_bytes, room

from ..tiny import line, prepare


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 8)
    monkeypatch.setattr(module, "available_memory", lambda: 4000)


@pytest.mark.parametrize(
    ("cells", "wanted", "cell", "jobs", "threads"),
    [
        (100, None, 1, 8, 1),
        (100, None, 1500, 2, 4),
        (100, None, 9000, 1, 8),
        (3, None, 1, 3, 2),
        (100, 20, 9000, 20, 1),
    ],
)
def test_jobs_and_their_threads(machine, cells, wanted, cell, jobs, threads):
    found = room(cells, wanted, cell)
    assert (found.jobs, found.threads) == (jobs, threads)


def test_the_choice_is_explained(machine):
    assert room(9, None, 1500) == Room(2, 4, "8 cores, 4 kB of memory free, about 1.5 kB a cell")


def write(root, meminfo: int, most: str, used: int) -> None:
    (root / "proc").mkdir()
    (root / "proc/meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:  {meminfo} kB\n")
    group = root / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text(most + "\n")
    (group / "memory.current").write_text(str(used))


def test_memory_is_the_least_of_what_machine_and_container_leave(tmp_path):
    assert available_memory(tmp_path) is None
    write(tmp_path, 7, "5000", 2000)
    assert available_memory(tmp_path) == 3000
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert available_memory(tmp_path) == 7 * 1024


def test_a_cell_takes_more_memory_with_more_rows():
    few, many = (cell_bytes(prepare(**line(*range(n)), algorithm="fedavg", rounds=1)) for n in (2, 200))
    assert OF_A_PROCESS < few < many
