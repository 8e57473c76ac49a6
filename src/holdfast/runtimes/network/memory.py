"""What a node process remembers of its nodes between rounds, and between the lives of its process."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.checkpoint import Checkpoint
from holdfast.errors import InputError
from holdfast.round import NodeSide
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
        self._kept[variant, round] = state
        rounds = sorted(r for v, r in self._kept if v == variant)[-KEPT:]
        self._kept = {at: kept for at, kept in self._kept.items() if at[0] == variant and at[1] in rounds}
        if self.folder is not None and state:
            self._write(self.folder / variant, round, state)

    def _write(self, folder: Path, round: int, state: State) -> None:
        try:
            Checkpoint(self.experiment, folder.name, round, 0.0, {}, {}, "", state).write(folder / str(round))
            for old in sorted(map(int, _rounds(folder)))[:-KEPT]:
                shutil.rmtree(folder / str(old))
        except OSError as error:  # training is worth more than its copy
            self.warn(f"cannot keep the nodes' state in {folder}: {error.strerror}. Free some space; training goes on.")

    def recall(self, variant: str, round: int) -> State | None:
        """The state after a round, or the last before it that is known."""
        known = [r for v, r in self._kept if v == variant and r <= round]
        if known:
            return self._kept[variant, max(known)]
        folder = None if self.folder is None else self.folder / variant
        rounds = [] if folder is None else sorted(int(r) for r in _rounds(folder) if int(r) <= round)
        if folder is None or not rounds:
            return None
        try:
            found = Checkpoint.read(folder / str(rounds[-1]))
        except InputError as error:
            self.warn(str(error))
            return None
        return found.tensors if found.experiment == self.experiment else None


def _rounds(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []


def snapshot(side: NodeSide) -> State:
    """A copy of what nodes remember, which later rounds do not change."""
    return {name: tensor.clone() for name, tensor in side_state(side).items()}


def revived(state: State) -> NodeSide:
    """What nodes remember, from such a copy."""
    return side_of({name: tensor.clone() for name, tensor in state.items()})
