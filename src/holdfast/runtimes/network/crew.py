"""The crew: which nodes take part, with which rows and keys; who asks to join is let in or told what to mend."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from holdfast.checkpoint import digest
from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.runtimes.network.identity import COORDINATOR, Roster, parse_rows, show_rows, verify
from holdfast.runtimes.network.presence import Progress, Suspension
from holdfast.runtimes.network.seal import agree, fresh_secret
from holdfast.runtimes.network.wire import PROTOCOL, Hello, MessageError, Peer, Statement
from holdfast.types import IntArray

__all__ = ["CLOCK", "Crew", "Member", "fingerprint"]

CLOCK = 60.0
"""Seconds by which a node's clock may differ from the coordinator's."""
HELD = 10.0
"""Seconds for which a node that was let in has its rows before it is seen to be there."""
STRANGERS = 1000
"""How many names are remembered beyond one for each node, where there is no roster."""


def fingerprint(experiment: Experiment) -> str:
    """The digest of an experiment, by which two sides tell that theirs are the same."""
    return digest(json.dumps(experiment.as_mapping(), sort_keys=True))


@dataclass
class Member:
    """A node process.

    Args:
        name: its name.
        key: its public key.
        rows_K: the nodes that it hosts.
        instance: which life of the process this is.
        secret: the public half of its secret.
        progress: how it gets on.
    """

    name: str
    key: str
    rows_K: IntArray
    instance: str
    secret: str
    progress: Progress
    alive: bool = False
    ready: str = ""
    suspension: Suspension = field(default_factory=Suspension)
    admitted: float = -CLOCK


@dataclass
class Crew:
    """Who takes part.

    Args:
        nodes: how many nodes the experiment has.
        experiment: its digest.
        own: the coordinator's public key.
        roster: which key is whose; without one, the first who comes with a name has it for this run.
        roster_file: read anew when a stranger comes, so that a node can be enrolled while the run goes on.
        patience: seconds before which no progress raises no suspicion.
        unknown: the same of a node of which nothing is known yet.
    """

    nodes: int
    experiment: str
    own: str
    roster: Roster | None = None
    roster_file: Path | None = None
    patience: float = 2.0
    unknown: float = math.inf
    clock: Callable[[], float] = time.time
    members: dict[str, Member] = field(default_factory=dict)

    def verify(self, statement: Statement, body: bytes, signature: bytes) -> bool:
        """Whether a statement was signed by its sender."""
        if isinstance(statement, Hello):
            return verify(statement.key, body, signature)
        if statement.sender == COORDINATOR:
            return verify(self.own, body, signature)
        member = self.members.get(statement.sender)
        return member is not None and verify(member.key, body, signature)

    def admit(self, hello: Hello) -> Member:
        """Let a node take part.

        Raises:
            InputError: it cannot, and the error says why.
        """
        self._check_version(hello)
        self._check_key(hello)
        before = self.members.get(hello.sender)
        if before is not None and before.alive and before.instance != hello.instance:
            remedy = "Choose another name, or stop the process that has it."
            raise InputError("--node", "be a name that no running process has", hello.sender, remedy)
        same = (hello.instance, hello.key, hello.secret)
        if before is not None and (before.instance, before.key, before.secret) == same and self._keeps(before):
            return before  # it asks once more, or somebody repeats what it said
        rows_K = self._rows(hello)
        member = before or Member(hello.sender, hello.key, rows_K, "", "", Progress(self.patience, self.unknown))
        member.rows_K, member.secret, member.ready = rows_K, hello.secret, ""
        member.key, member.alive, member.instance = hello.key, before is not None and before.alive, hello.instance
        member.progress, member.admitted = Progress(self.patience, self.unknown), self.clock()
        self.members[hello.sender] = member
        return member

    def _check_version(self, hello: Hello) -> None:
        if hello.protocol != PROTOCOL:
            given = f"{hello.version} of the node, {version('holdfast')} of the coordinator"
            raise InputError("holdfast", "speak the same protocol on both sides", given, "Install the same version.")
        ahead = hello.clock - self.clock()
        if not abs(ahead) <= CLOCK:
            given = f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
            raise InputError("clock", "agree with the coordinator's to a minute", given, "Set it, with NTP say.")
        if hello.experiment is not None and hello.experiment != self.experiment:
            remedy = "Give both sides the same file and the same --set, or leave --experiment out on the node."
            raise InputError("--experiment", "be the coordinator's experiment", hello.experiment[:12], remedy)

    def _check_key(self, hello: Hello) -> None:
        if hello.sender == COORDINATOR:
            raise InputError("--node", "be another name", COORDINATOR, "That one is the coordinator's.")
        try:
            agree(fresh_secret(), hello.secret, "", hello.sender)
        except MessageError as error:
            remedy = "Start the node again; it makes a new one."
            raise InputError("secret", "be half of a key", hello.secret[:12], remedy) from error
        if self.roster is None:
            before = self.members.get(hello.sender)
            if before is not None and before.key != hello.key and before.alive:
                raise InputError("--node", "be a name that no running process has", hello.sender, "Choose another.")
            if before is None and len(self.members) >= self.nodes + STRANGERS:
                raise InputError("--node", "be one for which there is room", hello.sender, "Give --keys and a roster.")
            return
        if hello.sender not in self.roster.nodes and self.roster_file is not None:
            self.roster = Roster.load(self.roster_file)
        entry = self.roster.nodes.get(hello.sender)
        if entry is None:
            remedy = "Enrol it on the coordinator's side with `holdfast keys`."
            raise InputError("--node", "be in the roster", hello.sender, remedy)
        if entry.key != hello.key:
            remedy = "Use the folder of keys that was made for this node."
            raise InputError("--keys", f"hold the key that the roster has for {hello.sender}", hello.key[:12], remedy)

    def _rows(self, hello: Hello) -> IntArray:
        taken = self._taken(hello.sender)
        wanted = self._wanted(hello, taken)
        rows_K: IntArray = np.array(wanted, dtype=np.int64)
        if not len(rows_K) or rows_K.max() >= self.nodes:
            given = show_rows(wanted) or f"all of 0-{self.nodes - 1} taken"
            raise InputError("--rows", f"name nodes in 0..{self.nodes - 1}", given, "Choose rows that are free.")
        clash = np.intersect1d(rows_K, taken)
        if len(clash):
            raise InputError(
                "--rows", "be rows that no other process hosts", show_rows(clash.tolist()), "Choose others."
            )
        return rows_K

    def _taken(self, name: str) -> IntArray:
        """The rows that others than this node have."""
        others = [m.rows_K for m in self.members.values() if m.name != name and self._holds(m)]
        return np.concatenate(others) if others else np.zeros(0, dtype=np.int64)

    def _keeps(self, member: Member) -> bool:
        """Whether a member's rows have not become another's."""
        return not np.isin(member.rows_K, self._taken(member.name)).any()

    def _holds(self, member: Member) -> bool:
        """Whether nobody else may have a member's rows."""
        return member.alive or self.roster is not None or abs(self.clock() - member.admitted) < HELD

    def _stated(self, rows: str) -> tuple[int, ...]:
        """The rows that a node states, written out only if the experiment has them all."""
        if any(len(row) > 7 or int(row) >= self.nodes for row in re.findall("[0-9]+", rows)):
            raise InputError("--rows", f"name nodes in 0..{self.nodes - 1}", rows[:100], "Choose rows that are free.")
        return parse_rows(rows)

    def _wanted(self, hello: Hello, taken: IntArray) -> tuple[int, ...]:
        if self.roster is not None:
            own = self.roster.rows_of(hello.sender)
            wanted = self._stated(hello.rows) if hello.rows else own
            if self.roster.nodes[hello.sender].rows is not None and not set(wanted) <= set(own):
                raise InputError("--rows", f"be among those of {hello.sender} in the roster", hello.rows, "Change one.")
            return wanted
        if hello.rows:
            return self._stated(hello.rows)
        before = self.members.get(hello.sender)
        if before is not None and not np.isin(before.rows_K, taken).any():
            return tuple(before.rows_K.tolist())
        free = np.setdiff1d(np.arange(min(self.nodes, len(taken) + 1)), taken)
        return tuple(free[:1].tolist())

    # ------------------------------------------------------------ who is there

    def present(self, run: str) -> list[Member]:
        """Who is there and prepared for a run."""
        return [member for member in self.members.values() if member.alive and member.ready == run]

    def rows_present(self, run: str) -> IntArray:
        """The nodes whose processes are there, sorted."""
        rows = [member.rows_K for member in self.present(run)]
        return np.sort(np.concatenate(rows)) if rows else np.zeros(0, dtype=np.int64)

    def peers(self) -> dict[str, Peer]:
        """The keys and rows of all members, for one another; none of which another has the rows by now."""
        there = [m.rows_K for m in self.members.values() if m.alive]
        taken = np.concatenate(there) if there else np.zeros(0, dtype=np.int64)
        known = [m for m in self.members.values() if m.alive or not np.isin(m.rows_K, taken).any()]
        return {m.name: Peer(m.key, show_rows(m.rows_K.tolist())) for m in known}
