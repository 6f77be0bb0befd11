"""The overview: who of a desk is there with how much, what waits with which team, and what lies with somebody who isn't there."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store.clock import now
from store.staff import Member
from support import tickets
from support.routing import agents, presence, teams
from support.routing.agents import Agent
from support.routing.decision import Status
from support.routing.router import OURS
from support.routing.teams import Team

LAIN_MAX = 20


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody with this desk; `load` are their open tickets at every shop."""

    member: Member
    status: Status
    load: int
    agent: Agent
    teams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits with a team for somebody to take it; `since` is the oldest one's time."""

    team: Team
    waiting: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Lying:
    """A ticket that waits for an answer of somebody who isn't there, and was handed to them: the router leaves it."""

    ticket_id: int
    subject: str
    owner: str


@dataclass(frozen=True, slots=True)
class Overview:
    colleagues: tuple[Colleague, ...]
    queues: tuple[Queue, ...]
    lying: tuple[Lying, ...]


def of(session: Session, shop_id: int) -> Overview:
    """A desk as it is now; those who are there come first."""
    desk, found, at = teams.desk_of(session, shop_id), teams.of(session, shop_id), now(session)
    ids = [member.id for member in desk]
    settings, known, loads = agents.of(session, ids), presence.of(session, ids), agents.loads(session, ids)
    colleagues = [
        Colleague(
            one, known[one.id].status(settings[one.id], at) if one.id in known else Status.OFFLINE, loads[one.id],
            settings[one.id], tuple(team.name for team in found if team.has(one, shop_id)),
        )
        for one in desk
    ]  # fmt: skip
    gone = [one.member.id for one in colleagues if one.status is not Status.HERE]
    names = {one.id: one.name for one in desk}
    t = tickets.tickets.c
    lying = session.execute(
        select(t.id, t.subject, t.assignee_id)
        .where(t.shop_id == shop_id, t.state.in_(OURS), t.assignee_id.in_(gone))
        .order_by(t.updated_at)
        .limit(LAIN_MAX)
    )
    return Overview(
        tuple(sorted(colleagues, key=lambda one: list(Status).index(one.status))),
        tuple(_queues(session, shop_id, found)),
        tuple(Lying(row.id, row.subject, names[row.assignee_id]) for row in lying),
    )


def _queues(session: Session, shop_id: int, found: list[Team]) -> list[Queue]:
    t = tickets.tickets.c
    rows = session.execute(
        select(t.team_id, func.count(), func.min(t.created_at))
        .where(t.shop_id == shop_id, t.state.in_(OURS), t.assignee_id.is_(None))
        .group_by(t.team_id)
    )
    waiting = {team_id: (int(count), since) for team_id, count, since in rows}
    return [Queue(team, *waiting.get(team.id, (0, None))) for team in found]
