"""Pictures of clothes, 28x28."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from holdfast.catalogue import Choice
from holdfast.models.base import Model
from holdfast.models.cnn import Cnn
from holdfast.problems.files import Source
from holdfast.problems.mnist import Mnist

__all__ = ["FashionMnist"]

_SITE = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


class FashionMnist(Mnist):
    """Fashion-MNIST: pictures of clothes of 28x28 pixels in ten classes, in the files and shapes of MNIST.

    The images are (S, 1, 28, 28), float32 in [0, 1]; the files lie in the folder ``fashion-mnist`` of the
    data folder.

    Raises:
        InputError: a file is missing or damaged, or could not be downloaded.

    Example:
        >>> FashionMnist().model.component_name()
        'cnn'

    Source: Xiao, Rasul & Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.
    """

    folder: ClassVar[str] = "fashion-mnist"
    # The site has no TLS: the digests are what vouches for the files.
    sources: ClassVar[Mapping[str, Source]] = {
        "train-images-idx3-ubyte.gz": Source(
            _SITE + "train-images-idx3-ubyte.gz", "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d"
        ),
        "train-labels-idx1-ubyte.gz": Source(
            _SITE + "train-labels-idx1-ubyte.gz", "md5:25c81989df183df01b3e8a0aad5dffbe"
        ),
        "t10k-images-idx3-ubyte.gz": Source(
            _SITE + "t10k-images-idx3-ubyte.gz", "md5:bef4ecab320f06d8554ea6380940ec79"
        ),
        "t10k-labels-idx1-ubyte.gz": Source(
            _SITE + "t10k-labels-idx1-ubyte.gz", "md5:bb300cfdad3c16e7a12a480ee83cd310"
        ),
    }
    model: Annotated[Model, Choice(Model)] = Field(Cnn(), description="the network to train, a model")
