"""How the record says things: what a metric is called, what is better, and numbers in human units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

__all__ = [
    "COSTS",
    "KINDS",
    "byte_unit",
    "compared_by",
    "cost_unit",
    "human_bytes",
    "human_time",
    "is_counter",
    "is_share",
    "less_is_better",
    "listed",
    "quality",
    "shown",
    "title",
]

KINDS = {
    "crash": "a node stopped",
    "return": "a crashed node came back",
    "recovered": "others took over samples of a node that was gone",
    "reclaimed": "a node that came back took its samples again",
    "lost": "a message did not arrive",
    "late": "a message came after its round",
    "stale": "an update was built on an older model",
    "outpaced": "an update was not waited for: enough others were faster",
    "away": "a node went away before its update had arrived",
    "skipped": "a round had fewer rows than the rule requires",
    "nan_loss": "a node's loss was not a number",
    "diverged": "the model was no longer finite and the run stopped",
    "straggle": "a node did less than its local work",
    "unsaved": "a checkpoint could not be written",
    "absent": "a node that was asked was not there",
    "suspected": "a node did not answer: its process was gone, made no progress, or missed the deadline",
    "paused": "a round waited for nodes to come back",
    "dropped": "messages were not what they must be, and were thrown away",
    "holes": "a part of an update was lost on the way",
}
"""What the known kinds of events mean; any other kind is shown under its name alone."""

COSTS = {
    "bytes": "bytes sent and received by all nodes",
    "virtual_seconds": "virtual time",
    "samples": "samples that all nodes trained on",
}
"""What a run spends to learn, and what each is called; quality is shown against those that were recorded."""


def is_counter(metric: str) -> bool:
    """Whether the metric counts what a round used, so that no value of it is the best.

    Example:
        >>> is_counter("header_bytes_up"), is_counter("virtual_seconds"), is_counter("test_accuracy")
        (True, True, False)
    """
    return not {"bytes", "seconds", "samples", "speakers"}.isdisjoint(metric.split("_"))


def is_share(metric: str) -> bool:
    """Whether the metric is a part of a whole, to be told in per cent.

    Example:
        >>> is_share("local_accuracy"), is_share("attack_success"), is_share("test_loss")
        (True, True, False)
    """
    return metric.endswith(("accuracy", "attack_success"))


def less_is_better(metric: str) -> bool:
    """Whether a smaller value of the metric is the better one, for those whose model it is.

    Example:
        >>> less_is_better("test_loss"), less_is_better("attack_success"), less_is_better("test_accuracy")
        (True, True, False)
    """
    return metric.endswith(("loss", "error")) or metric == "attack_success" or is_counter(metric)


def quality(metrics: Iterable[str]) -> str | None:
    """The metric by which a reader compares variants first: the accuracy, or the first other test metric.

    Example:
        >>> quality(["bytes_up", "test_loss", "test_r2"])
        'test_r2'
        >>> quality(["train_loss"]) is None
        True
    """
    tests = [name for name in metrics if name.startswith("test_") and name != "test_loss"]
    return "test_accuracy" if "test_accuracy" in tests else next(iter(tests), None)


def compared_by(metrics: Iterable[str]) -> str | None:
    """The metric by which variants are ranked: the quality, or else a loss.

    Example:
        >>> compared_by(["train_loss", "test_loss"]), compared_by(["bytes_up"])
        ('test_loss', None)
    """
    metrics = list(metrics)
    return quality(metrics) or next((name for name in ("test_loss", "train_loss") if name in metrics), None)


def title(metric: str) -> str:
    """The metric's name as a heading.

    Example:
        >>> title("test_accuracy")
        'Test accuracy'
    """
    words = metric.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def shown(metric: str, value: float | None) -> str:
    """A value of the metric for a reader: per cent, bytes and times in their units, anything else with four digits.

    Example:
        >>> shown("test_accuracy", 0.91234), shown("test_loss", 0.31415926), shown("test_loss", None)
        ('91.2%', '0.3142', 'not finite')
        >>> shown("bytes_up", 12_345_678), shown("virtual_seconds", 200), shown("samples", 60_000)
        ('12.3 MB', '3 min 20 s', '60,000')
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    if is_share(metric) and 0 <= value <= 1:
        return f"{100 * value:.1f}%"
    return next((told(value) for part, told in _UNIT_WORDS.items() if part in metric.split("_")), f"{value:.4g}")


_TIMES = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_COUNTS = ((1e6, "millions"), (1e3, "thousands"), (1.0, ""))
_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"]


def byte_unit(largest: float) -> tuple[float, str]:
    """The unit in which to show amounts of data up to this one: its size in bytes, and its name.

    Example:
        >>> byte_unit(25_000)
        (1000.0, 'kB')
    """
    power = int(math.log10(largest) // 3) if largest >= 1 else 0
    power = min(power, len(_UNITS) - 1)
    return 1000.0**power, _UNITS[power]


def human_bytes(count: float) -> str:
    """An amount of data with three digits.

    Example:
        >>> human_bytes(0), human_bytes(999), human_bytes(12_345_678), human_bytes(999_999)
        ('0 B', '999 B', '12.3 MB', '1 MB')
    """
    size, unit = byte_unit(float(f"{count:.3g}"))
    return f"{float(f'{count:.3g}') / size:.6g} {unit}"


def human_time(seconds: float) -> str:
    """A time span with its two greatest units.

    Example:
        >>> human_time(0.25), human_time(8.04), human_time(200), human_time(7500)
        ('0.25 s', '8.0 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def cost_unit(cost: str, largest: float) -> tuple[float, str]:
    """The unit in which to show amounts of one of `COSTS` up to this one: its size, and its name.

    Example:
        >>> cost_unit("bytes", 25_000), cost_unit("virtual_seconds", 7500), cost_unit("samples", 60_000)
        ((1000.0, 'kB'), (3600.0, 'hours'), (1000.0, 'thousands'))
    """
    if cost == "bytes":
        return byte_unit(largest)
    units = _TIMES if cost == "virtual_seconds" else _COUNTS
    return next((size, name) for size, name in units if largest >= 2 * size or size == 1)


_UNIT_WORDS: dict[str, Callable[[float], str]] = {
    "bytes": human_bytes,
    "seconds": human_time,
    "samples": lambda value: f"{value:,.0f}",
}


def listed(parts: Iterable[str]) -> str:
    """Words in a row, the last after an "and".

    Example:
        >>> listed(["lost", "late", "stale"])
        'lost, late and stale'
    """
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
