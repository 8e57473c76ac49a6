"""Small colour photographs, 32x32."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from holdfast.catalogue import Choice
from holdfast.errors import InputError
from holdfast.models.base import Model
from holdfast.models.cnnet import Cnnet
from holdfast.problems.base import Classification, Task
from holdfast.problems.files import Source, damaged, find

__all__ = ["Cifar10"]

Bytes = NDArray[np.uint8]
PIXELS = 3 * 32 * 32
MOST_IMAGES = 10_000
"""How many images each file of the published archive holds."""
PARTS = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}


class Cifar10(Classification):
    """CIFAR-10: colour photographs of 32x32 pixels in ten classes, 50,000 for training and 10,000 for testing.

    The images are (S, 3, 32, 32), float32 in [0, 1]: the bytes of the file divided by 255. The file is the published
    archive of the binary version, ``cifar10/cifar-10-binary.tar.gz`` in the data folder; with `subset` it is
    ``cifar10-subset/cifar10-subset.npz`` with the arrays x_train and x_test, (S, 32, 32, 3) bytes, y_train and y_test.

    Raises:
        InputError: the file is missing or damaged, could not be downloaded, or a subset is to be downloaded.

    Example:
        >>> Cifar10(download=True).model
        Cnnet()

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    archive: ClassVar[str] = "cifar10/cifar-10-binary.tar.gz"
    source: ClassVar[Source] = Source(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530"
    )
    model: Annotated[Model, Choice(Model)] = Field(Cnnet(), description="the network to train, a model")
    download: bool = Field(False, description="whether a missing archive may be downloaded: true or false")
    subset: bool = Field(False, description="whether to take the small file of a subset instead: true or false")

    @model_validator(mode="after")
    def _download_or_subset(self) -> Cifar10:
        if self.download and self.subset:
            remedy = "Leave one of them out: the subset is published nowhere."
            raise InputError("download", "be false with subset", True, remedy)
        return self

    def load(self, data_dir: Path | None = None) -> Task:
        """The task, with its data in memory."""
        if self.subset:
            parts = _subset(find("cifar10-subset/cifar10-subset.npz", data_dir))
        else:
            parts = _published(find(self.archive, data_dir, self.source if self.download else None, True))
        train, test = (_samples(*parts[part]) for part in ("train", "test"))
        return Task(
            model=partial(self.model.build, (3, 32, 32), 10), train=train, test=test, loss=self.per_sample, classes=10
        )


def _samples(images: Bytes, labels: Bytes) -> tuple[Tensor, Tensor]:
    pixels = np.divide(images, 255, dtype=np.float32, order="C")
    return torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64))


def _published(path: Path) -> dict[str, tuple[Bytes, Bytes]]:
    """The images (S, 3, 32, 32) and labels (S,) of both parts of the archive."""
    files = _members(path)
    missing = [name for names in PARTS.values() for name in names if name not in files]
    if missing:
        raise damaged(path, "hold the files of the binary version", f"an archive without {', '.join(missing)}")
    parts = {part: np.concatenate([files[name] for name in names]) for part, names in PARTS.items()}
    found = {part: (rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]) for part, rows in parts.items()}
    return _checked(path, found)


def _members(path: Path) -> dict[str, Bytes]:
    """By name, the rows of each file: a byte for the label, then the red, the green and the blue plane."""
    wanted, files = {name for names in PARTS.values() for name in names}, {}
    try:
        with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                content = archive.extractfile(member) if name in wanted else None
                if content is not None:
                    files[name] = _rows(path, name, member.size, content.read(MOST_IMAGES * (1 + PIXELS)))
            while stream.read(2**20):  # to the end, where the checksum is
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise damaged(path, "be a whole gzipped tar archive", f"{type(error).__name__}: {error}") from error
    return files


def _rows(path: Path, name: str, size: int, content: bytes) -> Bytes:
    if not content or size != len(content) or size % (1 + PIXELS):
        required = f"hold 1 to {MOST_IMAGES} images of {1 + PIXELS} bytes in {name}"
        raise damaged(path, required, f"{size} bytes")
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, 1 + PIXELS)


def _subset(path: Path) -> dict[str, tuple[Bytes, Bytes]]:
    """The images (S, 3, 32, 32) and labels (S,) of both parts of an .npz, in which colours come last."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            parts = {part: (arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in PARTS}
    except (OSError, EOFError, KeyError, TypeError, ValueError, zlib.error, BadZipFile) as error:
        given = f"{type(error).__name__}: {error}"
        raise damaged(path, "be an .npz with x_train, y_train, x_test and y_test", given) from error
    for images, labels in parts.values():
        if images.dtype != np.uint8 or labels.dtype != np.uint8 or images.shape != (*labels.shape, 32, 32, 3):
            given = f"{images.dtype} of shape {images.shape} and {labels.dtype} of shape {labels.shape}"
            raise damaged(path, "hold bytes: images (S, 32, 32, 3) and labels (S,)", given)
    return _checked(path, {part: (images.transpose(0, 3, 1, 2), labels) for part, (images, labels) in parts.items()})


def _checked(path: Path, parts: dict[str, tuple[Bytes, Bytes]]) -> dict[str, tuple[Bytes, Bytes]]:
    for _, labels in parts.values():
        if labels.size and labels.max() > 9:
            raise damaged(path, "hold labels in 0..9", int(labels.max()))
    return parts
