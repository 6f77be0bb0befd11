"""The decision: who of a team gets a ticket, and why each of the others doesn't. Pure: facts in, the choice out."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Status(StrEnum):
    """Whether a colleague is there for customers."""

    HERE = "here"
    AWAY = "away"
    """They said so."""
    OFF_SHIFT = "off_shift"
    OFFLINE = "offline"


class WhyNot(StrEnum):
    """Why a candidate can't have a ticket, beside a Status that isn't HERE."""

    GAVE_BACK = "gave_back"
    """They have just put this ticket back for the others."""
    TOPIC = "topic"
    LANGUAGE = "language"
    TIER = "tier"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a ticket asks of who looks after it. `last` answered this customer the time before; `but` may not have it."""

    topic: str
    language: str
    tier_id: int | None
    last: int | None = None
    but: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of a team. `load` is their open tickets at every shop; empty skills mean all. `given_at`: when work last came."""

    staff_id: int
    name: str
    status: Status
    load: int
    cap: int
    topics: Collection[str] = ()
    languages: Collection[str] = ()
    tiers: Collection[int] = ()
    given_at: datetime | None = None

    def why_not(self, wanted: Wanted) -> str | None:
        """What keeps this ticket from them; None: nothing."""
        if self.staff_id == wanted.but:
            return WhyNot.GAVE_BACK
        if self.status is not Status.HERE:
            return self.status
        if self.topics and wanted.topic not in self.topics:
            return WhyNot.TOPIC
        if self.languages and wanted.language not in self.languages:
            return WhyNot.LANGUAGE
        if self.tiers and wanted.tier_id not in self.tiers:
            return WhyNot.TIER
        return WhyNot.FULL if self.load >= self.cap else None


@dataclass(frozen=True, slots=True)
class Weighed:
    """A candidate as the decision saw them."""

    candidate: Candidate
    why_not: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Who gets it (None: it waits), whether because they answered last time, and everybody who was weighed, the best first."""

    to: Candidate | None
    again: bool
    weighed: tuple[Weighed, ...]


def choose(wanted: Wanted, candidates: Sequence[Candidate]) -> Choice:
    """Of those whom nothing keeps from it: who answered this customer last, else who has the fewest open tickets, of these
    who waited longest for work.
    """
    weighed = sorted(
        (Weighed(one, one.why_not(wanted)) for one in candidates),
        key=lambda one: (
            one.why_not is not None, one.candidate.load, one.candidate.given_at or EPOCH, one.candidate.staff_id,
        ),
    )  # fmt: skip
    free = [one.candidate for one in weighed if one.why_not is None]
    known = next((one for one in free if one.staff_id == wanted.last), None)
    return Choice(known or (free[0] if free else None), known is not None, tuple(weighed))
