"""Writes what happens in a run, as it happens, into files that only grow.

``metrics.csv`` is tidy, one value a line under the header ``variant,round,node,metric,value``:

- *round*: the rounds done when the value was taken; 0 is before any training.
- *node*: the node, or blank for the whole run.
- *value*: as ``repr`` writes it, the shortest that reads back to the same number; also ``nan`` and ``inf``.

| metric | what it is |
|---|---|
| ``test_<m>`` | a metric on the whole test set, greater is better unless it ends in ``loss`` or ``error`` |
| ``test_loss``, ``train_loss`` | mean losses, in the unit of the problem's loss |
| ``local_<m>`` | each node's own model, which most algorithms have in common, on its own samples; node rows |
| ``personal_<m>`` | the same on test samples in the node's class mix; node rows and the honest nodes' mean |
| ``attack_success`` | how often the model answers what those who poisoned it want |
| ``consensus_error`` | how far the rows are from their mean, relative to its norm; also node rows |
| ``consensus_pairwise`` | the mean distance between two rows, relative to the norm of the rows' mean |
| ``epoch`` | how often each peer has gone through its samples so far; node rows and the honest nodes' mean |
| ``spectral_gap``, ``algebraic_connectivity`` | of the round's mixing matrix and graph, if it changes |
| ``bytes_up``, ``bytes_down`` | payload sent in this round alone, in bytes; node rows and their total |
| ``header_bytes_up``, ``header_bytes_down`` | the same for everything else that a message carries |
| ``virtual_seconds`` | how much virtual time has passed since the beginning, in seconds; of a run with a clock |
| ``speakers`` | how many nodes spoke in this round |
| ``samples`` | on how many samples all nodes worked in this round, each as often as it was passed forward |

For peer algorithms ``test_*`` exist per node too, and the blank row is their mean over the honest nodes.

``events.jsonl`` holds one JSON object a line: ``{"variant", "round", "kind", "node"?, ...details}``. Kinds
now: ``crash``, ``return``, ``lost`` (a message; with ``direction``), ``late``, ``stale``, ``skipped`` (too
few rows; with ``rows`` and ``required``), ``nan_loss``, ``diverged``, ``straggle``, ``unsaved`` (a checkpoint),
``byzantine`` (once in round 0, with ``nodes``). Over real processes also ``absent``, ``suspected`` (with
``process`` and ``why``: ``gone``, ``stalled`` or ``deadline``), ``paused``, ``dropped`` (messages by reason) and
``holes`` (with ``chunks``). Any other kind works alike. A detail that is not finite is null, for JSON has no
word for it.

``predictions/<variant>.npz`` holds ``correct``, (nodes, test samples): which samples each peer's model tells right at
the end. Of robots that map a flat, ``maps/plan/<variant>.npz`` holds ``density``, (H, W) on a mesh over the plan, 0
free and 255 wall, ``extent``, the x and y of the plan's last pixel, and ``paths``, (R, P, 2) in pixels;
``maps/<n>/<variant>.npz`` for n from 00 to 23 holds ``round``, ``maps``, (K, H, W) what each model makes of the mesh,
and ``places``, (R, 2) where the robots are.

``eval/<variant>`` tells of each evaluation when it was, see `holdfast.record.evalfile`; TensorBoard's summaries are in
``tensorboard/<variant>/``.
"""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike

from holdfast.errors import InputError
from holdfast.record.evalfile import eval_file, eval_line
from holdfast.record.files import plain, safe_name
from holdfast.record.run_data import EVENTS, HEADER, METRICS, load_run
from holdfast.record.tensorboard import Scalars

__all__ = ["Recorder", "rewind"]


