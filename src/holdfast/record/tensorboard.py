"""The scalars of a run for TensorBoard: ``tensorboard/<variant>/``, the metrics of the whole run."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from tensorboardX import SummaryWriter

from holdfast.record.files import safe_name

__all__ = ["Scalars"]

# It warns of every NaN; here a NaN is a result like another and is in the events.
logging.getLogger("tensorboardX").setLevel(logging.ERROR)


class Scalars:
    """Writes one variant's scalars for TensorBoard: at each summary, what each metric was last.

    Args:
        directory: the run directory.
        variant: the variant; its folder has the same name, made safe.
        purge_step: after a resume, the first round whose earlier scalars TensorBoard must hide.
    """

    def __init__(self, directory: Path, variant: str, purge_step: int | None = None) -> None:
        self._folder, self._purge_step = directory / "tensorboard" / safe_name(variant), purge_step
        self._latest: dict[str, tuple[float, int]] = {}
        if purge_step is not None and self._folder.exists():
            self._writer.flush()  # what it hides is hidden at once

    @cached_property
    def _writer(self) -> SummaryWriter:
        """Opened when there is something to write, for a run may want no summaries."""
        return SummaryWriter(str(self._folder), purge_step=self._purge_step)

    def add(self, name: str, value: float, round: int) -> None:
        """Take note of the value of a metric in a round."""
        self._latest[name] = (value, round)

    def write(self) -> None:
        """Write what each metric was last, if that is new."""
        for name, (value, round) in self._latest.items():
            self._writer.add_scalar(name, value, round)
        self._latest.clear()

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if "_writer" in vars(self):
            self._writer.flush()

    def close(self) -> None:
        """Flush, and end the writer's thread."""
        if "_writer" in vars(self):
            self._writer.close()
