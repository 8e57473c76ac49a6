"""Whether a room is occupied, from five sensors."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.models.base import Model
from holdfast.models.logistic import Logistic
from holdfast.problems.base import Classification, Task
from holdfast.problems.files import Source, damaged, find
from holdfast.seeding import generator
from holdfast.types import FloatArray

__all__ = ["Occupancy"]

_ARCHIVE = "https://archive.ics.uci.edu/static/public/357/occupancy+detection.zip"
_HEADER = ["date", "Temperature", "Humidity", "Light", "CO2", "HumidityRatio", "Occupancy"]
_MOST_BYTES = 2**26


class Occupancy(Classification):
    r"""Whether an office is occupied, from its temperature, humidity, light, CO2 and humidity ratio.

    The inputs are (S, 5), float32, standardised by the training samples: x ← (x - mean) / std; a feature that
    never varies among them is left at 0. The targets are 0 (empty) and 1 (occupied). The files are
    ``datatraining.txt`` (8,143 samples), ``datatest.txt`` (2,665) and ``datatest2.txt`` (9,752) in the folder
    ``occupancy`` of the data folder.

    `split` says what is learned from: ``published`` trains on datatraining and tests on the other two files,
    which were recorded before and after it; ``pooled`` shuffles all samples together and holds
    `test_fraction` out, so that most test samples were recorded a minute from a training sample. Which are
    held out depends on no seed.

    Raises:
        InputError: a file is missing or damaged, or could not be downloaded.

    Example:
        >>> Occupancy(split="pooled").model
        Logistic()

    Source: Candanedo & Feldheim, "Accurate occupancy detection of an office room from light, temperature,
    humidity and CO2 measurements using statistical learning models", 2016.
    """

    sources: ClassVar[Mapping[str, Source]] = {
        name: Source(_ARCHIVE, f"sha256:{digest}", member=name)
        for name, digest in {
            "datatraining.txt": "b2c4d0ce2b9e4e453c476f7125ef31aeec2d1f5c7f5572d0e80de3df6521ab56",
            "datatest.txt": "1b92c7c1b2838963464fa891a610cf3c5db4becb7189189b29b330107a584c7f",
            "datatest2.txt": "d026d1bd5aeccd4aff4f3b3710d48e40613bd5fc370db7e61bbdcaa50d985095",
        }.items()
    }
    model: Annotated[Model, Choice(Model)] = Field(Logistic(), description="the network to train, a model")
    split: Literal["published", "pooled"] = Field(
        "published", description="which samples are held out for testing: published or pooled"
    )
    test_fraction: float = Field(
        0.3,
        ge=0.001,
        le=0.999,
        description="how much is held out with split: pooled, as a fraction of the samples",
    )
    download: bool = Field(False, description="whether missing files may be downloaded: true or false")

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory."""
        files = [self._read(name, data_dir) for name in ("datatraining.txt", "datatest.txt", "datatest2.txt")]
        train, test = self._parts(files)
        mean, std = train[:, :5].mean(axis=0), train[:, :5].std(axis=0)
        std[std == 0] = 1
        return Task(
            model=partial(self.model.build, (5,), 2),
            train=_samples(train, mean, std),
            test=_samples(test, mean, std),
            loss=self.per_sample,
            classes=2,
        )

    def _parts(self, files: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """The training rows and the test rows."""
        if self.split == "published":
            return files[0], np.concatenate(files[1:])
        rows = np.concatenate(files)
        order = torch.randperm(len(rows), generator=generator(0, "problem.occupancy")).numpy()
        held_out = min(max(round(self.test_fraction * len(rows)), 1), len(rows) - 1)
        return rows[order[held_out:]], rows[order[:held_out]]

    def _read(self, name: str, data_dir: Path | None) -> FloatArray:
        """(S, 6) the features and the target of one file."""
        path = find(f"occupancy/{name}", data_dir, self.sources[name] if self.download else None, True)
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise damaged(path, f"be of at most {_MOST_BYTES} bytes", size)
        try:
            with path.open(encoding="ascii", newline="") as stream:
                return _table(path, list(csv.reader(stream)))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise damaged(path, "be a text table", f"{type(error).__name__}: {error}") from error


def _table(path: Path, lines: list[list[str]]) -> FloatArray:
    """(S, 6) the numbers of the lines; the first is the header, which does not name the index column."""
    if len(lines) < 2 or lines[0] != _HEADER:
        raise damaged(path, f"begin with {','.join(_HEADER)} and hold samples", ",".join(lines[0]) if lines else "")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != 8:
            raise damaged(path, "have 8 columns in every line", f"{len(line)} in line {number}")
    try:
        rows = np.array([line[2:] for line in lines[1:]], dtype=np.float64)
    except ValueError as error:
        raise damaged(path, "hold numbers", str(error)) from error
    if not np.isfinite(rows).all() or not np.isin(rows[:, 5], (0, 1)).all():
        raise damaged(path, "hold finite numbers and an occupancy of 0 or 1", "others")
    return rows


def _samples(rows: FloatArray, mean: FloatArray, std: FloatArray) -> tuple[Tensor, Tensor]:
    inputs = ((rows[:, :5] - mean) / std).astype(np.float32)
    return torch.from_numpy(inputs), torch.from_numpy(rows[:, 5].astype(np.int64))
