"""The router: gives tickets to teams and colleagues, and takes them back from who has gone. Every decision is written into the
ticket's history with all who were weighed.

A decision is made with the ticket's desk held and `presence.TURN` after it, so of an agent and the router one is first, and a
cap holds however many tickets come at once. What somebody was handed by a colleague is left with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from loyalty.customers.customers import customers
from loyalty.tiers.tiers import tier_table
from store import staff
from store.clock import now
from store.staff import Member, Right, StaffRow
from support import hooks, looks, tickets, turns
from support.drafts import drafts
from support.handling import TakenError
from support.messages import AGENT, ticket_messages
from support.routing import agents, handed, presence, rules, teams, wakes
from support.routing.agents import Agent
from support.routing.decision import Candidate, Choice, Status, Wanted, choose
from support.routing.rules import Rulebook
from support.routing.teams import Team
from support.tickets import Priority, State, Ticket, ticket_events

OURS = (State.NEW, State.OPEN)
"""It is the shop's turn."""
WRITING = timedelta(minutes=2)
"""Who wrote on an answer so short a while ago keeps the ticket."""
QUEUE_MAX = 1000
"""Tickets of a queue that one look weighs."""
BATCH = 10
"""Tickets that one work gives away."""
ROUTED, ASSIGNED, TEAMED = "routed", "assigned", "teamed"
_URGENCY = {priority.value: -place for place, priority in enumerate(Priority)}


@dataclass(frozen=True, slots=True)
class Trial:
    """Where a ticket would go: by which rule (None: none fits) to which team, and whom of it."""

    rule: rules.Rule | None
    team: Team
    choice: Choice


class Crew:
    """Who works at a desk, as it is now: the rulebook, and who could be given something."""

    def __init__(self, session: Session, shop_id: int, book: Rulebook) -> None:
        self.book = book
        self._shop_id = shop_id
        self._desk = teams.desk_of(session, shop_id)
        self._at = now(session)
        ids = [member.id for member in self._desk]
        self._presence, settings, loads = presence.of(session, ids), agents.of(session, ids), agents.loads(session, ids)
        self._candidates = {one.id: self._candidate(one, settings[one.id], loads[one.id]) for one in self._desk}

    def of(self, team: Team) -> list[Candidate]:
        """The members of a team who have this desk."""
        return [self._candidates[one.id] for one in self._desk if team.has(one, self._shop_id)]

    def stays(self, owner: int, before: "_Past") -> bool:
        """Whether a ticket is left with its owner: they are there, or not yet gone for good, or it was handed to them. Of
        somebody who no longer has this desk nothing is left.
        """
        return owner in self._candidates and (before.handed or owner in self.holding())

    def holding(self) -> list[int]:
        """Whose tickets are in hands."""
        known = self._presence
        return [
            one.staff_id for one in self._candidates.values()
            if one.status is Status.HERE
            or (one.staff_id in known and (known[one.staff_id].leave_at or self._at) > self._at)
        ]  # fmt: skip

    def leaving(self, session: Session, owner: int | None) -> dict[str, str]:
        """For the history: whom a ticket is taken from, and why."""
        if owner is None:
            return {}
        known = self._candidates.get(owner)
        name = known.name if known else session.execute(select(StaffRow.name).where(StaffRow.id == owner)).scalar_one()
        return {"from": name, "why": known.status.value if known else "left"}

    def gave(self, session: Session, staff_id: int) -> None:
        """One ticket more for a colleague."""
        one = self._candidates[staff_id]
        self._candidates[staff_id] = replace(one, load=one.load + 1, given_at=self._at)
        presence.given(session, staff_id)

    def _candidate(self, member: Member, agent: Agent, load: int) -> Candidate:
        known = self._presence.get(member.id)
        return Candidate(
            member.id, member.name, known.status(agent, self._at) if known else Status.OFFLINE, load, agent.cap,
            agent.topics, agent.languages, agent.tiers, known.given_at if known else None,
        )  # fmt: skip


