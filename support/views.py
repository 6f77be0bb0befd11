"""Views: saved filters over the desk's tickets, one's own or, saved by a supervisor, everybody's at a shop."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, Index, Select, Text, delete, insert, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError
from store.staff import Member, Right
from store.text import fold
from support.routing import teams
from support.tags import tag_table, ticket_tags
from support.tickets import ACTIVE, Priority, State, tickets

NAME_CHARS_MAX = 40
VIEWS_MAX = 30
"""Of one member, and shared ones of one shop."""
VALUES_MAX = 50
ME, NOBODY, MINE = "me", "nobody", "mine"


class SavedViewRow(Base):
    __tablename__ = "saved_views"
    __table_args__ = (Index("ix_saved_views_staff", "staff_id"), Index("ix_saved_views_shared", "shared", "shop_id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    """Who made it."""
    shared: Mapped[bool]
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    """Of a shared one: at whose desk; empty: at all."""
    name: Mapped[str] = mapped_column(Text)
    filters: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a view shows: tickets that fit each of these; one that names nothing asks for nothing. Without `states` it shows
    what isn't solved. `assignees` are members' numbers, "me" and "nobody", `teams` numbers and "mine".
    """

    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    assignees: tuple[str | int, ...] = ()
    teams: tuple[str | int, ...] = ()
    shops: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    complaint: bool | None = None
    """Complaints only (True), or none of them (False)."""


@dataclass(frozen=True, slots=True)
class SavedView:
    """`own`: the member may change it."""

    id: int
    name: str
    filters: Filters
    shared: bool
    shop_id: int | None
    own: bool


saved = table(SavedViewRow)


def parse(asked: Any) -> Filters:
    """Filters as a page or the store gives them; raises InvalidError("filters") at what they can't be."""
    if not isinstance(asked, dict) or set(asked) - {field.name for field in fields(Filters)}:
        raise InvalidError("filters", "unknown")
    values: dict[str, Any] = {}
    for name, given in asked.items():
        if name == "complaint":
            if given not in {None, True, False}:
                raise InvalidError("filters", name)
            values[name] = given
            continue
        if not isinstance(given, (list, tuple)) or len(given) > VALUES_MAX or not all(map(_VALUE[name], given)):
            raise InvalidError("filters", name)
        values[name] = tuple(dict.fromkeys(given))
    return Filters(**values)


def conditions(member: Member, filters: Filters) -> list[ColumnElement[bool]]:
    """What tickets must be to fit, states aside (`states_of`)."""
    t = tickets.c
    found: list[ColumnElement[bool]] = []
    for column, wanted in (
        (t.topic, filters.topics), (t.priority, filters.priorities), (t.language, filters.languages),
        (t.shop_id, filters.shops),
    ):  # fmt: skip
        if wanted:
            found.append(column.in_(wanted))
    if filters.tags:
        folded = [fold(name) for name in filters.tags]
        tagged = (
            select(ticket_tags.c.ticket_id)
            .join(tag_table, tag_table.c.id == ticket_tags.c.tag_id)
            .where(tag_table.c.folded.in_(folded))
        )
        found.append(t.id.in_(tagged))
    if filters.assignees:
        people = [member.id if one == ME else one for one in filters.assignees if one != NOBODY]
        none = [t.assignee_id.is_(None)] if NOBODY in filters.assignees else []
        found.append(or_(t.assignee_id.in_(people), *none))
    if filters.teams:
        numbers = [one for one in filters.teams if one != MINE]
        own = [t.team_id.in_(_teams_of(member))] if MINE in filters.teams else []
        found.append(or_(t.team_id.in_(numbers), *own))
    if filters.complaint is not None:
        about = or_(t.severity.is_not(None), t.topic == "complaint")
        found.append(about if filters.complaint else ~about)
    return found


def states_of(filters: Filters) -> tuple[str, ...]:
    """The states a view shows."""
    return filters.states or ACTIVE


def fitting(session: Session, member: Member, filters: Filters, ticket_ids: Sequence[int]) -> set[int]:
    """Which of these tickets fit."""
    fits = (tickets.c.id.in_(ticket_ids), tickets.c.state.in_(states_of(filters)), *conditions(member, filters))
    return set(session.execute(select(tickets.c.id).where(*fits)).scalars())


def listed(session: Session, member: Member) -> list[SavedView]:
    """The member's own views and those that are shared at their desks, by name."""
    member.need(Right.DESK)
    rows = session.execute(
        select(saved.c.id, saved.c.staff_id, saved.c.name, saved.c.filters, saved.c.shared, saved.c.shop_id)
        .where(or_(saved.c.staff_id == member.id, saved.c.shared))
        .order_by(saved.c.name, saved.c.id)
    )
    return [
        SavedView(row.id, row.name, parse(row.filters), row.shared, row.shop_id, _may_change(member, row))
        for row in rows
        if row.staff_id == member.id or row.shop_id is None or member.may(Right.DESK, row.shop_id)
    ]


