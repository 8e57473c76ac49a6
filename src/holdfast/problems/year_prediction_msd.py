"""The year of a song, from its timbre."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.models.base import Model
from holdfast.models.logistic import Logistic
from holdfast.problems.base import Problem, Task
from holdfast.problems.files import Source, damaged, find
from holdfast.problems.losses import r2, squared_error
from holdfast.types import FloatArray

__all__ = ["YearPredictionMsd"]

_FILE = "YearPredictionMSD.txt"
_TRAIN, _TEST = 463_715, 51_630
_COLUMNS = 91
_MOST_BYTES = 2**29


class YearPredictionMsd(Problem):
    r"""YearPredictionMSD: the year a song came out, from 90 averages and covariances of its timbre; a regression.

    The inputs are (S, 90) and the targets (S, 1), both float32 and standardised by the training rows that are taken:
    x ← (x - mean) / std; a column that never varies among them is left at 0. The first 463,715 rows of the file train
    and the last 51,630 test, so that no artist is in both.

    The loss is the squared error. The metric ``r2`` is the share of the training years' variance that is explained,
    1 - loss, so the root mean squared error is std·√(1 - r2), about 10.9·√(1 - r2) years. With the model `logistic`,
    which is one linear layer, this is linear regression.

    The file is ``YearPredictionMSD.txt`` in the folder ``year-prediction-msd`` of the data folder.

    Raises:
        InputError: the file is missing or damaged, or could not be downloaded.

    Example:
        >>> YearPredictionMsd(rows=10_000).model
        Logistic()

    Source: Bertin-Mahieux, "YearPredictionMSD", UCI Machine Learning Repository, 2011.
    """

    source: ClassVar[Source] = Source(
        "https://archive.ics.uci.edu/static/public/203/yearpredictionmsd.zip",
        "sha256:4b6f8e50235b359e01689ae7fb33ad0f89677e9a15f25f3d6259327a6bb927bb",
        member=_FILE,
    )
    model: Annotated[Model, Choice(Model)] = Field(Logistic(), description="the network to train, a model")
    rows: int | None = Field(
        None, ge=1, le=_TRAIN, description="how many of the first training rows are taken, in rows; all without it"
    )
    download: bool = Field(False, description="whether a missing file may be downloaded: true or false")

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory."""
        path = find(f"year-prediction-msd/{_FILE}", data_dir, self.source if self.download else None, True)
        _check_size(path)
        train, test = _read(path, 0, self.rows or _TRAIN), _read(path, _TRAIN, _TEST)
        mean, std = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
        std[std == 0] = 1
        return Task(
            model=partial(self.model.build, (_COLUMNS - 1,), 1),
            train=_samples(train, mean, std),
            test=_samples(test, mean, std),
            loss=squared_error,
            metrics={"r2": r2},
        )


def _check_size(path: Path) -> None:
    """Refuse a file that cannot be the published one, before memory is spent on it."""
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise damaged(path, f"be of at most {_MOST_BYTES} bytes", size)
    with path.open("rb") as stream:
        lines = sum(block.count(b"\n") for block in iter(partial(stream.read, 2**20), b""))
    if lines != _TRAIN + _TEST:
        raise damaged(path, f"have {_TRAIN + _TEST} lines", lines)


def _read(path: Path, skipped: int, count: int) -> NDArray[np.float32]:
    """(count, 91) some rows of the file: the year, then the features."""
    try:
        with warnings.catch_warnings(action="error"):  # of lines that hold nothing
            rows = np.loadtxt(
                path,
                np.float32,
                delimiter=",",
                comments=None,
                skiprows=skipped,
                max_rows=count,
                ndmin=2,
                encoding="ascii",
            )
    except (OSError, ValueError, UserWarning) as error:
        raise damaged(path, "be a table of numbers", f"{type(error).__name__}: {error}") from error
    if rows.shape != (count, _COLUMNS):
        raise damaged(path, f"hold {_COLUMNS} numbers in every line", f"{rows.shape[1]} in each of {len(rows)} lines")
    if not np.isfinite(rows).all():
        raise damaged(path, "hold finite numbers", "others")
    return rows


def _samples(rows: NDArray[np.float32], mean: FloatArray, std: FloatArray) -> tuple[Tensor, Tensor]:
    """The standardised features and years; the rows are changed, for they are large."""
    rows -= mean
    rows /= std
    return torch.from_numpy(rows[:, 1:].copy()), torch.from_numpy(rows[:, :1].copy())
