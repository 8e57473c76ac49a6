"""Checkpoints are whole or not there, and damage is told."""

from __future__ import annotations

import json

import pytest
import torch

from holdfast import InputError
from holdfast.checkpoint import Checkpoint, digest


def checkpoint(round: int = 3) -> Checkpoint:
    tensors = {"server/x": torch.arange(4.0) + round, "nodes/unsent": torch.tensor([True, False])}
    return Checkpoint(
        digest("a"), "main", round, 1.5, {"metrics.csv": 10}, {"done": {"status": "done"}}, "here", tensors
    )


def test_what_is_written_is_read(tmp_path):
    checkpoint().write(tmp_path)
    found = Checkpoint.read(tmp_path)
    assert {key: value for key, value in vars(found).items() if key != "tensors"} == {
        key: value for key, value in vars(checkpoint()).items() if key != "tensors"
    }
    for name, tensor in checkpoint().tensors.items():
        assert torch.equal(found.tensors[name], tensor)


def test_the_next_one_replaces_the_last_and_leaves_nothing_behind(tmp_path):
    checkpoint(3).write(tmp_path)
    checkpoint(4).write(tmp_path)
    assert Checkpoint.read(tmp_path).round == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_a_crash_before_the_index_is_replaced_leaves_the_old_one(tmp_path, monkeypatch):
    checkpoint(3).write(tmp_path)

    def crash(source, target):
        if str(target).endswith(".json"):
            raise KeyboardInterrupt
        return real(source, target)

    import os

    real = os.replace
    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        checkpoint(4).write(tmp_path)
    assert Checkpoint.read(tmp_path).round == 3


def test_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="must hold a checkpoint"):
        Checkpoint.read(tmp_path / "nowhere")


def damage_bytes(folder):
    state = next(folder.glob("state-*"))
    content = bytearray(state.read_bytes())
    content[-1] ^= 1
    state.write_bytes(bytes(content))


def truncate_index(folder):
    (folder / "checkpoint.json").write_text("{")


def add_a_key(folder):
    about = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps({**about, "surprise": 1}))


@pytest.mark.parametrize("damage", [damage_bytes, truncate_index, add_a_key])
def test_damage_is_told(tmp_path, damage):
    checkpoint().write(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match="undamaged"):
        Checkpoint.read(tmp_path)


def test_parts_of_a_state_that_are_one_tensor_are_written_each(tmp_path):
    x_D = torch.arange(4.0)
    tensors = {"server/x": x_D, "server/reference": x_D, "server/part": x_D[1:3], "none": torch.empty(0)}
    Checkpoint(digest("a"), "main", 1, 1.5, {}, {}, "here", tensors).write(tmp_path)
    found = Checkpoint.read(tmp_path).tensors
    assert {name: tensor.tolist() for name, tensor in found.items()} == {n: t.tolist() for n, t in tensors.items()}
