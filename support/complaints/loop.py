"""The loop: after our answer the customer is asked whether all is well, some days later and as often as the shop wants to.

A complaint ends on their word, or after that many tries in vain. Each try is logged, be it the program's message or a
colleague's call. What they are asked next, or that they are given up, is a row with a time (`complaints.check_at`).
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Text, func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.customers import customers
from store import notices, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.staff import Member
from support import tickets
from support.complaints import complaints, grading, team, terms
from support.complaints.complaints import Complaint, Outcome, Stage
from support.complaints.severity import Why
from support.tickets import ACTIVE, Ticket

AGAIN = timedelta(days=2)
"""How long a question waits for its answer before the next try."""
EARLIEST, LATEST = time(9), time(20)
"""Nobody is asked before or after, by the shop's clock."""
WORDS_CHARS_MAX = 500


class Way(StrEnum):
    MESSAGE = "message"
    CALL = "call"
    VISIT = "visit"


class Said(StrEnum):
    """What came of a try."""

    ASKED = "asked"
    NOBODY = "nobody"
    GOOD = "good"
    BAD = "bad"


class TryRow(Base):
    """A time the customer was asked, or answered."""

    __tablename__ = "complaint_tries"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    way: Mapped[str] = mapped_column(Text)
    staff_id: Mapped[int | None]
    """Who tried; empty: the program, or the customer by themselves."""
    said: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Try:
    """See TryRow."""

    at: datetime
    way: str
    staff_id: int | None
    said: str
    words: str


tries = table(TryRow)


def entered(session: Session, ticket: Ticket, before: str, by: int | None) -> None:
    """A ticket's state changed: solved is our answer, and the days to the question begin; open again, it waits."""
    known = complaints.find(session, ticket.id)
    if known is None or known.outcome is not None:
        return
    if ticket.state == tickets.State.RESOLVED:
        complaints.stage(session, ticket, Stage.RESPONDED, by)
        days = terms.of(session, ticket.shop_id).check_days
        at = civil(session, ticket.shop_id, now(session) + timedelta(days=days))
        complaints.put(session, ticket, responded_at=now(session), check_at=at, asked_at=None, tries=0)
    elif ticket.state in ACTIVE and before not in ACTIVE:
        # It is in somebody's hands again: they are asked after the next answer.
        complaints.put(session, ticket, check_at=None, asked_at=None)
        if known.stage == Stage.RESPONDED:
            complaints.stage(session, ticket, Stage.INVESTIGATED if known.cause else Stage.ASSESSED, by)


def ask_due(session: Session, limit: int = 20) -> int:
    """Ask the customers whose time it is, and close what was asked in vain; how many. For the clock."""
    c = complaints.complaints.c
    due = session.execute(
        select(c.ticket_id).where(c.check_at <= now(session)).order_by(c.check_at, c.ticket_id).limit(limit)
    ).scalars()
    done = 0
    for ticket_id in due.all():
        ticket = tickets.hold(session, ticket_id)
        known = complaints.get(session, ticket_id)
        if known.check_at is None or known.check_at > now(session):
            continue
        _ask(session, ticket, known)
        done += 1
    return done


def _ask(session: Session, ticket: Ticket, known: Complaint) -> None:
    most = terms.of(session, ticket.shop_id).tries
    if known.tries >= most:
        complaints.end(session, ticket, known, Outcome.UNANSWERED, None)
        return
    _log(session, ticket, Way.MESSAGE, Said.ASKED, None, "", number=known.tries + 1, of=most)
    notices.tell(
        session, "complaint_check", customer_id=ticket.customer_id, shop_id=ticket.shop_id,
        replaces=f"complaint_check:{ticket.id}", ticket=ticket.id, again=known.tries > 0,
    )  # fmt: skip
    at = civil(session, ticket.shop_id, now(session) + AGAIN)
    complaints.put(session, ticket, tries=known.tries + 1, asked_at=now(session), check_at=at)


def tried(session: Session, ticket_id: int, member: Member, way: str, said: str, words: str = "") -> Complaint:
    """Log a try of a colleague's own, by phone or in person, and what came of it: the customer's good word closes the
    complaint, a bad one opens it again, nobody reached counts as a try. Raises InvalidError, ComplaintOverError,
    NotFoundError.
    """
    if way not in set(Way) or said not in {Said.NOBODY, Said.GOOD, Said.BAD}:
        raise InvalidError("said", "unknown", said)
    ticket, known = complaints.held(session, ticket_id, member)
    words = words.replace("\x00", "").strip()[:WORDS_CHARS_MAX]
    if said != Said.NOBODY:
        return _answered(session, ticket, known, Way(way), Said(said), words, member.id)
    most = terms.of(session, ticket.shop_id).tries
    _log(session, ticket, Way(way), Said.NOBODY, member.id, words, number=known.tries + 1, of=most)
    known = complaints.put(session, ticket, tries=known.tries + 1)
    if known.stage == Stage.RESPONDED and known.tries >= most:
        complaints.end(session, ticket, known, Outcome.UNANSWERED, member.id)
    return complaints.get(session, ticket_id)


