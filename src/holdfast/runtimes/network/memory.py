"""What a node process remembers of its nodes between rounds, and between the lives of its process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.checkpoint import INDEX, Checkpoint, digest
from holdfast.errors import InputError
from holdfast.parts import NodeSide
from holdfast.runtimes.peers import side_of, side_state
from holdfast.types import State

__all__ = ["Memory", "revived", "snapshot"]

KEPT = 2
"""Of how many rounds the state is kept: the coordinator may go on from the last but one."""


@dataclass
class Memory:
    """The state of hosted nodes after the rounds from which a run may go on.

    Args:
        experiment: the experiment's digest.
        folder: where it is kept on disk; in memory alone without one.
        warn: told when the disk does not take it, or holds what is of no use.
    """

    experiment: str
    folder: Path | None = None
    warn: Callable[[str], None] = lambda text: None
    _kept: dict[tuple[str, int], State] = field(default_factory=dict)

    def keep(self, variant: str, round: int, state: State) -> None:
        """Remember the state after a round, and forget all but the last two rounds of the variant."""
        self._forget_after(variant, round)
        self._kept[variant, round] = state
        rounds = sorted(r for v, r in self._kept if v == variant)[-KEPT:]
        self._kept = {at: kept for at, kept in self._kept.items() if at[0] == variant and at[1] in rounds}
        if self.folder is not None and state:
            self._write(variant, round, state)

    def _folders(self, variant: str) -> list[Path]:
        """Where a variant's rounds are kept, if they are: in a folder of this experiment's, whatever the names say."""
        return [] if self.folder is None else [self.folder / digest(f"{self.experiment} {variant}")[:16]]

    def _write(self, variant: str, round: int, state: State) -> None:
        [folder] = self._folders(variant)
        try:
            Checkpoint(self.experiment, variant, round, 0.0, {}, {}, "", state).write(folder / str(round))
        except OSError as error:  # training is worth more than its copy
            why = error.strerror or error
            self.warn(f"cannot keep the nodes' state in {folder}: {why}. Free some space; training goes on.")
        whole = _whole(folder)[-KEPT:]
        for old in set(_rounds(folder)) - set(whole):
            shutil.rmtree(folder / str(old), ignore_errors=True)

    def _forget_after(self, variant: str, round: int) -> None:
        """Forget later rounds: the run goes on from this one, and comes to them anew."""
        self._kept = {at: kept for at, kept in self._kept.items() if at[0] != variant or at[1] <= round}
        for folder in self._folders(variant):
            for late in [r for r in _rounds(folder) if r > round]:
                shutil.rmtree(folder / str(late), ignore_errors=True)

    def recall(self, variant: str, round: int) -> State | None:
        """The state after a round, or the last before it that is known."""
        self._forget_after(variant, round)
        known = [r for v, r in self._kept if v == variant and r <= round]
        if known:
            return self._kept[variant, max(known)]
        places = [folder / str(r) for folder in self._folders(variant) for r in reversed(_whole(folder))]
        return next((state for state in map(self._read, places) if state is not None), None)

    def _read(self, folder: Path) -> State | None:
        """The state in a folder, unless it is damaged or of another experiment."""
        try:
            found = Checkpoint.read(folder)
        except (InputError, OSError) as error:
            self.warn(str(error))
            return None
        if found.experiment != self.experiment:
            self.warn(f"the nodes' state in {folder} is of another experiment, and of no use to this one.")
            return None
        return found.tensors


def _rounds(folder: Path) -> list[int]:
    """The rounds that have a folder, in order."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def _whole(folder: Path) -> list[int]:
    """Those of which the state was written to the end."""
    return [round for round in _rounds(folder) if (folder / str(round) / INDEX).exists()]


def snapshot(side: NodeSide) -> State:
    """A copy of what nodes remember, which later rounds do not change."""
    return {name: tensor.clone() for name, tensor in side_state(side).items()}


def revived(state: State) -> NodeSide:
    """What nodes remember, from such a copy."""
    return side_of({name: tensor.clone() for name, tensor in state.items()})
