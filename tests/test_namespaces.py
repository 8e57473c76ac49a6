"""The cable of the tests loses what it says, and nothing of it stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from .namespaces import Pair, lossy_pair, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

LISTEN = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind((sys.argv[1], 5000))
print("ready", flush=True)
count = 0
while s.recv(1 << 16) != b"end":
    count += 1
print(count)
"""
SPEAK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[2])):
    s.sendto(sys.argv[3].encode(), (sys.argv[1], 5000))
"""


def arrived(pair: Pair, percent: int, size: int, to: int) -> int:
    """How many of 300 datagrams arrive when the cable loses that percentage."""

    def speak(count: int, text: str) -> None:
        argv = (sys.executable, "-c", SPEAK, pair.addresses[to], str(count), text)
        subprocess.run(pair.command(1 - to, *argv), check=True, timeout=30)

    listen = pair.command(to, sys.executable, "-c", LISTEN, pair.addresses[to])
    with subprocess.Popen(listen, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        listener.stdout.readline()
        pair.lose(percent)
        speak(300, "x" * size)
        pair.lose(0)
        speak(1, "end")
        return int(listener.communicate(timeout=30)[0])


@pytest.mark.parametrize("to", [0, 1])
def test_the_cable_loses_what_it_says_in_both_directions(to: int) -> None:
    with lossy_pair(100) as pair:
        assert arrived(pair, 0, 1200, to) == 300
        assert 130 < arrived(pair, 30, 1200, to) < 290  # 210 expected, and a deviation is 8
        assert arrived(pair, 100, 1200, to) == 0


def test_each_fragment_is_lost_on_its_own() -> None:
    with lossy_pair(0) as pair:
        assert arrived(pair, 30, 8000, to=1) < 90  # 6 fragments: 35 of 300 expected; hit as a whole, 210


def test_nothing_stays_after_a_failure() -> None:
    stack = ExitStack()
    pair = stack.enter_context(lossy_pair(0))
    sleep = pair.command(0, "sh", "-c", "echo asleep; exec sleep 1000")
    with subprocess.Popen(sleep, stdout=subprocess.PIPE) as sleeper:
        assert sleeper.stdout is not None
        sleeper.stdout.readline()
        stack.__exit__(RuntimeError, RuntimeError("a test failed"), None)
    assert sleeper.returncode == -signal.SIGKILL
    assert not [name for name in pair.names if (Path("/run/netns") / name).exists()]
