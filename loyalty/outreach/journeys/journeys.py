"""Journeys: what a shop does for each customer when something happens to them, step by step and by itself.

A journey is written as a list of steps (see `steps`), begins by a trigger (see `triggers`) and is on or off. Changing one that
is on is safe: who stands at a step goes on from it, or, where it is gone, is through.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, insert, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach.campaigns import contents
from loyalty.outreach.campaigns.contents import Picture
from loyalty.outreach.journeys import steps as steps_of
from loyalty.outreach.journeys import triggers
from loyalty.outreach.segments import criteria, fields, saved
from loyalty.vouchers import voucher_programs
from store import audit, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 120


class JourneyRow(Base):
    __tablename__ = "journeys"
    __table_args__ = (Index("ix_journeys_on", "shop_id", sqlite_where=text('"on"'), postgresql_where=text('"on"')),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    trigger: Mapped[dict[str, Any]] = mapped_column(JSON)
    criteria: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Who of those that the trigger meets begins."""
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    on: Mapped[bool]
    on_since: Mapped[datetime | None] = mapped_column(UtcTime)
    """What happened before it was switched on begins nothing."""
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    calendar_day: Mapped[str | None] = mapped_column(Text)
    """The last day of the calendar that was begun, `2026-11-21`."""
    removed_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey as rules give it out; see JourneyRow."""

    id: int
    shop_id: int
    name: str
    trigger: dict[str, Any]
    criteria: dict[str, Any]
    steps: list[dict[str, Any]]
    on: bool
    on_since: datetime | None
    created_at: datetime
    calendar_day: str | None


journeys = table(JourneyRow)
_FIELDS = tuple(journeys.c[name] for name in Journey.__dataclass_fields__)


def add(session: Session, shop_id: int, actor: str, *, name: str, trigger: Any, steps: Any, who: Any = None) -> Journey:
    """Write a journey, off at first. Raises InvalidError naming the place, NotFoundError (shop, programme)."""
    values = _checked(session, shop_id, name, trigger, steps, who)
    number = session.execute(
        insert(journeys).values(**values, shop_id=shop_id, on=False, created_at=now(session)).returning(journeys.c.id)
    ).scalar_one()
    audit.record(session, actor, "journey_added", shop_id, journey=number, name=values["name"])
    return get(session, number)


def change(
    session: Session, journey_id: int, shop_id: int, actor: str, *, name: str, trigger: Any, steps: Any, who: Any = None
) -> Journey:
    """Write a journey anew. Raises as `add` does."""
    before = get(session, journey_id, shop_id)
    values = _checked(session, shop_id, name, trigger, steps, who)
    session.execute(update(journeys).where(journeys.c.id == journey_id).values(**values))
    changed = {key: [getattr(before, key), value] for key, value in values.items() if getattr(before, key) != value}
    audit.record(session, actor, "journey_changed", shop_id, journey=journey_id, changed=changed)
    return get(session, journey_id)


def switch(session: Session, journey_id: int, shop_id: int, actor: str, *, on: bool) -> Journey:
    """Switch it on or off. Off, nobody begins and who is in it stands still; on again, they go on."""
    before = get(session, journey_id, shop_id)
    if before.on != on:
        # On again, the days in between are not made up for.
        values = {"on": on} | ({"on_since": now(session), "calendar_day": None} if on else {})
        session.execute(update(journeys).where(journeys.c.id == journey_id).values(**values))
        audit.record(session, actor, "journey_switched", shop_id, journey=journey_id, changed={"on": [before.on, on]})
    return get(session, journey_id)


def remove(session: Session, journey_id: int, shop_id: int, actor: str) -> None:
    """Take a journey out: who is in it stands still for ever. Raises NotFoundError."""
    before = get(session, journey_id, shop_id)
    session.execute(update(journeys).where(journeys.c.id == journey_id).values(on=False, removed_at=now(session)))
    audit.record(session, actor, "journey_removed", shop_id, journey=journey_id, name=before.name)


def get(session: Session, journey_id: int, shop_id: int | None = None) -> Journey:
    """A journey (of one shop only, where it is named); raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(journeys.c.id == journey_id, journeys.c.removed_at.is_(None))).first()
    if row is None or (shop_id is not None and row.shop_id != shop_id):
        raise NotFoundError("journey", journey_id)
    return Journey(*row)


def of_shop(session: Session, shop_id: int) -> list[Journey]:
    """A shop's journeys, oldest first."""
    rows = session.execute(
        select(*_FIELDS).where(journeys.c.shop_id == shop_id, journeys.c.removed_at.is_(None)).order_by(journeys.c.id)
    )
    return [Journey(*row) for row in rows]


def switched_on(session: Session, shop_id: int | None = None) -> list[Journey]:
    """Those that are on, of a shop or of all."""
    query = select(*_FIELDS).where(journeys.c.on, journeys.c.removed_at.is_(None)).order_by(journeys.c.id)
    return [
        Journey(*row)
        for row in session.execute(query if shop_id is None else query.where(journeys.c.shop_id == shop_id))
    ]


def _checked(session: Session, shop_id: int, name: str, trigger: Any, steps: Any, who: Any) -> dict[str, Any]:
    shop = shops.get(session, shop_id)
    title = " ".join(name.split())
    if not 1 <= len(title) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", NAME_CHARS_MAX)
    seen = fields.look(session, shop.timezone)
    wanted = criteria.parse(who or {"all": []}, "who")
    fields.check(wanted, seen)
    listed = steps_of.check(steps)
    for placed in steps_of.places(listed).values():
        _check_step(session, shop_id, placed.step, seen)
    return {
        "name": title, "trigger": trigger_of(session, shop_id, trigger), "criteria": criteria.written(wanted), "steps": listed,
    }  # fmt: skip


def trigger_of(session: Session, shop_id: int, given: Any) -> dict[str, Any]:
    """A trigger as a shop's journey may keep it. Raises InvalidError."""
    kept = triggers.check(given)
    if "segment" in kept:
        try:
            saved.get(session, kept["segment"], shop_id)
        except NotFoundError:
            raise InvalidError("trigger.segment", "unknown", kept["segment"]) from None
    return kept


def _check_step(session: Session, shop_id: int, step: Mapping[str, Any], seen: fields.Look) -> None:
    if step["kind"] == "condition":
        fields.check(criteria.parse(step["criteria"], f"steps.{step['id']}.criteria"), seen)
    if step["kind"] == "message":
        contents.check_pictures(session, step.get("pictures", ()), f"steps.{step['id']}.pictures")
    if step["kind"] == "voucher":
        offer = voucher_programs.get(session, step["program"])
        if offer.shop_id not in {None, shop_id}:
            raise NotFoundError("voucher_program", step["program"])
        if offer.shared:
            raise InvalidError("program", "unsupported", step["program"])


def calendar_begun(session: Session, journey_id: int, day: date) -> None:
    """All whom a day of the calendar begins have begun."""
    session.execute(update(journeys).where(journeys.c.id == journey_id).values(calendar_day=day.isoformat()))


def messages(journey: Journey) -> dict[int, dict[str, str]]:
    """The words of each message step, by its number and language."""
    return {step["id"]: step["messages"] for step in _speaking(journey)}


def pictures(session: Session, journey: Journey) -> dict[int, list[Picture]]:
    """The pictures of those that have some, by the step's number."""
    return {step["id"]: contents.kept(session, step["pictures"]) for step in _speaking(journey) if "pictures" in step}


def _speaking(journey: Journey) -> list[dict[str, Any]]:
    every = steps_of.places(journey.steps).values()
    return [placed.step for placed in every if placed.step["kind"] == "message"]
