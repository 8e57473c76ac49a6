"""Handwritten digits, 28x28."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.models.base import Model
from holdfast.models.mlp import Mlp
from holdfast.problems.base import Classification, Task
from holdfast.problems.files import Source, damaged, find, read_idx

__all__ = ["Mnist"]

_SITE = "https://ossci-datasets.s3.amazonaws.com/mnist/"


class Mnist(Classification):
    """MNIST: handwritten digits of 28x28 pixels in ten classes, 60,000 for training and 10,000 for testing.

    The images are (S, 1, 28, 28), float32 in [0, 1]: the bytes of the files divided by 255. The files are the
    four gzipped IDX files in the folder ``mnist`` of the data folder; how many samples they hold is theirs to
    say.

    Raises:
        InputError: a file is missing or damaged, or could not be downloaded.

    Example:
        >>> Mnist(model="logistic", download=True).model
        Logistic()

    Source: LeCun, Bottou, Bengio & Haffner, "Gradient-based learning applied to document recognition", 1998.
    """

    folder: ClassVar[str] = "mnist"
    sources: ClassVar[Mapping[str, Source]] = {
        "train-images-idx3-ubyte.gz": Source(
            _SITE + "train-images-idx3-ubyte.gz", "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"
        ),
        "train-labels-idx1-ubyte.gz": Source(
            _SITE + "train-labels-idx1-ubyte.gz", "md5:d53e105ee54ea40749a09fcbcd1e9432"
        ),
        "t10k-images-idx3-ubyte.gz": Source(
            _SITE + "t10k-images-idx3-ubyte.gz", "md5:9fb629c4189551a2d022fa330f9573f3"
        ),
        "t10k-labels-idx1-ubyte.gz": Source(
            _SITE + "t10k-labels-idx1-ubyte.gz", "md5:ec29112dd5afa0611ce80d1b7f02629c"
        ),
    }
    model: Annotated[Model, Choice(Model)] = Field(Mlp(), description="the network to train, a model")
    download: bool = Field(False, description="whether missing files may be downloaded: true or false")

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory."""
        return Task(
            model=partial(self.model.build, (1, 28, 28), 10),
            train=self._samples("train", data_dir),
            test=self._samples("t10k", data_dir),
            loss=self.per_sample,
            classes=10,
        )

    def _samples(self, part: str, data_dir: Path | None) -> tuple[Tensor, Tensor]:
        images_path = self._find(f"{part}-images-idx3-ubyte.gz", data_dir)
        labels_path = self._find(f"{part}-labels-idx1-ubyte.gz", data_dir)
        images, labels = read_idx(images_path, (28, 28)), read_idx(labels_path, ())
        if len(labels) != len(images):
            raise damaged(labels_path, f"hold a label for each of {len(images)} images", f"{len(labels)} labels")
        if labels.max() > 9:
            raise damaged(labels_path, "hold labels in 0..9", int(labels.max()))
        pixels = np.divide(images[:, None], 255, dtype=np.float32)
        return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))

    def _find(self, file: str, data_dir: Path | None) -> Path:
        return find(f"{self.folder}/{file}", data_dir, self.sources[file] if self.download else None, True)
