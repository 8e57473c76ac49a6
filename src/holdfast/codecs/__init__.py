"""How rows become fewer bytes, and rows again."""

from holdfast.catalogue import lazily
from holdfast.codecs.base import Codec, Payload

__all__ = ["Codec", "Payload"]

__getattr__ = lazily("codecs")