# ── What others ask for ────────────────────────────────────────────────────────────────────────────


def route(session: Session, ticket_id: int) -> int | None:
    """See that a ticket is in hands: one that nobody looks after goes to a team and, where one can take it now, to a colleague;
    whose owner has gone moves on. Nothing happens where it isn't the shop's turn or the shop has no team. Who looks after it.
    """
    return _route(session, tickets.hold(session, ticket_id))


def hand(session: Session, ticket_id: int, member: Member, team_id: int) -> None:
    """Hand a ticket to a team, whatever the rules say: it goes to a colleague of theirs, or waits for one. As with
    handling.assign, others' tickets only a supervisor may hand on. Raises NotFoundError (ticket, team), TakenError.
    """
    ticket = tickets.hold(session, ticket_id, member)
    team = teams.get(session, ticket.shop_id, team_id)
    owner = ticket.assignee_id
    if owner not in {None, member.id} and not member.may(Right.SUPERVISE, ticket.shop_id):
        names = {one.id: one.name for one in staff.every(session)}
        raise TakenError(ticket_id, owner or 0, names.get(owner or 0, ""))
    tickets.log(session, ticket, TEAMED, member.id, team=team.name, team_id=team.id)
    tickets.write(session, ticket, assignee_id=None)
    ticket = tickets.get(session, ticket_id)
    if owner is not None:
        for told in hooks.ASSIGNED:
            told(session, ticket, owner, member.id)
    _route(session, ticket, anew=True)


def trial(session: Session, shop_id: int, topic: str, language: str, tier_id: int | None) -> Trial | None:
    """Where a ticket would go now, and why; nothing is changed. None where the shop has no team."""
    book = rules.book(session, shop_id)
    if book is None:
        return None
    rule, team = book.of(topic, language, tier_id)
    return Trial(rule, team, choose(Wanted(topic, language, tier_id), Crew(session, shop_id, book).of(team)))


# ── What happens to tickets (support.hooks) ────────────────────────────────────────────────────────


def opened(session: Session, ticket: Ticket) -> None:
    """A ticket that a colleague opened may lie there without a word of the customer's."""
    if ticket.assignee_id is None:
        wakes.desk(session, ticket.shop_id)


def customer_said(session: Session, ticket: Ticket, _message_id: int, _text: str) -> None:
    """The customer waits: whoever has the ticket must be there, else somebody else gets it."""
    _route(session, ticket)


def state_changed(session: Session, ticket: Ticket, _before: str, _by: int | None) -> None:
    """What is out of hands makes room for the next; what came back may need other hands."""
    if ticket.state in OURS:
        wakes.desk(session, ticket.shop_id)
    elif ticket.state not in tickets.AWAKE and ticket.assignee_id is not None:
        wakes.desks_of(session, ticket.assignee_id)


def assigned(session: Session, ticket: Ticket, before: int | None, by: int) -> None:
    """Who takes a ticket is at it, who handed one on has room again, what was put back for all waits."""
    if ticket.assignee_id == by:
        presence.acted(session, by)
    if before is not None:
        wakes.desks_of(session, before)
    if ticket.assignee_id is None:
        wakes.desk(session, ticket.shop_id)


# ── The clock ──────────────────────────────────────────────────────────────────────────────────────


def drain_due(session: Session) -> int:
    """Look at the next desk whose queue is due; 0 where none is."""
    shop_id = wakes.first_due(session)
    if shop_id is None:
        return 0
    turns.take(session, f"desk:{shop_id}")
    wakes.take(session, shop_id)
    if drain(session, shop_id) == BATCH:
        wakes.desk(session, shop_id)
    return 1


