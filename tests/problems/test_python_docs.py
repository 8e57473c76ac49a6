import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.problems import PythonDocs
from holdfast.problems.python_docs import accuracy_of_text, cross_entropy_of_text, encode
from tests.contract import PROPERTY
from tests.tiny import play, prepare, simulation

MODULE = '''"""{name}: the module."""

raise SystemExit("the module was run")

def documented():
    """
    {name}: the function
        and more of it.
    """
    "{name}: no docstring"

class Documented:
    """{name}: the class."""

    async def method(self):
        """{name}: the method."""

def shared():
    """Said everywhere."""

def silent():
    pass
'''
SMALL = {"name": "char_transformer", "layers": 1, "width": 8, "heads": 2}


def says(name):
    """The docstrings of a module, in the order in which they are read."""
    function = f"{name}: the function\n    and more of it."
    return [f"{name}: the module.", function, f"{name}: the class.", "Said everywhere.", f"{name}: the method."]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A standard library of the test's own, of any size."""
    monkeypatch.setattr("holdfast.problems.python_docs.get_path", {"stdlib": str(tmp_path)}.__getitem__)
    monkeypatch.setattr("holdfast.problems.python_docs._LEAST", 1)
    return tmp_path


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def windows(problem):
    """All windows of a problem, each with the character after it, in some order."""
    task = problem.load()
    whole = [torch.cat([x, y[:, -1:]], dim=1).tolist() for x, y in (task.train, task.test)]
    return sorted(map(tuple, whole[0] + whole[1]))


def cut(text, length):
    """The same of a text, in a plain loop."""
    codes = encode(text).tolist()
    return sorted(tuple(codes[at : at + length + 1]) for at in range(0, len(codes) - length, length))


def test_the_text_is_the_docstrings_of_the_modules_in_order_each_once(library):
    for name in ("b", "a", "package/__init__", "package/a"):
        put(library / f"{name}.py", MODULE.format(name=name))
    for left_out in ("test/a", "package/tests/a", "idlelib/a", "site-packages/a", "lib-dynload/a"):
        put(library / f"{left_out}.py", MODULE.format(name="left out"))
    put(library / "broken.py", '"""Left out."""\ndef')
    put(library / "null.py", '"""Left out."""\0')
    put(library / "notes.txt", MODULE)
    texts = dict.fromkeys(text for name in ("a", "b", "package/__init__", "package/a") for text in says(name))
    assert windows(PythonDocs(length=5)) == cut("\n\n".join(texts), 5)


def test_no_more_than_so_many_characters_are_read(library):
    put(library / "a.py", '"""' + "0123456789" * 3000 + '"""')
    put(library / "b.py", '"""' + "abcdefghij" * 3000 + '"""')
    text = "0123456789" * 3000 + "\n\n" + "abcdefghij" * 3000
    for characters in (20_000, 29_999, 30_000, 30_001, 30_002, 30_003, 45_000, 60_002, 100_000):
        assert windows(PythonDocs(characters=characters, length=7)) == cut(text[:characters], 7)


def test_a_library_without_source_files_is_an_error(tmp_path, monkeypatch):
    for folder in (tmp_path, tmp_path / "none"):
        monkeypatch.setattr("holdfast.problems.python_docs.get_path", {"stdlib": str(folder)}.__getitem__)
        with pytest.raises(InputError, match=r"find 20000 characters of Python's docstrings, but 0 was given"):
            PythonDocs().load()


@PROPERTY
@given(st.text(st.characters() | st.sampled_from("\n\r\t ~\x7f"), max_size=40))
def test_the_alphabet_against_a_plain_loop(text):
    places = [95 if c == "\n" else ord(c) - 32 if " " <= c <= "~" else 96 for c in text]
    assert encode(text).tolist() == places


