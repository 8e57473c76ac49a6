"""Writes docs/components.md from the code, or with --check says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic.fields import FieldInfo

from holdfast.catalogue import FAMILIES, catalogue
from holdfast.component import Component

TARGET = Path(__file__).with_name("components.md")
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


def main() -> int:
    """0 where the page is up to date or was written."""
    if "--check" not in sys.argv:
        TARGET.write_text(page(), encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == page():
        return 0
    print("docs/components.md is out of date: run `python docs/generate.py`.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