def drain(session: Session, shop_id: int, limit: int = BATCH) -> int:
    """Give what waits at a desk: the most urgent first, of these the best customers', of these the oldest. How many it gave."""
    book = rules.book(session, shop_id)
    if book is None:
        return 0
    turns.take(session, f"desk:{shop_id}")
    turns.take(session, presence.TURN)
    crew, given = Crew(session, shop_id, book), 0
    waiting = _waiting(session, shop_id, crew)
    past = _past(session, [ticket.id for ticket, _ in waiting])
    for ticket, tier_id in waiting:
        before = past.get(ticket.id, _Past())
        if ticket.assignee_id is not None:
            if crew.stays(ticket.assignee_id, before) or _writes(session, ticket):
                continue
        elif (
            choose(Wanted(ticket.topic, ticket.language, tier_id), crew.of(_team(book, ticket, tier_id, before))).to
            is None
        ):
            continue
        given += _decide(session, tickets.hold(session, ticket.id), crew, tier_id, before) is not None
        if given == limit:
            break
    return given


def leave_due(session: Session) -> int:
    """Move on what waits for an answer of the next colleague who has gone, one desk at a time; 0 where nobody has."""
    due = presence.first_to_leave(session)
    if due is None:
        return 0
    staff_id, leave_at = due
    t = tickets.tickets.c
    mine = session.execute(
        select(t.id, t.shop_id).where(t.assignee_id == staff_id, t.state.in_(OURS)).order_by(t.shop_id, t.id)
    ).all()
    writes = False
    for shop_id in dict.fromkeys(row.shop_id for row in mine):
        book = rules.book(session, shop_id)
        if book is None:
            continue
        crew, ids = Crew(session, shop_id, book), [row.id for row in mine if row.shop_id == shop_id]
        past = _past(session, ids)
        leaving = [one for one in ids if not crew.stays(staff_id, past.get(one, _Past()))]
        moving = [one for one in leaving if not _writes(session, tickets.get(session, one))]
        writes = writes or len(moving) < len(leaving)
        if moving:
            # The next desk is looked at in a work of its own: none holds two.
            turns.take(session, f"desk:{shop_id}")
            for one in moving[:BATCH]:
                _route(session, tickets.hold(session, one))
            return 1
    presence.left(session, staff_id, leave_at, now(session) + WRITING if writes else None)
    return 1


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _route(session: Session, ticket: Ticket, *, anew: bool = False) -> int | None:
    """As `route`, of a ticket that is held; `anew`: that it waits is news, even if it waited before."""
    if ticket.state not in OURS or not teams.on(session, ticket.shop_id):
        return ticket.assignee_id
    owner = ticket.assignee_id
    if owner is not None and presence.status(session, owner) is Status.HERE:
        return owner
    turns.take(session, presence.TURN)
    book = rules.book(session, ticket.shop_id)
    assert book is not None
    crew, before = Crew(session, ticket.shop_id, book), _past(session, [ticket.id]).get(ticket.id, _Past())
    if owner is not None:
        if crew.stays(owner, before):
            return owner
        if _writes(session, ticket):
            wakes.desk(session, ticket.shop_id, now(session) + WRITING)
            return owner
    tier_id = session.execute(select(customers.c.tier_id).where(customers.c.id == ticket.customer_id)).scalar()
    return _decide(session, ticket, crew, tier_id, before, anew=anew)


def _decide(
    session: Session, ticket: Ticket, crew: Crew, tier_id: int | None, before: "_Past", *, anew: bool = False
) -> int | None:
    """Choose for a held ticket, and write it down where that is news; whose it is now."""
    team = _team(crew.book, ticket, tier_id, before)
    wanted = Wanted(ticket.topic, ticket.language, tier_id, _last(session, ticket.customer_id), before.gave_back)
    choice, owner = choose(wanted, crew.of(team)), ticket.assignee_id
    to = choice.to
    if to is None and owner is None and ticket.team_id == team.id and not anew:
        return None
    tickets.write(session, ticket, assignee_id=to.staff_id if to else None, team_id=team.id)
    tickets.log(
        session, ticket, ROUTED, None, team=team.name, team_id=team.id, to=to.staff_id if to else None,
        name=to.name if to else None, again=choice.again, **crew.leaving(session, owner),
        candidates=[
            {
                "id": one.candidate.staff_id, "name": one.candidate.name, "load": one.candidate.load,
                "cap": one.candidate.cap, "why_not": one.why_not,
            }
            for one in choice.weighed
        ],
    )  # fmt: skip
    if to is None:
        return None
    crew.gave(session, to.staff_id)
    handed.tell(session, ticket, to.staff_id)
    return to.staff_id


