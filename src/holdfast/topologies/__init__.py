"""Who talks to whom: graphs and their mixing weights."""

from holdfast.catalogue import lazily
from holdfast.topologies.base import Topology

__all__ = ["Topology"]

__getattr__ = lazily("topologies")