def answer(session: Session, ticket_id: int, customer_id: int, *, good: bool, words: str = "") -> Complaint:
    """The customer says whether all is well. The same answer again changes nothing; one that comes after they were given
    up counts. Raises NotFoundError (another's), ComplaintOverError (they were content, or it was none).
    """
    ticket = tickets.hold(session, ticket_id)
    known = complaints.get(session, ticket_id)
    if ticket.customer_id != customers.resolve(session, customer_id):
        raise NotFoundError("complaint", ticket_id)
    if known.outcome == Outcome.SATISFIED and good:
        return known
    if known.outcome in complaints.NONE:
        assert known.outcome is not None
        raise complaints.ComplaintOverError(known.outcome)
    if known.outcome is None and known.asked_at is None and not good:
        # It is open again already: a second tap.
        return known
    words = words.replace("\x00", "").strip()[:WORDS_CHARS_MAX]
    return _answered(session, ticket, known, Way.MESSAGE, Said.GOOD if good else Said.BAD, words, None)


def _answered(
    session: Session, ticket: Ticket, known: Complaint, way: Way, said: Said, words: str, by: int | None
) -> Complaint:
    _log(session, ticket, way, said, by, words)
    if said is Said.GOOD:
        complaints.put(session, ticket, tries=0)
        complaints.end(session, ticket, known, Outcome.SATISFIED, by)
        return complaints.get(session, ticket.id)
    complaints.put(session, ticket, tries=0, asked_at=None, check_at=None, outcome=None, closed_at=None)
    if ticket.state not in ACTIVE:
        ticket = tickets.reopen(session, ticket, by)
    known = grading.raise_for(session, ticket, complaints.get(session, ticket.id), Why.STILL, words)
    if known.stage in {Stage.RESPONDED, Stage.CLOSED}:
        complaints.stage(session, ticket, Stage.INVESTIGATED if known.cause else Stage.ASSESSED, by)
    if ticket.assignee_id is not None and ticket.assignee_id != by:
        team.tell(session, "complaint_again", ticket.assignee_id, ticket, words=words)
    return complaints.get(session, ticket.id)


def _log(session: Session, ticket: Ticket, way: Way, said: Said, by: int | None, words: str, **counted: int) -> None:
    session.execute(
        insert(tries).values(
            ticket_id=ticket.id, at=now(session), way=way.value, staff_id=by, said=said.value, words=words
        )
    )
    tickets.log(session, ticket, "complaint_tried", by, way=way.value, state=said.value, words=words, **counted)


def tries_of(session: Session, ticket_id: int) -> list[Try]:
    """Each time the customer was asked or answered, oldest first."""
    rows = session.execute(
        select(tries.c.at, tries.c.way, tries.c.staff_id, tries.c.said, tries.c.words)
        .where(tries.c.ticket_id == ticket_id)
        .order_by(tries.c.id)
    )
    return [Try(*row) for row in rows]


def awaited(session: Session, customer_id: int) -> Complaint | None:
    """The complaint of which a customer was asked whether all is well, and hasn't answered; the latest."""
    c, t = complaints.complaints.c, tickets.tickets.c
    row = session.execute(
        select(*(c[name] for name in Complaint.__dataclass_fields__))
        .join(tickets.tickets, t.id == c.ticket_id)
        .where(t.customer_id == customer_id, c.asked_at.is_not(None), c.outcome.is_(None))
        .order_by(c.asked_at.desc())
        .limit(1)
    ).first()
    return complaints.read(row) if row else None


def count_of(session: Session, ticket_id: int) -> int:
    """How many tries there were in all."""
    wanted = (tries.c.ticket_id == ticket_id, tries.c.said.in_((Said.ASKED.value, Said.NOBODY.value)))
    return int(session.execute(select(func.count()).where(*wanted)).scalar_one())


def civil(session: Session, shop_id: int, at: datetime) -> datetime:
    """The moment, brought into the hours at which people are written to."""
    zone = ZoneInfo(shops.get(session, shop_id).timezone)
    local = at.astimezone(zone)
    if local.time() < EARLIEST:
        return datetime.combine(local.date(), EARLIEST, zone)
    if local.time() >= LATEST:
        return datetime.combine(local.date() + timedelta(days=1), EARLIEST, zone)
    return at
