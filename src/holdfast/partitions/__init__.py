"""How the training samples are spread over the nodes."""

from holdfast.catalogue import lazily
from holdfast.partitions.base import Dealt, Partition

__all__ = ["Dealt", "Partition"]

__getattr__ = lazily("partitions")
