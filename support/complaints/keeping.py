"""Keeping: what is kept of a customer's complaints, to be handed over to them or to be forgotten."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from support.complaints import goodwill_book, team
from support.complaints.complaints import complaints
from support.complaints.goodwill_book import goodwill
from support.complaints.loop import tries


def record(session: Session, ticket_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The complaints of some tickets in plain values, with what was given for them; times are ISO 8601, UTC."""
    c = complaints.c
    rows = session.execute(
        select(c.ticket_id, c.level, c.remedy, c.remedy_words, c.stage, c.outcome, c.opened_at)
        .where(c.ticket_id.in_(ticket_ids))
    ).all()  # fmt: skip
    return {
        row.ticket_id: {
            "level": row.level, "asked_for": row.remedy, "words": row.remedy_words, "stage": row.stage,
            "outcome": row.outcome, "opened_at": row.opened_at.isoformat(),
            "goodwill": [
                {"points": one.points, "state": one.state, "at": one.asked_at.isoformat()}
                for one in goodwill_book.of_ticket(session, row.ticket_id)
                if one.state in {goodwill_book.State.DONE, goodwill_book.State.TAKEN_BACK}
            ],
        }
        for row in rows
    }  # fmt: skip


def forget(session: Session, ticket_ids: Sequence[int], customer_ids: Sequence[int]) -> None:
    """Take the words out of complaints, of what was tried and of why goodwill was given; the books stay."""
    mine = complaints.c.ticket_id.in_(ticket_ids)
    for row in session.execute(select(complaints.c.ticket_id, complaints.c.facts).where(mine)).all():
        bare = [{**fact, "said": ""} if not fact["said"].isdecimal() else fact for fact in row.facts]
        session.execute(update(complaints).where(complaints.c.ticket_id == row.ticket_id).values(facts=bare))
    session.execute(update(complaints).where(mine).values(remedy_words="", set_reason="", cause=""))
    session.execute(update(tries).where(tries.c.ticket_id.in_(ticket_ids)).values(words=""))
    team.forget(session, ticket_ids)
    session.execute(update(goodwill).where(goodwill.c.customer_id.in_(customer_ids)).values(reason=""))