class Recorder:
    """Appends one variant's metrics and events to a run directory; one recorder writes at a time.

    Args:
        directory: the run directory, which exists.
        variant: the variant whose values these are.
        purge_step: after a `rewind`, the first round that will be recorded again; None for a fresh variant.
        clock: the wall time of evaluations, in seconds since 1970.

    Attributes:
        bytes_up: payload bytes that all nodes sent so far; told from the files after a resume.
        events: how many events of each kind there were so far; told from the files after a resume.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Recorder(Path(folder), "plain, mean") as recorder:
        ...         recorder.metric(1, "test_loss", 0.5)
        ...         recorder.metrics(1, "bytes_up", [0, 3], [40, 80])
        ...         recorder.event(1, "crash", node=2)
        ...     print((Path(folder) / "metrics.csv").read_text(), end="")
        ...     print((Path(folder) / "events.jsonl").read_text(), end="")
        variant,round,node,metric,value
        "plain, mean",1,,test_loss,0.5
        "plain, mean",1,0,bytes_up,40
        "plain, mean",1,3,bytes_up,80
        {"variant": "plain, mean", "round": 1, "kind": "crash", "node": 2}
    """

    def __init__(
        self,
        directory: Path,
        variant: str,
        purge_step: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.variant, self._clock = variant, clock
        self.bytes_up, self.events = 0, Counter[str]()
        self._prefix = _field(variant)
        self._directory = directory
        self._files = {name: _open(directory / name) for name in (METRICS, EVENTS)}
        self._eval = eval_file(variant)
        self._files[self._eval] = _open(directory / self._eval, fresh=purge_step is None)
        if self._files[METRICS].tell() == 0:
            self._files[METRICS].write(HEADER + "\n")
            self._files[METRICS].flush()
        if purge_step is not None:
            self._recount()
        self._scalars = Scalars(directory, variant, purge_step)

    def _recount(self) -> None:
        self.flush()
        run = load_run(self._directory)
        self.bytes_up = round(run.total(self.variant, "bytes_up"))
        self.events.update(event.kind for event in run.events if event.variant == self.variant)

    def metric(self, round: int, name: str, value: float, node: int | None = None) -> None:
        """Record one value.

        Args:
            round: the rounds done.
            name: the metric.
            value: the value; integers stay integers.
            node: whose value it is; None for the whole run.
        """
        number = int(value) if isinstance(value, (int, np.integer)) else float(value)
        who = "" if node is None else int(node)
        self._files[METRICS].write(f"{self._prefix},{int(round)},{who},{_field(name)},{number!r}\n")
        if node is None:
            self.bytes_up += int(value) if name == "bytes_up" else 0
            self._scalars.add(name, float(number), int(round))

    def metrics(self, round: int, name: str, nodes: ArrayLike, values: ArrayLike) -> None:
        """Record one value for each of many nodes.

        Args:
            round: the rounds done.
            name: the metric.
            nodes: (K,) the nodes.
            values: (K,) their values.

        Raises:
            ValueError: there are not as many values as nodes.
        """
        numbers = np.asarray(values)
        numbers = numbers.astype(np.int64) if numbers.dtype == bool else numbers
        start, middle = f"{self._prefix},{int(round)},", f",{_field(name)},"
        pairs = zip(np.asarray(nodes).tolist(), numbers.tolist(), strict=True)
        self._files[METRICS].write("".join([f"{start}{node}{middle}{number!r}\n" for node, number in pairs]))

    def event(self, round: int, kind: str, node: int | None = None, **detail: Any) -> None:
        """Record that something happened.

        Args:
            round: the round in which it happened; 0 is before any training.
            kind: what happened.
            node: to whom; None where no single node is meant.
            **detail: whatever else is worth knowing.
        """
        who = {} if node is None else {"node": int(node)}
        line = dict(variant=self.variant, round=int(round), kind=kind, **who, **plain(detail))
        self._files[EVENTS].write(json.dumps(line) + "\n")
        self.events[kind] += 1

    def arrays(self, folder: str, **arrays: ArrayLike) -> None:
        """Keep arrays in a file of their own, ``<folder>/<variant>.npz``; one that is there is replaced."""
        path = self._directory / folder / f"{safe_name(self.variant)}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        named: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
        np.savez_compressed(path, **named)

    def evaluation(self, round: int, metrics: Mapping[str, float]) -> None:
        """Note when the metrics of the whole run were evaluated, and what they were.

        Args:
            round: the rounds done.
            metrics: their values by name, which are recorded as metrics besides.
        """
        self._files[self._eval].write(eval_line(self._clock(), round, metrics))

    def summary(self) -> None:
        """Give TensorBoard what each metric of the whole run was last."""
        self._scalars.write()

    def flush(self) -> None:
        """Hand everything to the operating system, so that a kill loses only what comes after."""
        for file in self._files.values():
            file.flush()
        if hasattr(self, "_scalars"):
            self._scalars.flush()

    def position(self) -> dict[str, int]:
        """How long each file is, in bytes, all of it on the disk; a checkpoint keeps it for `rewind`."""
        self.flush()
        for file in self._files.values():
            os.fsync(file.fileno())
        return {name: os.fstat(file.fileno()).st_size for name, file in self._files.items()}

    def close(self) -> None:
        """Flush and close; closing twice is harmless."""
        for file in self._files.values():
            file.close()
        self._scalars.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def rewind(directory: Path, position: Mapping[str, int]) -> None:
    """Take back everything that was recorded after a position.

    Args:
        directory: the run directory; no recorder is open on it.
        position: what `Recorder.position` gave.

    Raises:
        InputError: a file is shorter than the position, so earlier lines are lost too; nothing is changed.
    """
    for name, length in position.items():
        path = directory / name
        size = path.stat().st_size if path.exists() else 0
        if size < length:
            remedy = "The record was changed after the checkpoint; restore the file or start the run again."
            raise InputError(str(path), f"hold at least {length} bytes", size, remedy)
    for name, length in position.items():
        if (directory / name).exists():
            os.truncate(directory / name, length)


def _open(path: Path, fresh: bool = False) -> TextIO:
    """A file for the recorder's life, which close() ends; a fresh one forgets what a killed run left in it."""
    path.parent.mkdir(exist_ok=True)
    return open(path, "w" if fresh else "a", encoding="utf-8", newline="")


def _field(text: str) -> str:
    """The text as a CSV field, quoted where it must be."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([text, ""])  # with this ending both characters are quoted
    return line.getvalue().removesuffix(",\r\n")
