"""What is wrong with a hyperparameter, said in one sentence that names it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from holdfast.catalogue import Choice, build
from holdfast.codecs import Codec
from holdfast.component import Component
from holdfast.errors import InputError


class Inner(BaseModel):
    depth: int = Field(1, ge=1, description="how deep, in layers")


class Thing(Component):
    """A thing.

    With more to say.
    """

    factor: float = Field(0.5, gt=0, le=1, description="what is left of each value")
    count: int = Field(3, ge=1, description="how many there are, in things")
    exact: bool = Field(False, description="whether to be exact")
    names: tuple[str, ...] = Field((), description="what they are called")
    label: str = Field("a", pattern="^[a-z]+$", description="one word")
    inner: Inner = Field(Inner(), description="what is inside")
    codec: Annotated[Codec, Choice(Codec)] | None = Field(None, description="how it is encoded")


class Needy(Component):
    """Needs something."""

    size: int = Field(description="how large, in samples")


def caught(cls: type[Component] = Thing, **fields: Any) -> InputError:
    with pytest.raises(InputError) as info:
        cls(**fields)
    assert "\n" not in str(info.value)
    return info.value


@pytest.mark.parametrize(
    ("fields", "field", "required", "remedy"),
    [
        ({"factor": 0}, "factor", "be greater than 0", "what is left of each value; left out, it is 0.5"),
        ({"factor": "much"}, "factor", "be a number", "left out, it is 0.5"),
        ({"factor": float("nan")}, "factor", "be a finite number", "left out"),
        ({"count": 1.5}, "count", "be an integer", "left out, it is 3"),
        ({"count": "three"}, "count", "be an integer", "left out, it is 3"),
        ({"count": 0}, "count", "be greater than or equal to 1", "in things"),
        ({"exact": "perhaps"}, "exact", "be true or false", "left out, it is False"),
        ({"names": "alone"}, "names", "be a list", "what they are called"),
        ({"names": ["a", 2]}, "names.1", "be a valid string", "what they are called"),
        ({"label": "A"}, "label", "match the pattern ^[a-z]+$", "one word"),
        ({"faktor": 1}, "faktor", "be a known key", "Did you mean 'factor'? Known: codec, count, exact"),
        ({"inner": {"depth": 0}}, "inner.depth", "be greater than or equal to 1", "what is inside"),
        ({"codec": "topk"}, "codec.name", "be one of the codecs", "Did you mean 'top_k'?"),
        ({"codec": {"name": "top_k", "fraction": 2}}, "codec.fraction", "be less than or equal to 1", "rounded up"),
        ({"codec": ["int8", {"name": "top_k", "x": 2}]}, "codec.1.x", "be a known key", "Known: fraction."),
        (
            {"codec": {"name": "error_feedback", "codec": {"name": "top_k", "fraktion": 0.1}}},
            "codec.codec.fraktion",
            "be a known key",
            "'fraction'",
        ),
    ],
    ids=str,
)
def test_a_mistake(fields: dict[str, Any], field: str, required: str, remedy: str) -> None:
    error = caught(**fields)
    assert error.field == field
    assert error.required.startswith(required)
    assert remedy in error.remedy
    assert str(error).startswith(f"{field} must be") or "match" in required


def test_what_is_missing_says_what_it_is() -> None:
    error = caught(Needy)
    assert str(error) == "size must be given, but None was given. It says how large, in samples."


def test_unknown_keys_of_a_plain_model_inside_are_named_with_its_own_keys() -> None:
    class Strict(BaseModel, extra="forbid"):
        depth: int = Field(1, description="how deep")

    class Holder(Component):
        """Holds."""

        inner: Strict = Field(Strict(), description="inside")
        maybe: Strict | None = Field(None, description="perhaps inside")

    for name in ("inner", "maybe"):
        error = caught(Holder, **{name: {"depht": 2}})
        assert error.field == f"{name}.depht"
        assert error.remedy == "Did you mean 'depth'? Known: depth."


def test_it_is_frozen_and_compares_by_value() -> None:
    thing = Thing(factor=0.25)
    with pytest.raises(ValidationError):
        thing.factor = 0.5  # type: ignore[misc]
    assert thing == Thing(factor=0.25) != Thing()


def test_its_name_and_summary() -> None:
    assert Thing.component_name() == f"{__name__}:Thing"
    assert Thing.summary() == "A thing."
    assert build(Codec, "top_k").component_name() == "top_k"


def test_it_survives_a_file() -> None:
    thing = Thing(factor=0.25, names=("a", "b"), codec=["top_k", "int8"], inner=Inner(depth=4))
    mapping = thing.as_mapping()
    assert mapping.pop("name") == Thing.component_name()
    assert mapping["codec"] == [{"name": "top_k", "fraction": 0.1}, build(Codec, "int8").as_mapping()]
    assert Thing(**mapping) == thing
