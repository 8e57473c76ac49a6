"""Rules that turn the rows of an inbox into one row, some of them robust."""

from holdfast.aggregators.base import Aggregator, PreAggregator, Robust
from holdfast.catalogue import lazily

__all__ = ["Aggregator", "PreAggregator", "Robust"]

__getattr__ = lazily("aggregators")