@pytest.mark.parametrize("length", [6, 64, 512])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.999])
def test_whole_blocks_are_held_out(library, length, fraction):
    text = "".join(f"{number:06d}" for number in range(8333))
    put(library / "a.py", f'"""{text}"""')
    task = PythonDocs(length=length, test_fraction=fraction).load()
    codes, count = encode(text).tolist(), (len(text) - 1) // length
    where = {tuple(codes[at * length : (at + 1) * length]): at // 16 for at in range(count)}
    train, test = ({where[tuple(window)] for window in part[0].tolist()} for part in (task.train, task.test))
    assert train.isdisjoint(test)
    assert len(test) == min(max(round(fraction * len(train | test)), 1), len(train | test) - 1)
    assert len(task.train[0]) + len(task.test[0]) == count


def test_loss_and_accuracy_against_plain_loops():
    source = torch.Generator().manual_seed(1)
    outputs = torch.randn(3, 4, 5, generator=source, dtype=torch.float64)
    targets = torch.randint(5, (3, 4), generator=source)
    losses, shares = [], []
    for z_LC, y_L in zip(outputs.tolist(), targets.tolist(), strict=True):
        nats = [math.log(sum(map(math.exp, z))) - z[y] for z, y in zip(z_LC, y_L, strict=True)]
        losses.append(sum(nats) / 4)
        shares.append(sum(z[y] == max(z) for z, y in zip(z_LC, y_L, strict=True)) / 4)
    torch.testing.assert_close(cross_entropy_of_text(outputs, targets), torch.tensor(losses, dtype=torch.float64))
    assert accuracy_of_text(outputs, targets).tolist() == shares


def test_an_answer_that_is_no_number_is_wrong():
    outputs = torch.tensor([[[0.0, 1.0], [math.nan, 1.0]]])
    assert accuracy_of_text(outputs, torch.tensor([[1, 1]])).tolist() == [0.5]


def test_the_real_text_is_documentation_and_always_the_same():
    one, other = (PythonDocs(characters=20_000).load() for _ in range(2))
    assert torch.equal(one.train[0], other.train[0])
    assert torch.equal(one.test[1], other.test[1])
    shares = one.train[0].flatten().bincount(minlength=97) / one.train[0].numel()
    assert shares[encode(" ")] > 0.1
    assert shares[encode("e")] > 0.04
    assert shares[96] < 0.01


@pytest.mark.parametrize("partition", ["iid", "quantity", "label_shards", "dirichlet"])
def test_partitions_spread_the_windows_without_losing_one(partition):
    data = prepare(problem=problem(), partition=partition, nodes=5, algorithm="fedavg").data
    found = torch.cat([torch.as_tensor(shard) for shard in data.shards])
    assert sorted(found.tolist()) == list(range(len(data.train[0])))


def problem(**fields):
    return {"name": "python_docs", "characters": 20_000, "length": 16, "model": SMALL, **fields}


def federated(engine, lr, **local):
    optimizer = {"name": "sgd", "lr": lr, "momentum": 0.9}
    algorithm = {"name": "fedavg", "batch_size": 16, "optimizer": optimizer, **local}
    return {"problem": problem(), "nodes": 4, "algorithm": algorithm, "engine": engine}


def loss(sim):
    """The loss of the coordinator's model on the held-out windows."""
    return sim.run.cohort(sim.run.everyone[:1], round=1).evaluate(sim.models())["loss"].item()


def test_both_engines_train_the_same_model():
    one, other = (
        play(simulation(**federated(engine, 0.1, local_steps=3)), rounds=2) for engine in ("sequential", "stacked")
    )
    assert abs(one - other).max() < 1e-5


def test_a_federation_learns_more_than_how_often_each_character_occurs():
    sim = simulation(**federated("sequential", 0.3, local_epochs=1))
    before = loss(sim)
    play(sim, rounds=4)
    targets = sim.run.data.train[1].flatten().bincount().double()
    frequencies = targets[targets > 0] / targets.sum()
    entropy = -(frequencies * frequencies.log()).sum().item()
    assert before > entropy
    assert loss(sim) < entropy - 0.1


def test_attacks_on_labels_are_refused():
    with pytest.raises(InputError, match="suit a problem without classes"):
        prepare(problem=problem(), nodes=4, algorithm="fedavg", attack={"name": "label_flip", "nodes": 1})


def test_a_model_for_numbers_is_refused():
    with pytest.raises(InputError, match="take a batch of the problem's inputs"):
        prepare(problem=problem(model="mlp"), nodes=4, algorithm="fedavg")


@pytest.mark.parametrize(
    "wrong",
    [{"characters": 19_999}, {"length": 0}, {"length": 513}, {"test_fraction": 0}, {"test_fraction": 1}],
)
def test_fields_out_of_bounds_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        PythonDocs(**wrong)
