"""The scalars of a run for TensorBoard: ``tensorboard/<variant>/``, the metrics of the whole run."""

from __future__ import annotations

import logging
from pathlib import Path

from tensorboardX import SummaryWriter

from holdfast.record.files import safe_name

__all__ = ["Scalars"]

# It warns of every NaN; here a NaN is a result like another and is in the events.
logging.getLogger("tensorboardX").setLevel(logging.ERROR)


class Scalars:
    """Writes one variant's scalars for TensorBoard.

    Args:
        directory: the run directory.
        variant: the variant; its folder has the same name, made safe.
        purge_step: after a resume, the first round whose earlier scalars TensorBoard must hide.
    """

    def __init__(self, directory: Path, variant: str, purge_step: int | None = None) -> None:
        folder = directory / "tensorboard" / safe_name(variant)
        self._writer = SummaryWriter(str(folder), purge_step=purge_step)

    def add(self, name: str, value: float, round: int) -> None:
        """Add the value of a metric in a round."""
        self._writer.add_scalar(name, value, round)

    def flush(self) -> None:
        """Hand what was added to the operating system."""
        self._writer.flush()

    def close(self) -> None:
        """Flush, and end the writer's thread."""
        self._writer.close()
