"""What a benchmark of the network tells: a table, whether its targets are met, and the figures themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Aim", "Outcome"]


@dataclass(frozen=True)
class Aim:
    """A target.

    Args:
        what: what is aimed at, in words.
        least: the least value that meets it.

    Example:
        >>> Aim("at least 0.6 of a bare transfer", 0.6).verdict(0.7)
        'reached: at least 0.6 of a bare transfer (0.70)'
    """

    what: str
    least: float

    def verdict(self, value: float | None) -> str:
        """Whether a value meets it; without a value it was not measured."""
        if value is None:
            return f"not measured: {self.what}"
        return f"{'reached' if value >= self.least else 'MISSED'}: {self.what} ({value:.2f})"


@dataclass
class Outcome:
    """What came of one benchmark.

    Args:
        table: the figures, laid out.
        verdicts: a line for each target.
        figures: the same for a machine to read.
    """

    table: str
    verdicts: list[str]
    figures: dict[str, Any] = field(default_factory=dict)
