"""What Byzantine nodes send, or train on, instead of the truth."""

from holdfast.catalogue import lazily
from holdfast.attacks.base import Attack, Context

__all__ = ["Attack", "Context"]

__getattr__ = lazily("attacks")
