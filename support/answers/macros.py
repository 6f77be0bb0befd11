"""Macros: what agents write again and again, with places for what differs, and what they do with the ticket along with it.

A macro is for everybody at the shop's desk, for a team or for who made it. Points and vouchers are no part of one: goodwill
has limits of its own. How one is applied stands in support.answers.applying.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit, shops, staff
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.staff import Member, Right
from store.text import fold
from support import tags, topics
from support.deadlines import moments
from support.routing import teams
from support.tickets import Priority

NAME_CHARS_MAX = 60
TEXT_CHARS_MAX = 2_000
PLACES = ("name", "points", "ticket", "agent", "shop")
"""What `{…}` in a text stands for: how the customer is called, their points, the ticket's number, who answers, the shop."""
ME = "me"
LANGUAGES = ("vi", "en")
PLACE = re.compile(r"\{(\w*)\}")


class For(StrEnum):
    """Who sees a macro."""

    ALL = "all"
    TEAM = "team"
    OWN = "own"


class Do(StrEnum):
    """What a macro does with a ticket, in this order. The value: a tag, a topic's key, a priority, `me` or a colleague's
    number, a time in words (2d, mai 9h), nothing.
    """

    TAG = "tag"
    TOPIC = "topic"
    PRIORITY = "priority"
    ASSIGN = "assign"
    SNOOZE = "snooze"
    RESOLVE = "resolve"


