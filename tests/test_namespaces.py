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
sys.stdin.readline()
s.setblocking(False)
count = 0
while True:
    try:
        s.recv(1 << 16)
    except BlockingIOError:
        break
    count += 1
print(count)
"""
SPEAK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(300):
    s.sendto(b"x" * int(sys.argv[2]), (sys.argv[1], 5000))
"""


def arrived(pair: Pair, size: int, to: int) -> int:
    """How many of 300 datagrams arrive; a veth delivers before the sender's call returns, so nothing is awaited."""
    listen = pair.command(to, sys.executable, "-c", LISTEN, pair.addresses[to])
    with subprocess.Popen(listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
        assert listener.stdout is not None
        listener.stdout.readline()
        speak = pair.command(1 - to, sys.executable, "-c", SPEAK, pair.addresses[to], str(size))
        subprocess.run(speak, check=True, timeout=30)
        return int(listener.communicate("count\n", timeout=30)[0])


def test_the_cable_loses_what_it_says_in_both_directions() -> None:
    with lossy_pair(0) as pair:
        assert arrived(pair, 1200, to=1) == 300
        pair.lose(30)
        for to in (0, 1):
            assert 150 < arrived(pair, 1200, to) < 270  # 210 expected, and a deviation is 8
        pair.lose(100)
        assert arrived(pair, 1200, to=0) == 0
        pair.lose(0)
        assert arrived(pair, 1200, to=0) == 300


def test_each_fragment_is_lost_on_its_own() -> None:
    with lossy_pair(30) as pair:
        assert arrived(pair, 8000, to=1) < 75  # 6 fragments: 35 of 300 expected; hit as a whole, 210


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
