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
