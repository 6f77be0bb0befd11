"""Leases: who may do what only one process may do at a time (send for a messenger account, poll it, run the clock).

A row with an owner and an epoch, renewed every 3 s and free after 8 s without renewal. It works on SQLite and behind
pgbouncer, where an advisory lock taken through a pool leaks. The epoch rises with every change of owner, so work done
under an older one can be told apart.
"""

from datetime import datetime, timedelta

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, raw, to_micros
from store.clock import now

RENEW_SECONDS = 3
FREE_AFTER = timedelta(seconds=8)


class Lease(Base):
    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    owner: Mapped[str] = mapped_column(Text)
    epoch: Mapped[int]
    until: Mapped[datetime] = mapped_column(UtcTime)


def hold(session: Session, name: str, owner: str) -> int | None:
    """Take or renew a lease for 8 s; its epoch, or None while somebody else holds it."""
    moment = now(session)
    until, at = to_micros(moment + FREE_AFTER), to_micros(moment)
    rows = raw(
        session,
        "INSERT INTO leases (name, owner, epoch, until) VALUES (?, ?, 1, ?) ON CONFLICT (name) DO UPDATE SET "
        "epoch = CASE WHEN leases.owner = excluded.owner THEN leases.epoch ELSE leases.epoch + 1 END, "
        "owner = excluded.owner, until = excluded.until "
        "WHERE leases.owner = excluded.owner OR leases.until < ? RETURNING epoch",
        (name, owner, until, at),
    )
    return rows[0][0] if rows else None


def let_go(session: Session, name: str, owner: str) -> None:
    """Free a lease at an orderly stop, so that the next owner need not wait."""
    raw(session, "UPDATE leases SET until = 0 WHERE name = ? AND owner = ?", (name, owner))


def let_go_all(session: Session, owner: str | None = None) -> None:
    """Free every lease of an owner at their end; without one, of everybody, where nobody else can be there."""
    raw(session, "UPDATE leases SET until = 0 WHERE owner = ? OR ? = ''", (owner or "", owner or ""))


def held(session: Session, name: str, owner: str, epoch: int) -> bool:
    """Whether the lease is still this owner's, at this epoch, unexpired."""
    rows = raw(
        session,
        "SELECT 1 FROM leases WHERE name = ? AND owner = ? AND epoch = ? AND until > ?",
        (name, owner, epoch, to_micros(now(session))),
    )
    return bool(rows)
