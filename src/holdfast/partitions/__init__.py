"""How the training samples are spread over the nodes."""

from holdfast.catalogue import lazily
from holdfast.partitions.base import Partition

__all__ = ["Partition"]

__getattr__ = lazily("partitions")
