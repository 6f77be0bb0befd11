"""Goodwill: points or a voucher to make good, from the conversation. Each is in the ledger by a kind of its own.

What somebody gives by themselves is limited by their role, in a case and in a day (see `terms`); a point counts what it
pays, a voucher what it is worth at most. What is above waits for somebody whose limit covers it, and they answer for it
then. The desk's turn is held throughout, so that limits hold and a second approver finds it decided. `after` is the last
goodwill that the giver saw in the case: when a colleague gave one meanwhile, it is refused and shown instead.
"""

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import ledger, points
from loyalty.points.ledger import KeyConflictError, UncoveredError
from loyalty.vouchers import voucher_programs, vouchers
from store import audit, events, notices, shops
from store.clock import now
from store.errors import ForbiddenError, InvalidError
from store.staff import Member, Right
from support import tickets
from support.complaints import goodwill_book, team
from support.complaints.goodwill_book import (
    DecidedError,
    Goodwill,
    Kind,
    MeanwhileError,
    OverLimitError,
    SpentError,
    State,
    goodwill,
)
from support.tickets import Ticket

REASON_CHARS_MAX = 200


def give(
    session: Session,
    key: str,
    ticket_id: int,
    member: Member,
    *,
    amount: int = 0,
    program_id: int | None = None,
    reason: str,
    after: int = 0,
) -> Goodwill:
    """Give points (`amount`) or a voucher of a programme to the customer of a case: done at once within the limits, above
    them waiting for somebody who may. The same key is the same goodwill.

    Raises InvalidError("points", "program", "reason"), MeanwhileError, KeyConflictError, SoldOutError, LimitError,
    UncoveredError (the shop's wallet is empty), NotFoundError, ForbiddenError.
    """
    reason = " ".join(reason.replace("\x00", "").split())
    if not reason or len(reason) > REASON_CHARS_MAX:
        raise InvalidError("reason", "length", reason)
    seen = tickets.view(session, ticket_id, member)
    customers.lock(session, seen.customer_id)
    ticket = tickets.hold(session, ticket_id, member)
    sealed = ledger.seal("goodwill", [ticket_id, amount, program_id, reason, member.id])
    known = session.execute(select(goodwill.c.id, goodwill.c.hash).where(goodwill.c.key == key)).first()
    if known is not None:
        if known.hash != sealed:
            raise KeyConflictError(key)
        return goodwill_book.get(session, known.id)
    newest = goodwill_book.last(session, ticket_id)
    if newest is not None and newest.id != after:
        raise MeanwhileError(newest.id, goodwill_book.staff_name(session, newest.asked_by))
    worth = _worth(session, ticket, amount, program_id)
    most = goodwill_book.room(session, ticket, member).most
    waits = most is not None and worth > most
    number = int(
        session.execute(
            insert(goodwill)
            .values(
                key=key, hash=sealed, ticket_id=ticket_id, shop_id=ticket.shop_id, customer_id=ticket.customer_id,
                kind=(Kind.VOUCHER if program_id else Kind.POINTS).value, points=0 if program_id else amount,
                program_id=program_id, worth=worth, reason=reason, state=State.WAITING.value, asked_by=member.id,
                asked_at=now(session),
            )
            .returning(goodwill.c.id)
        ).scalar_one()
    )  # fmt: skip
    made = goodwill_book.get(session, number)
    if waits:
        _record(session, ticket, made, "goodwill_asked", member)
        for one in goodwill_book.approvers(session, made):
            team.tell(
                session, "goodwill_asked", one.id, ticket, goodwill=number, by=member.name,
                customer=customers.get(session, ticket.customer_id).name, **goodwill_book.facts(session, made),
            )  # fmt: skip
    else:
        _do(session, ticket, made, member.id)
        session.execute(update(goodwill).where(goodwill.c.id == number).values(state=State.DONE.value))
        _record(session, ticket, made, "goodwill_given", member)
    return goodwill_book.get(session, number)


def approve(session: Session, goodwill_id: int, member: Member) -> Goodwill:
    """Let what waits be given. Repeatable. Raises NotFoundError, ForbiddenError (not somebody who approves there, or who
    asked for it), OverLimitError, DecidedError (refused), and as `give`.
    """
    ticket, found = _for_decision(session, goodwill_id, member, State.DONE)
    if found.state == State.DONE:
        return found
    # What waits is in the case's sum already.
    left = goodwill_book.room(session, ticket, member)
    if any(most is not None and found.worth > most + own for most, own in ((left.case, found.worth), (left.day, 0))):
        raise OverLimitError(f"{found.worth}")
    _do(session, ticket, found, member.id)
    return _decide(session, ticket, found, State.DONE, member, "goodwill_approved")


def refuse(session: Session, goodwill_id: int, member: Member) -> Goodwill:
    """Refuse what waits; who asked may take it back so. Repeatable. Raises as `approve`, DecidedError (given)."""
    ticket, found = _for_decision(session, goodwill_id, member, State.REFUSED)
    if found.state == State.REFUSED:
        return found
    return _decide(session, ticket, found, State.REFUSED, member, "goodwill_refused")


