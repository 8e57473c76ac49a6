"""How real processes play their rounds: whom the coordinator waits for, how long, and over which link."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from holdfast.component import Settings

__all__ = ["Network"]


class Network(Settings):
    """What an experiment says of its network; a simulation, in which nobody is away, takes no notice of it.

    A round closes when every node asked has answered or is suspected, or at a quorum of answers after the deadline.

    Example:
        >>> Network(quorum=0.8, deadline=30).link
        'reliable'
    """

    min_nodes: int | None = Field(
        None,
        ge=1,
        description="how many nodes must be present for a round; without it all of them for the first round, and later "
        "as many as the rule requires",
    )
    quorum: float = Field(0.5, gt=0, le=1, description="the share of answers that is enough after the deadline")
    deadline: float = Field(60.0, gt=0, description="seconds after which a round closes with a quorum")
    link: Literal["reliable", "best_effort"] = Field(
        "reliable",
        description="how updates travel: over TCP or TLS, or in encrypted UDP datagrams of which what is lost is "
        "missing from the row",
    )
    rate: float = Field(
        20.0, gt=0, description="megabytes a second that all nodes together send at most over best-effort links"
    )
    lease: float = Field(1.0, gt=0.1, le=60, description="seconds of silence after which a link counts as cut")
    patience: float = Field(2.0, gt=0, description="seconds without progress before which no node at work is suspected")
