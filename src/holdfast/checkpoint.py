"""Where a run can go on from: tensors as safetensors, the rest as JSON, replaced all at once or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from holdfast.errors import InputError
from holdfast.types import State

__all__ = ["Checkpoint", "below", "digest", "grouped"]

INDEX = "checkpoint.json"


def digest(text: str) -> str:
    """The SHA-256 of a text, by which a resume tells that the experiment is the same."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """How far a run has come.

    Args:
        experiment: the digest of the experiment file in the run directory.
        variant: the variant under way.
        round: how many of its rounds are done.
        seconds: how long they took.
        position: how far the record had been written.
        facts: what is known of the variants that are done.
        source: the folder of the experiment file, where modules that it names may stand.
        tensors: the state after that round.
    """

    experiment: str
    variant: str
    round: int
    seconds: float
    position: dict[str, int]
    facts: dict[str, Any]
    source: str
    tensors: State = field(repr=False)

    def write(self, folder: Path) -> None:
        """Replace the checkpoint in a folder; a crash at any moment leaves the old one or the new one."""
        folder.mkdir(parents=True, exist_ok=True)
        content = save(_apart(self.tensors))
        file = f"state-{hashlib.sha256(content).hexdigest()}.safetensors"
        _replace(folder / file, content)
        about = {key: value for key, value in vars(self).items() if key != "tensors"} | {"file": file}
        _replace(folder / INDEX, json.dumps(about, indent=2).encode())
        for old in folder.glob("state-*.safetensors"):
            if old.name != file:
                old.unlink()

    @classmethod
    def read(cls, folder: Path) -> Checkpoint:
        """The checkpoint in a folder.

        Raises:
            InputError: there is none, or it is damaged.
        """
        remedy = "Start the run again with `holdfast run`."
        try:
            about = json.loads((folder / INDEX).read_text())
            file = about.pop("file")
            content = (folder / Path(file).name).read_bytes()
            if file != f"state-{hashlib.sha256(content).hexdigest()}.safetensors":
                raise InputError(str(folder), "hold an undamaged checkpoint", f"{file} with another digest", remedy)
            return cls(**about, tensors=load(content))
        except FileNotFoundError as error:
            raise InputError(str(folder), "hold a checkpoint", "none", remedy) from error
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise InputError(str(folder), "hold an undamaged checkpoint", str(error), remedy) from error


def _apart(tensors: State) -> State:
    """The tensors on the CPU, each with memory of its own: two parts of a state may be one and the same tensor."""
    found: State = {}
    known = set[int]()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone() if place in known else tensor
        known.add(place)
    return found


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def below(tensors: State, prefix: str) -> State:
    """The tensors ``prefix/key`` by key."""
    return {key[len(prefix) + 1 :]: value for key, value in tensors.items() if key.startswith(prefix + "/")}


def grouped(tensors: State, prefix: str) -> dict[str, State]:
    """The tensors ``prefix/group/key`` by group."""
    found = below(tensors, prefix)
    groups = dict.fromkeys(key.partition("/")[0] for key in found)
    return {group: below(found, group) for group in groups}