def take_back(session: Session, goodwill_id: int, member: Member) -> Goodwill:
    """Take back what was given, where the books allow it: while the points are there and the voucher is unused. Whoever
    gave or approved it may, and supervisors. Repeatable. Raises NotFoundError, ForbiddenError, DecidedError, SpentError.
    """
    ticket, found = _held(session, goodwill_id, member)
    if found.state == State.TAKEN_BACK:
        return found
    if found.state != State.DONE:
        raise DecidedError(found.state)
    if member.id not in {found.asked_by, found.decided_by} and not member.may(Right.SUPERVISE, ticket.shop_id):
        raise ForbiddenError("goodwill")
    owner = customers.resolve(session, found.customer_id)
    if found.kind == Kind.POINTS:
        try:
            points.spend(
                session, f"goodwill:{found.id}:back", "goodwill_back", customer_id=owner, shop_id=found.shop_id,
                points=found.points, into="wallet", actor=f"staff:{member.id}", reason=found.reason,
            )  # fmt: skip
        except UncoveredError as error:
            raise SpentError("points") from error
    else:
        assert found.voucher_id is not None
        mine = vouchers.get(session, found.voucher_id, lock=True).customer_id == owner
        if not mine or vouchers.withdraw(session, found.voucher_id) != vouchers.VoucherState.OPEN:
            raise SpentError("voucher")
    session.execute(
        update(goodwill)
        .where(goodwill.c.id == found.id)
        .values(state=State.TAKEN_BACK.value, back_by=member.id, back_at=now(session))
    )
    events.happened(
        session, "goodwill_taken_back", customer_id=owner, shop_id=found.shop_id, goodwill=found.id,
        points=found.points, gives=found.kind,
    )  # fmt: skip
    notices.tell(
        session, "goodwill_taken_back", customer_id=owner, shop_id=found.shop_id, **goodwill_book.facts(session, found)
    )
    _record(session, ticket, found, "goodwill_taken_back", member)
    return goodwill_book.get(session, goodwill_id)


def _do(session: Session, ticket: Ticket, found: Goodwill, by: int) -> None:
    owner = customers.resolve(session, ticket.customer_id)
    told = goodwill_book.facts(session, found)
    if found.kind == Kind.POINTS:
        zone = shops.get(session, found.shop_id).timezone
        points.earn(
            session, f"goodwill:{found.id}", "goodwill", customer_id=owner, shop_id=found.shop_id, points=found.points,
            expires_at=programme.expiry(session, zone=zone), actor=f"staff:{by}", reason=found.reason,
        )  # fmt: skip
    else:
        assert found.program_id is not None
        given = vouchers.issue(session, found.program_id, owner, key=f"goodwill:{found.id}")
        session.execute(update(goodwill).where(goodwill.c.id == found.id).values(voucher_id=given.id))
        offer = voucher_programs.get(session, found.program_id)
        told |= {"code": vouchers.shown(given.code), "last_day": vouchers.last_day(session, given, offer)}
    events.happened(
        session, "goodwill_given", customer_id=owner, shop_id=found.shop_id, goodwill=found.id, points=found.points,
        gives=found.kind,
    )  # fmt: skip
    notices.tell(
        session, "goodwill_given", customer_id=owner, shop_id=found.shop_id,
        shop=shops.get(session, found.shop_id).name, **told,
    )  # fmt: skip


def _decide(session: Session, ticket: Ticket, found: Goodwill, state: State, member: Member, action: str) -> Goodwill:
    session.execute(
        update(goodwill)
        .where(goodwill.c.id == found.id)
        .values(state=state.value, decided_by=member.id, decided_at=now(session))
    )
    _record(session, ticket, found, action, member)
    if found.asked_by != member.id:
        team.tell(session, action, found.asked_by, ticket, by=member.name, **goodwill_book.facts(session, found))
    return goodwill_book.get(session, found.id)


def _for_decision(session: Session, goodwill_id: int, member: Member, wanted: State) -> tuple[Ticket, Goodwill]:
    ticket, found = _held(session, goodwill_id, member)
    own = found.asked_by == member.id
    may = goodwill_book.approves(member, found.shop_id)
    if not (own if wanted is State.REFUSED and own else may and not own):
        raise ForbiddenError("goodwill")
    if found.state not in {State.WAITING, wanted}:
        raise DecidedError(found.state)
    return ticket, found


def _held(session: Session, goodwill_id: int, member: Member) -> tuple[Ticket, Goodwill]:
    found = goodwill_book.get(session, goodwill_id)
    seen = tickets.view(session, found.ticket_id, member)
    customers.lock(session, seen.customer_id)
    ticket = tickets.hold(session, found.ticket_id, member)
    return ticket, goodwill_book.get(session, goodwill_id)


def _worth(session: Session, ticket: Ticket, amount: int, program_id: int | None) -> int:
    if program_id is None:
        if not 0 < amount <= points.POINTS_MAX:
            raise InvalidError("points", "range", amount)
        return amount * programme.get(session).point_value
    offer = voucher_programs.get(session, program_id)
    if amount or not offer.at(ticket.shop_id) or offer.shared:
        raise InvalidError("program", "unknown", program_id)
    return goodwill_book.worth_of(offer)


def _record(session: Session, ticket: Ticket, found: Goodwill, action: str, member: Member) -> None:
    facts = goodwill_book.facts(session, found)
    tickets.log(session, ticket, action, member.id, goodwill=found.id, **facts)
    audit.record(
        session, f"staff:{member.id}", action, found.shop_id, goodwill=found.id, ticket=found.ticket_id,
        customer=found.customer_id, asked_by=found.asked_by, **facts,
    )  # fmt: skip
