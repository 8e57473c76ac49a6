"""Writes docs/components.md and the tables of other pages from the code; --check says if they are up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from holdfast.aggregators import Aggregator
from holdfast.algorithms import PeerAlgorithm, ServerAlgorithm
from holdfast.attacks import Attack
from holdfast.catalogue import FAMILIES, build, catalogue
from holdfast.component import Component
from holdfast.network import Network

TARGET = Path(__file__).with_name("components.md")
NETWORK = Path(__file__).with_name("network.md")
ROBUSTNESS = Path(__file__).with_name("robustness.md")
COMMUNICATION = Path(__file__).with_name("communication.md")
DECENTRALISED = Path(__file__).with_name("decentralised.md")
HEAD = """# The components

Made from the code by `python docs/generate.py`; do not edit. In an experiment file a component is its name, or a
mapping with `name` and hyperparameters; yours is `module:Class`.
"""


def default(info: FieldInfo) -> str:
    """A field's default, as an experiment file would write it."""
    value = info.get_default(call_default_factory=True)
    if info.is_required():
        return "required"
    if isinstance(value, Component):
        value = value.component_name()
    return f"`{'null' if value is None else value}`"


def section(name: str, cls: type[Component]) -> list[str]:
    """A component's summary and its hyperparameters."""
    lines = [f"### {name}", "", cls.summary(), ""]
    if cls.model_fields:
        lines += ["| hyperparameter | default | what it is |", "|---|---|---|"]
        lines += [f"| `{field}` | {default(info)} | {info.description} |" for field, info in cls.model_fields.items()]
        lines.append("")
    return lines


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for family in FAMILIES:
        lines += [f"## {family}", ""]
        for name, cls in catalogue(family).items():
            lines += section(name, cls)
    return "\n".join(lines).rstrip() + "\n"


def network_page() -> str:
    """The page on real processes, with the table at its end made anew."""
    head = "| `network:` | default | what it is |\n|---|---|---|\n"
    text = NETWORK.read_text(encoding="utf-8").partition(head)[0]
    rows = [f"| `{field}` | {default(info)} | {info.description} |" for field, info in Network.model_fields.items()]
    return text + head + "\n".join(rows) + "\n"


def needs(rule: Aggregator) -> str:
    """How many rows a rule requires, as a function of f where it depends on it.

    >>> needs(build(Aggregator, "krum"))
    'n ≥ 2f + 3'
    """
    none, one = rule.requires(0), rule.requires(1)
    if none == one:
        return f"n ≥ {one}" if one > 1 else ""
    slope = "" if one - none == 1 else one - none
    return f"n ≥ {slope}f + {none}"


def robustness_page() -> str:
    """The page on robustness, with the tables of rules and attacks at its end made anew."""
    title = "## The rules\n\n"
    lines = ["| rule | what it makes of the rows | needs | takes holes |", "|---|---|---|---|"]
    for name in catalogue("aggregators"):
        rule = build(Aggregator, name)
        holes = "yes" if rule.takes_missing else ""
        lines.append(f"| `{name}` | {rule.summary()} | {needs(rule)} | {holes} |")
    lines += ["", "## The attacks", "", "| attack | what the attackers do | must see |", "|---|---|---|"]
    for name, cls in catalogue("attacks").items():
        assert issubclass(cls, Attack)
        lines.append(f"| `{name}` | {cls.summary()} | {SEES[cls.knows]} |")
    return ROBUSTNESS.read_text(encoding="utf-8").partition(title)[0] + title + "\n".join(lines) + "\n"


def communication_page() -> str:
    """The page on communication, with the tables of algorithms, triggers and codecs at its end made anew."""
    title = "## The algorithms with a coordinator\n\n"
    lines = ["| algorithm | what it does |", "|---|---|"]
    servers = {name: cls for name, cls in catalogue("algorithms").items() if issubclass(cls, ServerAlgorithm)}
    lines += [f"| `{name}` | {cls.summary()} |" for name, cls in servers.items()]
    for family in ("triggers", "codecs"):
        lines += ["", f"## The {family}", "", f"| {family[:-1]} | what it does |", "|---|---|"]
        lines += [f"| `{name}` | {cls.summary()} |" for name, cls in catalogue(family).items()]
    return COMMUNICATION.read_text(encoding="utf-8").partition(title)[0] + title + "\n".join(lines) + "\n"


def decentralised_page() -> str:
    """The page on peers, with the tables of algorithms and graphs at its end made anew."""
    title = "## The algorithms among peers\n\n"
    peers = {name: cls for name, cls in catalogue("algorithms").items() if issubclass(cls, PeerAlgorithm)}
    lines = ["| algorithm | what it does |", "|---|---|"]
    lines += [f"| `{name}` | {cls.summary()} |" for name, cls in peers.items()]
    lines += ["", "## The graphs", "", "| graph | what it is |", "|---|---|"]
    lines += [f"| `{name}` | {cls.summary()} |" for name, cls in catalogue("topologies").items()]
    return DECENTRALISED.read_text(encoding="utf-8").partition(title)[0] + title + "\n".join(lines) + "\n"


SEES = {"own": "itself", "colluders": "the other attackers", "omniscient": "every row"}


def main() -> int:
    """0 where the pages are up to date or were written."""
    pages = {TARGET: page(), NETWORK: network_page(), ROBUSTNESS: robustness_page()}
    pages |= {COMMUNICATION: communication_page(), DECENTRALISED: decentralised_page()}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" not in sys.argv:
        for path in stale:
            path.write_text(pages[path], encoding="utf-8")
        return 0
    for path in stale:
        print(f"docs/{path.name} is out of date: run `python docs/generate.py`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
