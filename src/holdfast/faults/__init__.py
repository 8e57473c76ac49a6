"""What goes wrong with nodes and links, at an exact round or at random."""

from holdfast.catalogue import lazily
from holdfast.faults.base import Fault

__all__ = ["Fault"]

__getattr__ = lazily("faults")
