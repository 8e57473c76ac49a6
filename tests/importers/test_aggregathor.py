"""Command lines of AggregaThor: those of its README, every argument, and mistakes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from holdfast import Experiment, load
from holdfast.catalogue import catalogue
from holdfast.cli import DONE, WRONG_INPUT, main
from holdfast.importers.aggregathor import imported, words

SHORT = "--experiment mnist --aggregator average --nb-workers 11"
CLUSTER = '{"ps": ["cpu_ps:7000"], "workers": ["cpu_worker:7000", "gpu_worker:7000"]}'
QUIET = "--evaluation-period -1 --checkpoint-period -1 --summary-period -1 --checkpoint-delta -1 --summary-delta -1"
TRAIN = f"--experiment mnist --learning-rate-args initial-rate:0.05 --aggregator average {QUIET} --evaluation-delta 100"
README = {
    "local": 'python3 runner.py --server \'{"local": ["127.0.0.1:7000"]}\' --ps-job-name local --wk-job-name local '
    f"--ev-job-name local {TRAIN} --nb-workers 4 --reuse-gpu --max-step 10000 --no-wait",
    "cluster": f"python3 runner.py --server '{CLUSTER}' --ev-job-name ps {TRAIN} --nb-workers 4 --use-gpu --no-wait",
    "datagrams": f"python3 deploy.py --cluster '{CLUSTER}' --deploy --id ps:0 --omit --MPI --UDP 1 --runner "
    + json.dumps(f"--server '{CLUSTER}' --ev-job-name ps {TRAIN} --nb-workers 4 --no-wait --MPI"),
}


def fields(text: str) -> dict[str, Any]:
    return imported(words([f"{SHORT} {text}"])).fields


def experiment(text: str) -> Experiment:
    return Experiment(**fields(text))


def notes(text: str) -> str:
    return "\n".join(imported(words([f"{SHORT} {text}"])).notes)


@pytest.mark.parametrize("name", README)
def test_the_command_lines_of_its_readme_become_files_that_load(name, tmp_path, capsys):
    assert main(["import-aggregathor", README[name], "--out", str(tmp_path / "a.yaml")]) == DONE
    told = capsys.readouterr()
    assert told.out == ""
    assert "--server" in told.err
    assert "--no-wait" in told.err
    found = load(tmp_path / "a.yaml")
    assert (found.nodes, found.rounds, found.evaluate_every, found.evaluate_period) == (4, 10_000, 100, None)
    assert found.as_mapping()["checkpoint_every"] is None
    assert found.problem.model.as_mapping() == {"name": "mlp", "hidden": [100], "dropout": 0.0}
    assert found.algorithm.optimizer.arguments() == {"lr": 0.05}
    assert (found.network.link == "best_effort") == (name == "datagrams")


def test_what_is_left_out_has_its_defaults():
    found = experiment("")
    assert (found.rounds, found.algorithm.batch_size, found.algorithm.optimizer.lr) == (10_000, 32, 1e-3)
    assert (found.evaluate_period, found.checkpoint_period, found.summary_period) == (10.0, 120.0, 30.0)
    assert [found.as_mapping()[f"{what}_every"] for what in ("evaluate", "checkpoint", "summary")] == [None] * 3
    assert (found.attack, found.partition.component_name()) == (None, "iid")
    assert not imported(words([SHORT])).notes


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("average", {"name": "mean"}),
        ("average-nan", {"name": "nan_mean"}),
        ("median", {"name": "median", "f": 2, "upper": True}),
        ("averaged-median", {"name": "mean_around_median", "f": 2}),
        *((f"krum{kind}", {"name": "multi_krum", "f": 2}) for kind in ("", "-py", "-tf", "-co")),
        *((f"bulyan{kind}", {"name": "bulyan_incremental", "f": 2}) for kind in ("", "-py", "-co")),
    ],
)
def test_every_rule(rule, expected):
    if expected["name"] not in catalogue("aggregators"):
        pytest.skip(f"{expected['name']} is not there yet")
    text = f"--aggregator {rule} --nb-decl-byz-workers 2"
    assert fields(text)["aggregator"] == expected
    assert experiment(text).aggregator.component_name() == expected["name"]


def test_cnnet_is_cifar_10_with_its_network():
    text = "--experiment cnnet --experiment-args batch-size:50 eval-batch-size:10 nb-batcher-threads:2"
    found = experiment(text)
    assert (found.problem.component_name(), found.problem.model.component_name()) == ("cifar10", "cnnet")
    assert found.algorithm.batch_size == 50
    assert "eval-batch-size, nb-batcher-threads: " in notes(text)
    assert "without the random crops" in notes(text)
    assert "preprocessing: " in notes("--experiment cnnet --experiment-args preprocessing:lenet")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sgd", {}),
        ("rmsprop", {"alpha": 0.9, "eps": 1e-10}),
        ("adam --optimizer-args adam-beta1:0.8", {"betas": (0.8, 0.999)}),
        ("adagrad", {"initial_accumulator_value": 0.1}),
        ("adagrad --optimizer-args initial-accumulator-value:0.5", {"initial_accumulator_value": 0.5}),
        ("adadelta", {"rho": 0.95, "eps": 1.0}),
        ("adadelta --optimizer-args adadelta-rho:0.9 opt-epsilon:0.5", {"rho": 0.9, "eps": 0.5}),
    ],
)
def test_every_optimiser(text, expected):
    assert experiment(f"--optimizer {text}").algorithm.optimizer.arguments() == {"lr": 1e-3, **expected}


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("fixed --learning-rate-args initial-rate:0.5", {0: 0.5, 10_000: 0.5}),
        ("polynomial", {0: 1e-3, 5000: 5.5e-4, 10_000: 1e-4, 20_000: 1e-4}),
        (
            "polynomial --learning-rate-args initial-rate:0.5 end-rate:0.1 decay-step:4 power:2",
            {0: 0.5, 2: 0.2, 4: 0.1},
        ),
        ("exponential", {0: 1e-3, 10_000: 0.96e-3, 20_000: 0.96**2 * 1e-3}),
        ("exponential --learning-rate-args initial-rate:0.5 decay-step:4 decay-rate:0.25", {0: 0.5, 2: 0.25, 4: 0.125}),
    ],
)
def test_every_learning_rate(text, rates):
    optimizer = experiment(f"--learning-rate {text}").algorithm.optimizer
    assert {round: optimizer.at(round).lr for round in rates} == pytest.approx(rates)


def test_penalties_of_which_none_is_non_positive():
    found = experiment("--l1-regularize 0.5 --l2-regularize 0.25").algorithm
    assert (found.l1, found.l2) == (0.5, 0.25)
    found = experiment("--l1-regularize 0 --l2-regularize -3").algorithm
    assert (found.l1, found.l2) == (0.0, 0.0)
    assert "√" in notes("--l2-regularize 0.25")
    assert not notes("--l2-regularize 0")


def test_declared_and_real_byzantine_workers_are_two_numbers():
    text = "--aggregator krum --nb-decl-byz-workers 3 --nb-real-byz-workers 2 --attack gaussian --attack-args std:4"
    found = experiment(text)
    assert (found.nodes, found.aggregator.f, found.attack.nodes, found.attack.std) == (11, 3, 2, 4.0)
    assert experiment("--attack gaussian --attack-args std:4").attack is None
    assert "nobody attacks" in notes("--attack gaussian")
    assert "tolerates none" in notes("--nb-decl-byz-workers 2")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("evaluation", "evaluate"), ("checkpoint", "checkpoint"), ("summary", "summary")]
)
@pytest.mark.parametrize(
    ("delta", "period", "every", "seconds"),
    [
        (100, -1, 100, None),
        (-1, 2.5, None, 2.5),
        (100, 2.5, 100, 2.5),
        (-1, -1, None, None),
        (0, -1, 1, None),
        (-1, 0, 1, None),
    ],
)
def test_every_rhythm(theirs, ours, delta, period, every, seconds):
    found = experiment(f"--{theirs}-delta {delta} --{theirs}-period {period}")
    assert found.as_mapping()[f"{ours}_every"] == every
    assert getattr(found, f"{ours}_period") == seconds


def test_a_summary_directory_of_none_is_no_summary():
    found = experiment("--summary-delta 10 --summary-dir -")
    assert (found.as_mapping()["summary_every"], found.summary_period) == (None, None)


def test_every_argument_without_a_place_has_one_note():
    text = (
        "--client x --server y --ps-job-name a --ev-job-name b --wk-job-name c --cluster d --id e --nice f g --deploy "
        "--omit --MPI --use-gpu --reuse-gpu --use-tpu --reuse-tpu --no-wait --trace --stdout-to h --stderr-to i "
        "--checkpoint-dir j --summary-dir k --evaluation-file l"
    )
    told = notes(text)
    flags = [word for word in text.split() if word.startswith("--")]
    assert all(told.count(f"{flag}{end}") <= 1 for flag in flags for end in ",:")
    assert all(f"{flag}," in told or f"{flag}:" in told for flag in flags)
    assert len(told.splitlines()) == 6
    assert fields(text) == fields("")


def test_the_fields_are_printed_and_the_notes_stand_apart(capsys):
    assert main(["import-aggregathor", *SHORT.split(), "--no-wait", "--evaluation-delta", "-1"]) == DONE
    told = capsys.readouterr()
    assert yaml.safe_load(told.out) == fields("")
    assert told.err == "--no-wait: a run ends by itself.\n"


MISTAKES = {
    "an unknown argument": (f"{SHORT} --nb-wokers 3", ["--nb-wokers", "'--nb-workers'"]),
    "an abbreviation": (f"{SHORT} --opt adam", ["--opt", "--optimizer"]),
    "a word too many": (f"mnist {SHORT}", ["mnist must be an argument"]),
    "an unknown experiment": (f"{SHORT} --experiment mnits", ["--experiment", "'mnist'"]),
    "an unknown rule": (f"{SHORT} --aggregator krumm", ["--aggregator", "'krum'"]),
    "an unknown optimiser": (f"{SHORT} --optimizer adamm", ["--optimizer", "'adam'"]),
    "an unknown learning rate": (f"{SHORT} --learning-rate cubic", ["--learning-rate", "polynomial"]),
    "an unknown attack": (
        f"{SHORT} --nb-real-byz-workers 1 --attack gausian",
        ["--attack", "'gaussian'"],
    ),
    "an unknown key": (f"{SHORT} --learning-rate-args end-rate:1", ["--learning-rate-args end-rate", "initial-rate"]),
    "an unknown key of the experiment": (f"{SHORT} --experiment-args batchsize:1", ["'batch-size'"]),
    "a key of a rule": (f"{SHORT} --aggregator-args f:1", ["--aggregator-args f"]),
    "an unknown key of the attack": (
        f"{SHORT} --nb-real-byz-workers 1 --attack gaussian --attack-args sdt:1",
        ["--attack-args.sdt", "'std'"],
    ),
    "a value that is no YAML": (
        f"{SHORT} --nb-real-byz-workers 1 --attack gaussian --attack-args std:[",
        ["--attack-args", "YAML"],
    ),
    "a key without a value": (f"{SHORT} --experiment-args batch-size", ["--experiment-args", "key:value"]),
    "a key twice": (f"{SHORT} --experiment-args batch-size:1 batch-size:2", ["key once", "batch-size:2"]),
    "a value of another type": (f"{SHORT} --experiment-args batch-size:few", ["batch-size", "int", "'few'"]),
    "no number": (f"{SHORT} --nb-workers many", ["--nb-workers", "'many'"]),
    "an infinite number": (f"{SHORT} --summary-delta inf", ["--summary-delta", "'inf'"]),
    "an argument without its value": (f"{SHORT} --optimizer", ["--optimizer", "expected one argument"]),
    "a missing argument": ("--experiment mnist --nb-workers 3", ["--aggregator must be given"]),
    "no end": (f"{SHORT} --max-step 0", ["--max-step", "at least 1"]),
    "attackers who do nothing": (f"{SHORT} --nb-real-byz-workers 1", ["--attack", "gaussian"]),
    "a rule with too few workers": (f"{SHORT} --aggregator krum --nb-decl-byz-workers 5", ["aggregator.f", "13 rows"]),
    "more attackers than workers": (
        f"{SHORT} --nb-real-byz-workers 12 --attack nan",
        ["attack.nodes", "12"],
    ),
    "fewer attackers than none": (
        f"{SHORT} --nb-real-byz-workers -1 --attack nan",
        ["--nb-real-byz-workers must be at least 0", "-1"],
    ),
    **{
        f"the {key} of the attack in another place": (
            f"{SHORT} --nb-real-byz-workers 2 --attack nan --attack-args {key}:{value}",
            [f"--attack-args {key} must be left out", f"'{value}'", f"Use {flag}."],
        )
        for key, value, flag in (("name", "zero", "--attack"), ("nodes", "5", "--nb-real-byz-workers"))
    },
    "an open quotation": (f"{SHORT} --server '", ["the command line", "quotation"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_paragraph_and_leave_no_file(mistake, tmp_path, capsys):
    text, parts = MISTAKES[mistake]
    assert main(["import-aggregathor", text, "--out", str(tmp_path / "a.yaml")]) == WRONG_INPUT
    told = capsys.readouterr().err.strip()
    assert len(told.splitlines()) == 1, told
    for part in parts:
        assert part in told, told
    assert not (tmp_path / "a.yaml").exists()


def test_no_file_is_overwritten(tmp_path, capsys):
    (tmp_path / "a.yaml").write_text("precious")
    assert main(["import-aggregathor", SHORT, "--out", str(tmp_path / "a.yaml")]) == WRONG_INPUT
    assert "--out must not exist yet" in capsys.readouterr().err
    assert (tmp_path / "a.yaml").read_text() == "precious"


def test_a_folder_that_is_not_there(tmp_path, capsys):
    assert main(["import-aggregathor", SHORT, "--out", str(tmp_path / "b" / "a.yaml")]) == WRONG_INPUT
    assert "--out must be writable" in capsys.readouterr().err


def test_help_has_an_example(capsys):
    assert main(["import-aggregathor", "--help"]) == DONE
    assert "Example: holdfast import-aggregathor" in " ".join(capsys.readouterr().out.split())
