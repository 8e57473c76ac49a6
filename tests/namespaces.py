"""Two network namespaces joined by a cable that loses packets: what only a real network can show.

The loss strikes each packet as it arrives (prerouting at -450), so the sender notices nothing, and a datagram of six
fragments is hit six times: the input hook would see it whole. TCP segments are hit one by one too, as `gso_max_segs 1`
keeps them from crossing the cable as one packet of up to 64 KiB.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

__all__ = ["Pair", "lossy_pair", "missing"]


@dataclass(frozen=True)
class Pair:
    """The two ends of the cable.

    Args:
        names: of the namespaces.
        addresses: of their ends of the cable.
    """

    names: tuple[str, str]
    addresses: tuple[str, str] = ("10.77.0.1", "10.77.0.2")

    def command(self, side: int, *argv: str) -> list[str]:
        """The command line that runs `argv` in the namespace of that side, 0 or 1."""
        return ["ip", "netns", "exec", self.names[side], *argv]

    def lose(self, percent: int) -> None:
        """Loses this percentage of the packets from now on, in both directions: 100 is a silent cut."""
        hook = "type filter hook prerouting priority -450; policy accept;"
        chance = "" if percent == 100 else f"numgen random mod 100 < {percent}"  # nft refuses `< 100`
        table = f'table inet loss {{ chain cable {{ {hook} iifname "cable" {chance} drop; }}; }}'
        rules = f"table inet loss {{}}; delete table inet loss; {table}"  # in one transaction
        for side in (0, 1):
            _run(*self.command(side, "nft", rules))


@contextmanager
def lossy_pair(percent: int) -> Iterator[Pair]:
    """Two fresh namespaces whose cable loses that percentage of packets; what runs in them at the end is killed."""
    unique = f"holdfast-{os.getpid()}-{secrets.token_hex(3)}"
    pair = Pair((f"{unique}-a", f"{unique}-b"))
    try:
        _connect(pair)
        pair.lose(percent)
        yield pair
    finally:
        for name in pair.names:
            _remove(name)


@cache
def missing() -> str | None:
    """What keeps `lossy_pair` from working here, or None."""
    if os.geteuid() != 0:
        return "Network namespaces need root."
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"The program {tool} is not installed."
    try:
        with lossy_pair(1):
            return None
    except subprocess.CalledProcessError as error:
        return f"Network namespaces cannot be made here: {error.stderr.strip()}."


def _connect(pair: Pair) -> None:
    a, b = pair.names
    for name in pair.names:
        _run("ip", "netns", "add", name)
    _run("ip", "link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b)
    for name, address in zip(pair.names, pair.addresses, strict=True):
        _run("ip", "-n", name, "addr", "add", f"{address}/30", "dev", "cable")
        _run("ip", "-n", name, "link", "set", "cable", "gso_max_segs", "1", "up")
        _run("ip", "-n", name, "link", "set", "lo", "up")


def _remove(name: str) -> None:
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
    subprocess.run(["kill", "-9", *pids], capture_output=True)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True)
