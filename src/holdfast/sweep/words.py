"""What came out of a sweep, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from holdfast.record.wording import less_is_better, listed, shown, title
from holdfast.sweep.results import Record
from holdfast.sweep.robust import Breakdown, mean_and_spread, over_seeds
from holdfast.sweep.views import View, in_order

__all__ = ["beyond", "verdict"]

MOST_PANELS = 3
"""Of more combinations of the other axes, the verdict tells the first ones."""


def verdict(view: View | None, records: Sequence[Record]) -> str:
    """What came out, in one paragraph.

    Args:
        view: the sweep by its metric; None where no cell was measured.
        records: what came out of each cell.

    Example:
        >>> verdict(None, [Record({"seed": "1"}, "failed"), Record({"seed": "2"}, "waiting")])
        'Of 2 cells, 1 failed and 1 is still to be run. No cell was measured.'
    """
    sentences = [_counts(records)]
    if view is None:
        return " ".join([*sentences, "No cell was measured."])
    told = list(view.breakdowns())
    sentences += [_breakdowns(view, panel, found) for panel, found in told[:MOST_PANELS]]
    sentences += [f"The tables tell of all {len(told)} combinations."] if len(told) > MOST_PANELS else []
    sentences += [] if told else [_extremes(view)]
    return " ".join(sentences)


def _counts(records: Sequence[Record]) -> str:
    counts = Counter(record.status for record in records)
    words = {
        "done": "came to {their} end",
        "diverged": "diverged",
        "impossible": "{are} impossible for {their} rule",
        "failed": "failed",
        "interrupted": "{were} interrupted",
        "waiting": "{are} still to be run",
    }
    if counts["done"] == len(records):
        return "The only cell came to its end." if len(records) == 1 else f"All {len(records)} cells came to their end."
    several = {"their": "their", "are": "are", "were": "were"}
    single = {"their": "its", "are": "is", "were": "was"}
    parts = [
        f"{counts[status]} {text.format(**(single if counts[status] == 1 else several))}"
        for status, text in words.items()
        if counts[status]
    ]
    return f"Of {len(records)} cells, {listed(parts)}."


def _breakdowns(view: View, panel: str, found: Sequence[Breakdown]) -> str:
    """Which rules hold up to which f, the strongest first."""
    f, groups = view.roles.f, dict[str | None, list[str]]()
    assert f is not None
    for each in found:
        groups.setdefault(each.holds, []).append(_rule(view, each))
    order = [*reversed(in_order(f)), None]
    ranked = [(label, groups[label]) for label in order if label in groups]
    parts = [
        f"{f'up to {f.name} = {label}' if label else f'at no {f.name}'} {listed(rules)}" for label, rules in ranked
    ]
    case = "under the worst attack " if view.roles.attack else ""
    start = f"With {panel}, at" if panel else "At"
    return f"{start} least {100 * view.keep:g}% of the quality is left {case}{'; '.join(parts)}."


def _rule(view: View, found: Breakdown) -> str:
    notes = {"diverged": "diverges beyond", "impossible": "cannot be run beyond", "quality": "", "": ""}
    value = shown(view.metric, found.value.mean) if found.value else ""
    note = notes.get(found.why, "not measured beyond")
    told = ", ".join(word for word in (value, note) if word)
    return f"{found.rule} ({told})" if told else found.rule


def beyond(view: View, found: Breakdown) -> str:
    """What happens to a rule at the first f at which it does not hold."""
    if found.at is None:
        return "nothing greater was swept"
    at = f"{view.roles.f.name if view.roles.f else 'f'} = {found.at}"
    words = {
        "quality": f"at {at} less than {100 * view.keep:g}% of the quality is left",
        "diverged": f"at {at} the model diverges",
        "impossible": f"{at} is more than the rule can be run with",
    }
    return words.get(found.why, f"{at} was not measured ({found.why})")


def _extremes(view: View) -> str:
    """The best and the worst cells."""
    axes = [axis.name for axis in view.ranked]
    tiles = {key: t for key, t in over_seeds(view.records, axes, view.metric).items() if t.status == "done"}
    if not tiles:
        return f"No cell ends with a finite {title(view.metric).lower()}."
    ranked = sorted(tiles, key=lambda key: tiles[key].mean, reverse=not less_is_better(view.metric))

    def told(key: tuple[str, ...]) -> str:
        cell = ", ".join(f"{axis} = {label}" for axis, label in zip(axes, key, strict=True))
        return f"{mean_and_spread(tiles[key], view.metric)} ({cell})"

    name = title(view.metric).lower()
    worst = f", and the worst is {told(ranked[-1])}" if len(ranked) > 1 else ""
    return f"The best {name} is {told(ranked[0])}{worst}."
