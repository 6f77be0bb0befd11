"""Opening: a ticket becomes a complaint, by its topic, by its words, by a colleague or by a low rating; or it was none."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from store import audit, events, notices, shops
from store.clock import now
from store.outbox import Purpose
from store.prepared import Prepared
from store.staff import Member
from support import tickets
from support.complaints import complaints, grading, severity, terms
from support.complaints.complaints import Complaint, Origin, Outcome, Stage
from support.complaints.severity import Fact, Level
from support.deadlines import clocks
from support.tickets import Ticket

_c, _t = complaints.complaints.c, tickets.tickets.c
_BEGIN = Prepared(insert(complaints.complaints))
_EARLIER = Prepared(
    select(_c.ticket_id)
    .join(tickets.tickets, _t.id == _c.ticket_id)
    .where(
        _t.customer_id == bindparam("customer"), _c.ticket_id.not_in((bindparam("own"), bindparam("rated"))),
        _c.opened_at > bindparam("since"), _c.outcome.is_distinct_from(Outcome.MISTAKE.value),
        _c.outcome.is_distinct_from(Outcome.MERGED.value),
    )
    .order_by(_c.opened_at.desc(), _c.ticket_id.desc())
    .limit(1)
)  # fmt: skip
COMMENTS = timedelta(minutes=5)
"""Who rated low is asked for a word first; then they hear that somebody in charge sees to it."""


def mark(session: Session, ticket_id: int, member: Member) -> Complaint:
    """Say that a ticket is a complaint; its level comes from what the customer wrote in it. Repeatable; one that was
    taken for a mistake is one again.
    """
    ticket = tickets.hold(session, ticket_id, member)
    known = complaints.find(session, ticket_id)
    if known is None:
        return begin(session, ticket, Origin.STAFF, by=member.id)
    if known.outcome == Outcome.MISTAKE:
        grading.write_severity(session, ticket, known.level)
        complaints.stage(session, ticket, Stage.ASSESSED, member.id)
        return complaints.put(session, ticket, outcome=None, closed_at=None)
    return known


def unmark(session: Session, ticket_id: int, member: Member, reason: str) -> None:
    """It was no complaint after all: with a reason, and without a word to the customer. Repeatable. Raises InvalidError."""
    ticket = tickets.hold(session, ticket_id, member)
    known = complaints.get(session, ticket_id)
    reason = complaints.words_of("reason", reason, complaints.REASON_CHARS_MAX)
    if known.outcome == Outcome.MISTAKE:
        return
    tickets.write(session, ticket, severity=None)
    complaints.end(session, ticket, known, Outcome.MISTAKE, member.id)
    complaints.put(session, ticket, set_reason=reason, set_by=member.id)
    audit.record(session, f"staff:{member.id}", "complaint_unmarked", ticket.shop_id, ticket=ticket_id, reason=reason)


def begin(
    session: Session,
    ticket: Ticket,
    origin: Origin,
    *,
    by: int | None = None,
    rated: int | None = None,
    least: Level = Level.S4,
    extra: Sequence[Fact] = (),
) -> Complaint:
    """Make a held ticket a complaint: it is received, acknowledged to the customer and assessed at once. A recovery case
    is of the ticket that was `rated`, and begins at `least` at this level for `extra` reasons.
    """
    repeats = _earlier(session, ticket, rated)
    judged = severity.judge(grading.case_of(session, ticket, repeats, also=rated))
    level, facts = min(judged.level, least), [asdict(fact) for fact in (*extra, *judged.facts)]
    _BEGIN(
        session, ticket_id=ticket.id, shop_id=ticket.shop_id, level=int(level), judged=int(level), facts=facts, set_by=None,
        set_reason="", origin=origin.value, stage=Stage.RECEIVED.value, remedy=None, remedy_words="", cause="",
        repeats=repeats, rated_ticket=rated, opened_at=now(session), tries=0,
    )  # fmt: skip
    tickets.log(session, ticket, "complaint_stage", by, stage=Stage.RECEIVED.value, origin=origin.value)
    complaints.stage(session, ticket, Stage.ACKNOWLEDGED, None)
    events.happened(
        session, "complaint_opened", customer_id=ticket.customer_id, shop_id=ticket.shop_id, ticket=ticket.id,
        level=int(level), repeated=repeats is not None,
    )  # fmt: skip
    complaints.stage(session, ticket, Stage.ASSESSED, None, level=int(level), facts=facts)
    grading.weigh(session, ticket, level)
    _acknowledge(session, ticket, rated)
    complaints.changed(session, ticket)
    return complaints.get(session, ticket.id)


def _acknowledge(session: Session, ticket: Ticket, rated: int | None) -> None:
    at, answer_by = now(session), clocks.answer_by(session, ticket.id)
    due: dict[str, Any] = {
        "answer_by": answer_by.isoformat(), "said_at": at.isoformat(),
        "zone": shops.get(session, ticket.shop_id).timezone,
    } if answer_by else {}  # fmt: skip
    notices.tell(
        session, "complaint_recovery" if rated else "complaint_received", customer_id=ticket.customer_id,
        shop_id=ticket.shop_id, purpose=Purpose.REPLY, ticket=ticket.id,
        due_at=at + COMMENTS if rated else None, **due,
    )  # fmt: skip


def _earlier(session: Session, ticket: Ticket, rated: int | None) -> int | None:
    """The customer's last complaint before this one that is not longer ago than the shop says."""
    since = now(session) - timedelta(days=terms.of(session, ticket.shop_id).repeat_days)
    found = _EARLIER(session, customer=ticket.customer_id, own=ticket.id, rated=rated or 0, since=since)
    return found[0][0] if found else None
