"""The neural networks that a problem can train, each by size."""

from holdfast.catalogue import lazily
from holdfast.models.base import Model

__all__ = ["Model"]

__getattr__ = lazily("models")
