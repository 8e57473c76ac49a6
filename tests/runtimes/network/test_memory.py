"""What nodes remember outlives rounds and processes, and a disk that fails costs a copy and nothing else."""

from __future__ import annotations

import errno

import pytest
import torch

from holdfast.checkpoint import Checkpoint
from holdfast.runtimes.network.memory import Memory


def state(value):
    return {"x": torch.tensor([float(value)])}


def value(found):
    return None if found is None else found["x"].item()


@pytest.fixture
def warned():
    return []


def test_the_last_two_rounds_are_kept():
    memory = Memory("e")
    for round in (2, 4, 6):
        memory.keep("main", round, state(round))
    assert [value(memory.recall("main", round)) for round in (9, 6)] == [6.0, 6.0]
    assert value(memory.recall("main", 5)) == 4.0
    assert memory.recall("main", 3) is None
    assert memory.recall("other", 9) is None


def test_another_process_finds_it_on_the_disk(tmp_path, warned):
    for round in (2, 4, 6):
        Memory("e", tmp_path).keep("main", round, state(round))
    assert len(list(tmp_path.glob("*/*"))) == 2
    assert value(Memory("e", tmp_path).recall("main", 7)) == 6.0
    assert value(Memory("e", tmp_path).recall("main", 5)) == 4.0
    assert Memory("e", tmp_path).recall("main", 3) is None


def test_the_state_of_another_experiment_is_of_no_use_and_left_alone(tmp_path, warned):
    Memory("e", tmp_path).keep("main", 100, state(1))
    other = Memory("f", tmp_path)
    assert other.recall("main", 100) is None
    other.keep("main", 1, state(2))
    assert value(Memory("f", tmp_path).recall("main", 1)) == 2.0
    assert value(Memory("e", tmp_path).recall("main", 100)) == 1.0
    for place in list(tmp_path.glob("*/100")):
        Checkpoint("g", "main", 100, 0.0, {}, {}, "", state(3)).write(place)
    assert Memory("e", tmp_path, warned.append).recall("main", 100) is None
    assert "of another experiment" in warned[0]


def test_rounds_that_the_run_left_are_forgotten(tmp_path):
    for memory in (Memory("e"), Memory("e", tmp_path)):
        memory.keep("main", 6, state(6))
        memory.keep("main", 7, state(-7))
        assert value(memory.recall("main", 6)) == 6.0  # the run goes on from 6, and 7 is played anew
        memory.keep("main", 8, state(8))
        assert value(memory.recall("main", 7)) == 6.0


def test_a_full_disk_warns_and_nothing_is_lost(tmp_path, warned, monkeypatch):
    memory = Memory("e", tmp_path, warned.append)
    memory.keep("main", 2, state(2))

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        for round in (4, 6, 8):
            memory.keep("main", round, state(round))
    assert len(warned) == 3
    assert all("No space left on device. Free some space" in text for text in warned)
    assert value(memory.recall("main", 9)) == 8.0
    assert value(Memory("e", tmp_path).recall("main", 9)) == 2.0
    assert [path.name for path in tmp_path.glob("*/*")] == ["2"]  # and no half-written file takes room
    memory.keep("main", 10, state(10))
    assert value(Memory("e", tmp_path).recall("main", 10)) == 10.0


def test_a_damaged_file_warns_and_the_one_before_serves(tmp_path, warned):
    memory = Memory("e", tmp_path)
    memory.keep("main", 2, state(2))
    memory.keep("main", 4, state(4))
    [file] = tmp_path.glob("*/4/state-*")
    file.write_bytes(b"garbage")
    assert value(Memory("e", tmp_path, warned.append).recall("main", 4)) == 2.0
    assert "undamaged" in warned[0]


@pytest.mark.parametrize("name", ["..", "../../x", "a" * 100, "x\0y"])
def test_a_name_leads_nowhere_else(tmp_path, name):
    folder = tmp_path / "a" / "b"
    Memory("e", folder).keep(name, 2, state(2))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]
    assert value(Memory("e", folder).recall(name, 2)) == 2.0


def test_foreign_files_are_left_alone(tmp_path):
    Memory("e", tmp_path).keep("main", 2, state(2))
    [folder] = tmp_path.iterdir()
    (folder / "\u00b2").mkdir()
    (folder / "notes.txt").write_text("mine")
    Memory("e", tmp_path).keep("main", 3, state(3))
    assert value(Memory("e", tmp_path).recall("main", 3)) == 3.0
    assert (folder / "notes.txt").exists()
