"""Who speaks in a round."""

from holdfast.catalogue import lazily
from holdfast.triggers.base import Trigger

__all__ = ["Trigger"]

__getattr__ = lazily("triggers")
