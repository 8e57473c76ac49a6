"""Samples that belong together by nature, such as those of one writer."""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from pydantic import Field, field_validator

from holdfast.errors import InputError
from holdfast.partitions.base import Partition
from holdfast.partitions.shards import Shards
from holdfast.types import IntArray

__all__ = ["ByColumn"]

_MOST_BYTES = 2**28


class ByColumn(Partition):
    """Keeps samples together that share a key, such as their writer, and gives whole groups to the nodes.

    The groups go out by size, the largest first, each to the node with the fewest samples so far. The keys come from
    a file in the data folder with one for each training sample, in the order of the problem: an ``.npy`` array (S,), or
    UTF-8 text with one key a line and no header. With ``key: target`` the class is the key, or in a regression the
    quintile.

    Raises:
        InputError: the file is missing, damaged or of another length, or there are fewer groups than nodes.

    Example:
        >>> writers = np.array([7, 7, 7, 2, 2, 5, 5, 9])
        >>> parts = ByColumn().split(writers, nodes=3, seed=1)
        >>> sorted(sorted(set(writers[part].tolist())) for part in parts)
        [[2, 9], [5], [7]]

    Source: natural keys as in Caldas et al., "LEAF: a benchmark for federated settings", 2018; the greedy balance is
    Graham, "Bounds on multiprocessing timing anomalies", 1969.
    """

    key: str = Field(
        "target", min_length=1, description="what keeps samples together: target, or a file in the data folder"
    )

    @field_validator("key")
    @classmethod
    def _within_folder(cls, key: str) -> str:
        if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
            remedy = "Put the file into the data folder and name it relative to that."
            raise InputError("key", "be target or a file within the data folder", key, remedy)
        return key

    def keys(self, targets: IntArray, data_dir: Path | None) -> IntArray:
        """(S,) the number of each training sample's group."""
        if self.key == "target":
            return targets
        folder = data_dir if data_dir is not None else os.environ.get("HOLDFAST_DATA")
        path = Path(folder or ".") / self.key
        if not folder or not path.is_file():
            remedy = "Name the folder with --data-dir or HOLDFAST_DATA, or use key: target."
            raise InputError("partition.key", "be a file in the data folder", self.key, remedy)
        found = _read(path)
        if found.shape != targets.shape:
            required = f"hold one key for each of {len(targets)} training samples"
            raise _wrong(path, required, f"{len(found)} keys" if found.ndim == 1 else f"shape {found.shape}")
        return found

    def split(self, targets: IntArray, nodes: int, seed: int) -> Sequence[IntArray]:
        """The sample indices of each node."""
        _, group_S, sizes_G = np.unique(targets, return_inverse=True, return_counts=True)
        if len(sizes_G) < nodes:
            remedy = "Use fewer nodes, or another key."
            raise InputError("partition", f"have a group for each of {nodes} nodes", f"{len(sizes_G)} groups", remedy)
        chance_G = self.shuffled(np.arange(len(sizes_G)), seed)
        owner_G, loads = np.empty(len(sizes_G), dtype=np.int64), [(0, node) for node in range(nodes)]
        for group in chance_G[np.argsort(-sizes_G[chance_G], kind="stable")].tolist():
            load, owner_G[group] = loads[0]
            heapq.heapreplace(loads, (load + int(sizes_G[group]), int(owner_G[group])))
        return Shards.owned(owner_G[group_S], nodes)


def _read(path: Path) -> IntArray:
    """The keys of a file as numbers, equal where the keys are."""
    if path.stat().st_size > _MOST_BYTES:
        raise _wrong(path, f"be of at most {_MOST_BYTES} bytes", path.stat().st_size)
    try:
        if path.suffix == ".npy":  # mapped, so that a header that promises too much is refused before memory is spent
            array = np.lib.format.open_memmap(path, mode="r")
            return np.unique(array, return_inverse=True)[1].astype(np.int64)
        known: dict[str, int] = {}
        lines = path.read_text(encoding="utf-8").splitlines()
        return np.array([known.setdefault(line.strip(), len(known)) for line in lines], dtype=np.int64)
    except (OSError, EOFError, ValueError) as error:
        raise _wrong(path, "be an .npy array or UTF-8 text", f"{type(error).__name__}: {error}") from error


def _wrong(path: Path, required: str, given: object) -> InputError:
    remedy = "Write one key for each training sample, in the order of the problem and without a header."
    return InputError(str(path), required, given, remedy)