def _team(book: Rulebook, ticket: Ticket, tier_id: int | None, before: "_Past") -> Team:
    """The team that a colleague chose, else the rules' one."""
    chosen = book.teams.get(before.team_id or 0)
    return chosen or book.of(ticket.topic, ticket.language, tier_id)[1]


def _last(session: Session, customer_id: int) -> int | None:
    """Who answered this customer last, in whichever ticket."""
    m, t = ticket_messages.c, tickets.tickets.c
    return session.execute(
        select(m.staff_id)
        .join(tickets.tickets, t.id == m.ticket_id)
        .where(t.customer_id == customer_id, m.who == AGENT)
        .order_by(m.id.desc())
        .limit(1)
    ).scalar()


def _waiting(session: Session, shop_id: int, crew: Crew) -> list[tuple[Ticket, int | None]]:
    """Tickets of a desk whose owner, if any, isn't there, each with the customer's tier; in the order they are given."""
    t, c = tickets.tickets.c, customers.c
    fields = [t[name] for name in Ticket.__dataclass_fields__]
    urgency = case(_URGENCY, value=t.priority, else_=_URGENCY[Priority.NORMAL])
    rows = session.execute(
        select(*fields, c.tier_id)
        .join(customers, c.id == t.customer_id)
        .outerjoin(tier_table, tier_table.c.id == c.tier_id)
        .where(
            t.shop_id == shop_id, t.state.in_(OURS),
            or_(t.assignee_id.is_(None), t.assignee_id.not_in(crew.holding())),
        )
        .order_by(urgency, func.coalesce(tier_table.c.priority, 0).desc(), t.created_at, t.id)
        .limit(QUEUE_MAX)
    )  # fmt: skip
    return [(Ticket(*row[:-1]), row[-1]) for row in rows]


@dataclass(frozen=True, slots=True)
class _Past:
    """What a ticket's history says: the team that a colleague chose for it, how its owner came to it, who put it back."""

    team_id: int | None = None
    handed: bool = False
    gave_back: int | None = None


def _past(session: Session, ticket_ids: Sequence[int]) -> dict[int, _Past]:
    e, found = ticket_events.c, dict[int, _Past]()
    rows = session.execute(
        select(e.ticket_id, e.kind, e.staff_id, e.data)
        .where(e.ticket_id.in_(ticket_ids), e.kind.in_((ROUTED, ASSIGNED, TEAMED)))
        .order_by(e.ticket_id, e.seq)
    )
    for ticket_id, kind, by, data in rows:
        before = found.get(ticket_id, _Past())
        if kind == TEAMED:
            found[ticket_id] = _Past(data["team_id"], gave_back=by)
        elif kind == ROUTED:
            found[ticket_id] = _Past(before.team_id)
        else:
            to = data["to"]
            found[ticket_id] = _Past(before.team_id, to not in {None, by}, by if to is None else None)
    return found


def _writes(session: Session, ticket: Ticket) -> bool:
    """Whether its owner is writing in a ticket at the moment, or was until a short while ago."""
    since, own = now(session) - WRITING, ticket.assignee_id
    kept = select(drafts.c.at).where(
        drafts.c.staff_id == own, drafts.c.ticket_id == ticket.id, drafts.c.at > since
    )  # fmt: skip
    typed = select(looks.looks.c.ticket_id).where(
        looks.looks.c.staff_id == own, looks.looks.c.ticket_id == ticket.id, looks.looks.c.typing_until > since
    )
    return session.execute(kept.limit(1)).first() is not None or session.execute(typed.limit(1)).first() is not None
