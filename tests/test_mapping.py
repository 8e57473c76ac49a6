import pytest

from holdfast.errors import InputError
from holdfast.mapping import assign, read


def test_assign_refuses_to_go_through_a_number():
    with pytest.raises(InputError, match=r"rounds\.x must go through mappings, which rounds is not"):
        assign({"rounds": 3}, "rounds.x", 1)


def test_assign_makes_the_mappings_that_are_missing():
    settings = {"codec": "top_k"}
    assign(settings, "codec.fraction", 0.1)
    assign(settings, "algorithm.optimizer.lr", 1)
    assert settings == {"codec": {"name": "top_k", "fraction": 0.1}, "algorithm": {"optimizer": {"lr": 1}}}


def test_a_key_given_twice_is_an_error_and_not_a_silent_loss(tmp_path):
    (tmp_path / "a.yaml").write_text("problem: digits\nrounds: 3\nrounds: 4\n")
    with pytest.raises(InputError, match="rounds must be given once"):
        read(tmp_path / "a.yaml")


def test_values_set_on_the_command_line_are_yaml(tmp_path):
    (tmp_path / "a.json").write_text('{"rounds": 3, "seed": 1}')
    assert read(tmp_path / "a.json", ["rounds=null", "grid.seed=[1, 2]"]) == {
        "rounds": None,
        "seed": 1,
        "grid": {"seed": [1, 2]},
    }


@pytest.mark.parametrize("value", ["[1,2", "{a: 1", "2024-13-45"])
def test_a_value_on_the_command_line_that_is_no_yaml(tmp_path, value):
    (tmp_path / "a.yaml").write_text("rounds: 3")
    with pytest.raises(InputError, match="--set must have a value in YAML") as caught:
        read(tmp_path / "a.yaml", [f"rounds={value}"])
    assert caught.value.given == f"rounds={value}"


def test_a_key_given_twice_on_the_command_line(tmp_path):
    (tmp_path / "a.yaml").write_text("rounds: 3")
    with pytest.raises(InputError, match="f must be given once"):
        read(tmp_path / "a.yaml", ["aggregator={name: krum, f: 1, f: 2}"])


def test_merge_keys_take_over_what_they_name_and_own_keys_win(tmp_path):
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {z: 4, <<: [*b, {x: 5, w: 6}]}\n"
    (tmp_path / "a.yaml").write_text(text)
    content = read(tmp_path / "a.yaml")
    assert content["b"] == {"x": 1, "y": 3}
    assert content["c"] == {"x": 1, "y": 3, "z": 4, "w": 6}


def test_a_key_given_twice_beside_a_merge_key(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: {<<: *a, y: 1, y: 2}\n")
    with pytest.raises(InputError, match="y must be given once"):
        read(tmp_path / "a.yaml")


def test_json_may_be_indented_by_tabs_and_holds_its_own_numbers(tmp_path):
    (tmp_path / "a.json").write_text('\ufeff{\n\t"lr": 1e-3,\n\t"name": "no"\n}\n', encoding="utf-8")
    assert read(tmp_path / "a.json") == {"lr": 0.001, "name": "no"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": {"rounds": 3, "rounds": 4}}', "rounds must be given once"),
        ('{"rounds": 3,}', r"a\.json must be JSON"),
        ("[1]", r"a\.json must hold a mapping"),
    ],
)
def test_json_with_a_mistake(tmp_path, text, told):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InputError, match=told):
        read(tmp_path / "a.json")
