"""What Byzantine nodes send, or train on, instead of the truth."""

from holdfast.attacks.base import Attack, Context
from holdfast.catalogue import lazily

__all__ = ["Attack", "Context"]

__getattr__ = lazily("attacks")
