"""Kept: reports of a large desk, which take seconds to count. The last count of each is shown at once, with its moment, while
it is counted again; a small desk's is counted as it is asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, Text, delete, func, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcTime, table, upsert
from store.clock import now
from support.reports.report import Report
from support.tickets import tickets

SMALL = 1_000
"""So many tickets are counted while somebody waits."""
FRESH = timedelta(minutes=5)
"""So old a count needn't be made again."""
KEPT = timedelta(days=60)


class KeptReportRow(Base):
    __tablename__ = "kept_reports"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    """What it is of, see report.Asked."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    """When it was counted."""
    report: Mapped[dict[str, Any]] = mapped_column(JSON)


@dataclass(frozen=True, slots=True)
class Kept:
    """A report as it was counted at a moment; `fresh`: a short while ago."""

    report: Report
    at: datetime
    fresh: bool


kept_reports = table(KeptReportRow)
_SHAPE = TypeAdapter(Report)


def large(session: Session, shop_ids: Sequence[int]) -> bool:
    """Whether there is so much at the desks of these shops that their reports are kept."""
    some = select(literal(1)).select_from(tickets).where(tickets.c.shop_id.in_(shop_ids)).limit(SMALL + 1).subquery()
    return session.execute(select(func.count()).select_from(some)).scalar_one() > SMALL


def find(session: Session, key: str) -> Kept | None:
    """The report of a key as it was counted last."""
    k = kept_reports.c
    row = session.execute(select(k.report, k.at).where(k.key == key)).first()
    if row is None:
        return None
    return Kept(_SHAPE.validate_python(row.report), row.at, now(session) - row.at < FRESH)


def keep(session: Session, key: str, report: Report, at: datetime) -> None:
    """Keep what was counted at a moment, unless a later count stands there; what nobody counts again for long is let go."""
    k = kept_reports.c
    values = {"at": at, "report": _SHAPE.dump_python(report, mode="json")}
    session.execute(
        upsert(session, kept_reports)
        .values(key=key, **values)
        .on_conflict_do_update(index_elements=["key"], set_=values, where=k.at < at)
    )
    session.execute(delete(kept_reports).where(k.at < at - KEPT))
