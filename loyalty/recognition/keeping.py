"""Keeping: what recognition keeps of one customer, to be handed over to them or to be forgotten."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from loyalty.recognition import badges, thanks, wins
from loyalty.recognition.entries import entries


def record(session: Session, customer_id: int) -> dict[str, Any]:
    """A customer's own copy of it, in plain values; times are ISO 8601, UTC."""
    b, a, e, t = badges.badges.c, badges.awards.c, entries.c, thanks.tasks.c
    earned = session.execute(
        select(b.name, a.at)
        .join(badges.awards, a.badge_id == b.id)
        .where(a.customer_id == customer_id, a.taken_back_at.is_(None))
        .order_by(a.at, a.id)
    )
    drawn = session.execute(
        select(e.draw_id, e.state, e.at, e.number).where(e.customer_id == customer_id).order_by(e.id)
    )
    thanked = session.execute(
        select(t.note, t.state, t.ended_at).where(t.customer_id == customer_id, t.state == "done").order_by(t.id)
    )
    return {
        "badges": [{"name": row.name, "at": row.at.isoformat()} for row in earned],
        "wins": [
            {"prize": prize.name, "cause": win.cause, "state": win.state, "at": win.at.isoformat()}
            for win, prize in wins.of_customer(session, customer_id)
        ],
        "draws": [
            {"draw": row.draw_id, "state": row.state, "at": row.at.isoformat(), "number": row.number} for row in drawn
        ],
        "thanks": [
            {"note": row.note, "at": row.ended_at.isoformat() if row.ended_at else None} for row in thanked
        ],
    }  # fmt: skip


def forget(session: Session, customer_ids: Sequence[int]) -> set[str]:
    """Take the words about customers out of it; what they won stays, nobody's. The addresses of pictures that were theirs."""
    return thanks.forget(session, customer_ids)
