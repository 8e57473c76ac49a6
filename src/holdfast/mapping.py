"""Mappings of settings from YAML or JSON files, and fields within fields by their dotted paths."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from holdfast.errors import InputError

__all__ = ["Loader", "assign", "read"]


def assign(mapping: dict[str, Any], path: str, value: object) -> None:
    """Set a field of a nested mapping by its dotted path; a component given by name alone becomes a mapping.

    Example:
        >>> settings = {"aggregator": "krum"}
        >>> assign(settings, "aggregator.f", 2)
        >>> settings
        {'aggregator': {'name': 'krum', 'f': 2}}
    """
    *parents, last = path.split(".")
    for parent in parents:
        inner = mapping.get(parent)
        if isinstance(inner, str):
            inner = {"name": inner}
        if not isinstance(inner, dict):
            if inner is not None:
                remedy = f"Set {parent} as a whole."
                raise InputError(path, f"go through mappings, which {parent} is not", inner, remedy)
            inner = {}
        mapping[parent] = inner
        mapping = inner
    mapping[last] = copy.deepcopy(value)


class Loader(yaml.SafeLoader):
    """YAML as data, in which a key given twice is an error instead of a silent loss."""


MERGE = "tag:yaml.org,2002:merge"
"""The tag of ``<<``, which is no key itself: it names mappings whose keys stand in for those that are not given."""


def _mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value if key.tag != MERGE]
    _refuse_twice(keys, f"the mapping at line {node.start_mark.line + 1}")
    return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))


Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice([key for key, _ in pairs], "one object")
    return dict(pairs)


def _refuse_twice(keys: Sequence[object], where: str) -> None:
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(str(key), "be given once", f"{key} twice in {where}", "Remove one of them.")


def _read(path: Path) -> dict[str, Any]:
    kind = "JSON" if path.suffix.lower() == ".json" else "YAML or JSON"
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text, object_pairs_hook=_object) if kind == "JSON" else yaml.load(text, Loader=Loader)
    except OSError as error:
        remedy = "Check the path; `holdfast new FILE` writes a starter file."
        raise InputError(str(path), "be a readable file", error.strerror, remedy) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(str(path), f"be {kind}", " ".join(str(error).split()), "Mend the syntax.") from error
    if not isinstance(content, dict):
        remedy = "`holdfast new FILE` writes a starter file."
        raise InputError(str(path), "hold a mapping of fields", type(content).__name__, remedy)
    return content


def read(path: str | Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a YAML or JSON file holds; modules that it names may stand beside it.

    Args:
        path: the file.
        overrides: fields to set, as ``a.b=value`` with the value in YAML.

    Raises:
        InputError: the file cannot be read, or holds no mapping.
    """
    path = Path(path)
    content = _read(path)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not (key and equals):
            raise InputError("--set", "look like a.b=value", override, "Write --set algorithm.optimizer.lr=0.05, say.")
        try:
            assign(content, key.strip(), yaml.load(value, Loader=Loader))
        except (yaml.YAMLError, ValueError) as error:
            remedy = "Quote it, or close its brackets."
            raise InputError("--set", "have a value in YAML", override, remedy) from error
    for folder in (str(path.parent.resolve()), str(Path.cwd())):
        if folder not in sys.path:
            sys.path.append(folder)
    return {str(key): value for key, value in content.items()}
