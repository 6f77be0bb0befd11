"""Grading: the level of a complaint, what it is judged by, and what a grave one sets off."""

from dataclasses import asdict
from datetime import timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from loyalty.orders import orders
from loyalty.orders.orders import Status
from loyalty.tiers import qualification
from store import audit
from store.clock import now
from store.errors import InvalidError
from store.prepared import Prepared
from store.staff import Member
from support import tickets
from support.complaints import complaints, severity, team, terms
from support.complaints.complaints import Complaint
from support.complaints.severity import Case, Fact, Level, Why
from support.messages import CUSTOMER, ticket_messages
from support.tickets import Priority, Ticket

RECENT_ORDER = timedelta(days=30)
"""How old an order may be whose value counts for the level."""
MESSAGES_READ = 20
_PRIORITIES = {Level.S1: Priority.URGENT, Level.S2: Priority.HIGH}
_ORDER = list(Priority)
_m = ticket_messages.c
_WORDS = Prepared(
    select(_m.text)
    .where(_m.ticket_id.in_((bindparam("ticket"), bindparam("also"))), _m.who == CUSTOMER, _m.text != "")
    .order_by(_m.id)
    .limit(MESSAGES_READ)
)


def hear(session: Session, ticket: Ticket, known: Complaint) -> None:
    """The customer said more: what they wrote in all may raise the level, never lower it, nor what somebody set."""
    if known.set_by is not None or known.closed_at is not None:
        return
    judged = severity.judge(case_of(session, ticket, known.repeats))
    seen = {fact.why for fact in known.facts}
    facts = (*known.facts, *(fact for fact in judged.facts if fact.why not in seen))
    if facts == known.facts:
        return
    level = min(known.level, judged.level)
    complaints.put(session, ticket, level=int(level), judged=int(level), facts=[asdict(fact) for fact in facts])
    if level < known.level:
        leveled(session, ticket, known.level, level, None, facts[-1].why.value)


def raise_for(session: Session, ticket: Ticket, known: Complaint, why: Why, said: str) -> Complaint:
    """Raise a complaint by one level for a reason that came later; its ticket is held."""
    level = severity.higher(known.level)
    facts = [*(asdict(fact) for fact in known.facts if fact.why != why), asdict(Fact(why, said))]
    if level < known.level:
        leveled(session, ticket, known.level, level, None, why.value)
    return complaints.put(session, ticket, level=int(level), facts=facts)


def relevel(session: Session, ticket_id: int, member: Member, level: int, reason: str) -> Complaint:
    """Set another level, with the reason. Raises InvalidError, ComplaintOverError, NotFoundError."""
    ticket, known = complaints.held(session, ticket_id, member)
    if level not in set(Level):
        raise InvalidError("level", "unknown", level)
    if level == known.level:
        return known
    reason = complaints.words_of("reason", reason, complaints.REASON_CHARS_MAX)
    complaints.put(session, ticket, level=level, set_by=member.id, set_reason=reason)
    audit.record(
        session, f"staff:{member.id}", "complaint_level", ticket.shop_id, ticket=ticket_id, before=int(known.level),
        after=level, reason=reason,
    )  # fmt: skip
    leveled(session, ticket, known.level, Level(level), member.id, reason)
    return complaints.get(session, ticket_id)


def leveled(session: Session, ticket: Ticket, before: Level, level: Level, by: int | None, reason: str) -> None:
    tickets.log(session, ticket, "complaint_level", by, before=int(before), level=int(level), reason=reason)
    if level < before:
        weigh(session, ticket, level)
    else:
        write_severity(session, ticket, level)


def write_severity(session: Session, ticket: Ticket, level: Level) -> None:
    tickets.write(session, ticket, severity=int(level))


def weigh(session: Session, ticket: Ticket, level: Level) -> None:
    """A grave one hurries, and the supervisors hear of it at once; the gravest has one of them as its owner."""
    write_severity(session, ticket, level)
    wanted = _PRIORITIES.get(level)
    fresh = tickets.get(session, ticket.id)
    if wanted is None:
        return
    if _ORDER.index(wanted) > _ORDER.index(Priority(fresh.priority)):
        tickets.log(session, ticket, "priority", None, priority=wanted.value, before=fresh.priority)
        tickets.prioritise(session, fresh, wanted.value, None)
    if level == Level.S1 and fresh.assignee_id is None and (owner := team.least_busy(session, ticket.shop_id)):
        tickets.write(session, ticket, assignee_id=owner.id)
        tickets.log(session, ticket, "assigned", None, to=owner.id)
    for one in team.supervisors(session, ticket.shop_id):
        team.tell(
            session,
            "complaint_grave",
            one.id,
            ticket,
            replaces=f"complaint_grave:{ticket.id}:{one.id}",
            level=int(level),
        )


def case_of(session: Session, ticket: Ticket, repeats: int | None, also: int | None = None) -> Case:
    """What is known of a ticket's complaint now; the words of the ticket `also` count too."""
    at = now(session)
    said = [text for (text,) in _WORDS(session, ticket=ticket.id, also=also or ticket.id)]
    recent = [
        order.total for order in orders.of_customer(session, ticket.customer_id, 5)
        if order.status in {Status.COMPLETED, Status.PENDING} and order.placed_at >= at - RECENT_ORDER
    ]  # fmt: skip
    ladder, rule = qualification.rules(session)
    tier = qualification.among(session, ticket.customer_id, ladder, rule).tier
    rank = [one.id for one in ladder].index(tier.id)
    return Case(
        "\n".join(said), order_value=recent[0] if recent else 0, tier=tier.name, rank=rank, repeats=repeats,
        big_order=terms.of(session, ticket.shop_id).big_order,
    )  # fmt: skip
