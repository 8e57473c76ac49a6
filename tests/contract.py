"""What the tests of every family share: how to run a property, and what any component promises."""

from __future__ import annotations

import pytest
from hypothesis import settings
from pydantic import ValidationError

from holdfast.catalogue import build
from holdfast.component import Component
from holdfast.errors import InputError

PROPERTY = settings(deadline=None, max_examples=60, derandomize=True)


def check_component(cls: type[Component], base: type[Component]) -> None:
    """Documented, buildable from its name alone, frozen, strict, and the same after a trip through a file."""
    assert cls.__doc__, "no docstring"
    assert cls.summary().endswith("."), "the first line is not one sentence"
    assert ">>>" in cls.__doc__, "no example"
    for name, field in cls.model_fields.items():
        assert field.description, f"{name} has no description"
        assert not field.is_required(), f"{name} has no default"
    component = build(base, cls.component_name())
    assert type(component) is cls
    assert build(base, component.as_mapping()) == component
    assert cls.model_json_schema()["type"] == "object"
    with pytest.raises(InputError, match="known key"):
        build(base, {"name": cls.component_name(), "no_such_field": 1})
    for name in list(cls.model_fields)[:1]:
        with pytest.raises(ValidationError):
            setattr(component, name, None)