def get(session: Session, member: Member, view_id: int) -> SavedView:
    """One of those; raises NotFoundError."""
    for view in listed(session, member):
        if view.id == view_id:
            return view
    raise NotFoundError("view", view_id)


def add(
    session: Session, member: Member, name: str, filters: Filters, *, shared: bool = False, shop_id: int | None = None
) -> int:  # fmt: skip
    """Save a view; its number. One that is shared (at a shop's desk, or at all) takes a supervisor there.

    Raises ForbiddenError, InvalidError (name: length, count).
    """
    member.need(Right.DESK)
    if shared:
        _need_lead(member, shop_id)
    name = _named(name)
    same = (saved.c.shared, saved.c.shop_id == shop_id) if shared else (~saved.c.shared, saved.c.staff_id == member.id)
    if len(session.execute(select(saved.c.id).where(*same)).all()) >= VIEWS_MAX:
        raise InvalidError("name", "count", VIEWS_MAX)
    added = session.execute(
        insert(saved)
        .values(
            staff_id=member.id, shared=shared, shop_id=shop_id if shared else None, name=name,
            filters=asdict(filters), created_at=now(session),
        )
        .returning(saved.c.id)
    ).scalar_one()  # fmt: skip
    if shared:
        audit.record(session, f"staff:{member.id}", "view_shared", shop_id, view=added, name=name)
    return int(added)


def change(session: Session, view_id: int, member: Member, name: str, filters: Filters) -> None:
    """Rename a view, or let it show something else. Raises NotFoundError (none that the member may change), InvalidError."""
    before = _own(session, view_id, member)
    after = replace(before, name=_named(name), filters=filters)
    session.execute(update(saved).where(saved.c.id == view_id).values(name=after.name, filters=asdict(filters)))
    if before.shared and after != before:
        changed = {
            field: [one, other]
            for field, one, other in (
                ("name", before.name, after.name), ("filters", asdict(before.filters), asdict(filters))
            ) if one != other
        }  # fmt: skip
        audit.record(session, f"staff:{member.id}", "view_changed", before.shop_id, view=view_id, changed=changed)


def remove(session: Session, view_id: int, member: Member) -> None:
    """Take a view away. Raises NotFoundError."""
    before = _own(session, view_id, member)
    session.execute(delete(saved).where(saved.c.id == view_id))
    if before.shared:
        audit.record(session, f"staff:{member.id}", "view_removed", before.shop_id, view=view_id, name=before.name)


def retag(session: Session, before: str, after: str, *, keep: bool) -> None:
    """Have every view that asks for a tag ask for another one; with `keep` for both, as other shops still have it."""
    for row in session.execute(select(saved.c.id, saved.c.filters)).all():
        names = row.filters.get("tags") or []
        if fold(before) in map(fold, names):
            stays = [name for name in names if keep or fold(name) != fold(before)]
            filters = {**row.filters, "tags": [*stays, *([] if fold(after) in map(fold, stays) else [after])]}
            session.execute(update(saved).where(saved.c.id == row.id).values(filters=filters))


def _own(session: Session, view_id: int, member: Member) -> SavedView:
    view = get(session, member, view_id)
    if not view.own:
        raise NotFoundError("view", view_id)
    return view


def _may_change(member: Member, row: Any) -> bool:
    if not row.shared:
        return bool(row.staff_id == member.id)
    if row.shop_id is None:
        return member.everywhere(Right.SUPERVISE)
    return member.may(Right.SUPERVISE, row.shop_id)


def _need_lead(member: Member, shop_id: int | None) -> None:
    member.need(Right.SUPERVISE, shop_id)
    if shop_id is None and not member.everywhere(Right.SUPERVISE):
        raise InvalidError("shop", "unknown")


def _teams_of(member: Member) -> Select[tuple[int]]:
    t, m = teams.team_table.c, teams.members.c
    return select(t.id).where(or_(t.everyone, t.id.in_(select(m.team_id).where(m.staff_id == member.id))))


def _named(name: str) -> str:
    name = re.sub(r"\s+", " ", name.replace("\x00", "")).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    return name


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def _word(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 40 and "\x00" not in value


_VALUE = {
    "states": lambda one: one in set(State), "tags": _word, "topics": _word,
    "priorities": lambda one: one in set(Priority), "languages": _word, "shops": _number,
    "assignees": lambda one: one in (ME, NOBODY) or _number(one), "teams": lambda one: one == MINE or _number(one),
}  # fmt: skip
