from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.record.files import plain, safe_name, write_atomically


@given(st.text(max_size=80))
def test_a_safe_name_is_one_harmless_component(name: str) -> None:
    safe = safe_name(name)
    assert safe not in ("", ".", "..")
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
    assert Path(safe).name == safe
    assert len(safe) <= 70


@given(st.lists(st.text(max_size=4), min_size=2, max_size=2, unique=True))
def test_two_names_give_two_files(names: list[str]) -> None:
    assert safe_name(names[0]) != safe_name(names[1])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_tensor_becomes_a_list() -> None:
    torch = pytest.importorskip("torch")
    assert plain({1: (torch.tensor([1.0, float("inf")]), None, True)}) == {"1": [[1.0, None], None, True]}