class MacroRow(Base):
    __tablename__ = "macros"
    __table_args__ = (Index("ix_macros_shop", "shop_id", "removed_at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    text_vi: Mapped[str] = mapped_column(Text)
    text_en: Mapped[str] = mapped_column(Text)
    actions: Mapped[list[list[str]]] = mapped_column(JSON)
    """[[do, value], …]"""
    seen_by: Mapped[str] = mapped_column(Text)
    team_id: Mapped[int | None]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    """Who made it; of OWN: whose it is."""
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class MacroUseRow(Base):
    """A macro applied to a ticket: the same `key` again changes nothing."""

    __tablename__ = "macro_uses"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    macro_id: Mapped[int] = mapped_column(ForeignKey("macros.id"), index=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Action:
    do: Do
    value: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a macro is to be."""

    name: str
    texts: dict[str, str]
    """By language; empty where a macro only does something."""
    actions: tuple[Action, ...] = ()
    seen_by: For = For.ALL
    team_id: int | None = None


@dataclass(frozen=True, slots=True)
class Macro:
    id: int
    shop_id: int
    name: str
    texts: dict[str, str]
    actions: tuple[Action, ...]
    seen_by: For
    team_id: int | None
    staff_id: int
    updated_at: datetime

    def told(self, language: str) -> str:
        """The text in a language, or in the one there is."""
        return self.texts.get(language) or next((text for text in self.texts.values() if text), "")


macros = table(MacroRow)
uses = table(MacroUseRow)
_FIELDS = (
    macros.c.id, macros.c.shop_id, macros.c.name, macros.c.text_vi, macros.c.text_en, macros.c.actions, macros.c.seen_by,
    macros.c.team_id, macros.c.staff_id, macros.c.updated_at,
)  # fmt: skip


# ── Reading them ────────────────────────────────────────────────────────────────────────────────────


def visible(session: Session, shop_id: int, member: Member) -> list[Macro]:
    """The macros that a member of staff may use at a shop's desk, by name. Raises ForbiddenError."""
    member.need(Right.DESK, shop_id)
    mine = {team.id for team in teams.of(session, shop_id) if team.has(member, shop_id)}
    return [
        one for one in _of(session, shop_id)
        if one.seen_by is For.ALL or (one.seen_by is For.TEAM and one.team_id in mine)
        or (one.seen_by is For.OWN and one.staff_id == member.id)
    ]  # fmt: skip


# ── Keeping them ───────────────────────────────────────────────────────────────────────────────────


def kept(session: Session, shop_id: int, member: Member) -> list[tuple[Macro, int]]:
    """The macros that a member may change, each with how often it was used: all but others' own for who runs the desk,
    their own for everybody. Raises ForbiddenError.
    """
    member.need(Right.DESK, shop_id)
    used = {
        row[0]: int(row[1]) for row in session.execute(select(uses.c.macro_id, func.count()).group_by(uses.c.macro_id))
    }
    runs = _runs(member, shop_id)
    return [
        (one, used.get(one.id, 0)) for one in _of(session, shop_id)
        if (one.staff_id == member.id if one.seen_by is For.OWN else runs)
    ]  # fmt: skip


def changeable(session: Session, macro_id: int, member: Member) -> Macro:
    """A macro that a member may change. Raises NotFoundError."""
    row = session.execute(select(*_FIELDS).where(macros.c.id == macro_id, macros.c.removed_at.is_(None))).first()
    found = _macro(row) if row else None
    may = found and (
        member.may(Right.DESK, found.shop_id) and found.staff_id == member.id if found.seen_by is For.OWN
        else _runs(member, found.shop_id)
    )  # fmt: skip
    if found is None or not may:
        raise NotFoundError("macro", macro_id)
    return found


def create(session: Session, shop_id: int, draft: Draft, member: Member) -> int:
    """A new macro; its number. One's own anybody at the desk makes, others who supervise or run the shop. Raises
    ForbiddenError, NotFoundError (shop), InvalidError (name, text_vi, text_en, team, and each action by its name).
    """
    shops.get(session, shop_id)
    values = _values(session, shop_id, draft, member)
    macro_id = session.execute(
        insert(macros)
        .values(shop_id=shop_id, staff_id=member.id, updated_at=now(session), **values)
        .returning(macros.c.id)
    ).scalar_one()
    audit.record(session, f"staff:{member.id}", "macro_created", shop_id, macro=macro_id, name=values["name"])
    return int(macro_id)


def change(session: Session, macro_id: int, draft: Draft, member: Member) -> None:
    """Make something else of a macro. Raises NotFoundError, and as `create`."""
    session.execute(select(macros.c.id).where(macros.c.id == macro_id).with_for_update())
    found = changeable(session, macro_id, member)
    if found.seen_by is not For.OWN and draft.seen_by is For.OWN and found.staff_id != member.id:
        raise ForbiddenError("macro")
    values = _values(session, found.shop_id, draft, member)
    before = _columns(Draft(found.name, found.texts, found.actions, found.seen_by, found.team_id))
    changed = {name: [before[name], value] for name, value in values.items() if before[name] != value}
    if changed:
        session.execute(update(macros).where(macros.c.id == macro_id).values(updated_at=now(session), **values))
        audit.record(
            session, f"staff:{member.id}", "macro_changed", found.shop_id, macro=macro_id, changed=changed
        )  # fmt: skip


def remove(session: Session, macro_id: int, member: Member) -> None:
    """Take a macro away; what it did stays. Raises NotFoundError."""
    found = changeable(session, macro_id, member)
    session.execute(update(macros).where(macros.c.id == macro_id).values(removed_at=now(session)))
    audit.record(session, f"staff:{member.id}", "macro_removed", found.shop_id, macro=macro_id, name=found.name)


def retag(session: Session, shop_id: int, before: str, after: str | None) -> None:
    """Have a shop's macros put another tag on instead of one, or none."""
    for macro in _of(session, shop_id):
        changed = [
            [one.do.value, after if one.do is Do.TAG and fold(one.value) == fold(before) else one.value]
            for one in macro.actions
        ]
        kept = [action for action in changed if action[1] is not None]
        if kept != [[one.do.value, one.value] for one in macro.actions]:
            session.execute(update(macros).where(macros.c.id == macro.id).values(actions=kept))


# ── Inside ─────────────────────────────────────────────────────────────────────────────────────────


def _runs(member: Member, shop_id: int) -> bool:
    return member.may(Right.SUPERVISE, shop_id) or member.may(Right.CONSOLE, shop_id)


def _of(session: Session, shop_id: int) -> list[Macro]:
    rows = session.execute(
        select(*_FIELDS).where(macros.c.shop_id == shop_id, macros.c.removed_at.is_(None))
    ).all()  # fmt: skip
    return sorted(map(_macro, rows), key=lambda one: (fold(one.name), one.id))


def _macro(row: Any) -> Macro:
    return Macro(
        row.id, row.shop_id, row.name, {"vi": row.text_vi, "en": row.text_en},
        tuple(Action(Do(do), value) for do, value in row.actions), For(row.seen_by), row.team_id, row.staff_id,
        row.updated_at,
    )  # fmt: skip


def _values(session: Session, shop_id: int, draft: Draft, member: Member) -> dict[str, Any]:
    """A draft as its columns, checked."""
    member.need(Right.DESK, shop_id)
    if draft.seen_by is not For.OWN and not _runs(member, shop_id):
        raise ForbiddenError("macro")
    values = _columns(draft)
    if not 0 < len(values["name"]) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", values["name"])
    for language in LANGUAGES:
        text = values[f"text_{language}"]
        if len(text) > TEXT_CHARS_MAX:
            raise InvalidError(f"text_{language}", "length", len(text))
        unknown = next((place for place in PLACE.findall(text) if place not in PLACES), None)
        if unknown is not None:
            raise InvalidError(f"text_{language}", "place", unknown)
    if not (values["text_vi"] or values["text_en"] or values["actions"]):
        raise InvalidError("text_vi", "empty")
    if draft.seen_by is For.TEAM and draft.team_id not in {team.id for team in teams.of(session, shop_id)}:
        raise InvalidError("team", "unknown", draft.team_id)
    _check(session, shop_id, draft.actions)
    return values


def _check(session: Session, shop_id: int, actions: Sequence[Action]) -> None:
    for do, value in ((action.do, action.value) for action in actions):
        if do is Do.TAG and not 0 < len(value.strip()) <= tags.NAME_CHARS_MAX:
            raise InvalidError("tag", "length", value)
        if do is Do.TOPIC:
            topics.check(session, shop_id, value)
        if do is Do.PRIORITY and value not in set(Priority):
            raise InvalidError("priority", "unknown", value)
        if do is Do.SNOOZE and moments.parse(value, now(session), shops.get(session, shop_id).timezone) is None:
            raise InvalidError("snooze", "shape", value)
        if do is Do.ASSIGN and value != ME:
            desk = {str(one.id) for one in staff.every(session) if one.may(Right.DESK, shop_id)}
            if value not in desk:
                raise InvalidError("assign", "unknown", value)
    done = [action.do for action in actions]
    if Do.SNOOZE in done and Do.RESOLVE in done:
        raise InvalidError("resolve", "both")


def _columns(draft: Draft) -> dict[str, Any]:
    order = list(Do)
    return {
        "name": " ".join(draft.name.replace("\x00", "").split()),
        **{f"text_{one}": draft.texts.get(one, "").replace("\x00", "").replace("\r\n", "\n").strip() for one in LANGUAGES},
        "actions": [
            [one.do.value, one.value.strip()] for one in sorted(set(draft.actions), key=lambda one: (order.index(one.do), one.value))
        ],
        "seen_by": draft.seen_by.value, "team_id": draft.team_id if draft.seen_by is For.TEAM else None,
    }  # fmt: skip
