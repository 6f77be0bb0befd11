"""Fields: what a shop wants to know of every ticket besides what is said in it: a table's number, a batch, a delivery day."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Text, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, BigId, table
from store.errors import InvalidError, NotFoundError
from store.staff import Member, Right
from store.text import fold
from support import tickets

NAME_CHARS_MAX = 40
VALUE_CHARS_MAX = 500
CHOICES_MAX = 30
FIELDS_MAX = 20
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,6})?")
_DAY = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")


class Kind(StrEnum):
    """What may stand in a field; values are kept as text: 12.5, 2026-11-22."""

    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"
    DATE = "date"


class FieldRow(Base):
    __tablename__ = "ticket_fields"
    __table_args__ = (Index("ix_ticket_fields_shop", "shop_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    name: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    choices: Mapped[list[str]] = mapped_column(JSON)
    asked: Mapped[bool] = mapped_column(default=True)
    """Whether the desk asks for it; what was filled in stays."""


class FieldValueRow(Base):
    __tablename__ = "ticket_field_values"

    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    field_id: Mapped[int] = mapped_column(ForeignKey("ticket_fields.id"), primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a shop; `choices` where it is one of them."""

    id: int
    name: str
    kind: Kind
    choices: tuple[str, ...]
    asked: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """A field on a ticket; no value where nobody has filled it in."""

    field: Field
    value: str | None


field_table = table(FieldRow)
field_values = table(FieldValueRow)


# ── What a shop asks for ───────────────────────────────────────────────────────────────────────────


def of_shop(session: Session, shop_id: int) -> list[Field]:
    """A shop's fields, those no longer asked for too."""
    f = field_table.c
    rows = session.execute(select(f.id, f.name, f.kind, f.choices, f.asked).where(f.shop_id == shop_id).order_by(f.id))
    return [Field(row.id, row.name, Kind(row.kind), tuple(row.choices), row.asked) for row in rows]


def add(session: Session, shop_id: int, member: Member, name: str, kind: str, choices: Sequence[str] = ()) -> int:
    """Add a field; its number. Raises ForbiddenError, InvalidError (name, kind, choices)."""
    member.need(Right.CONSOLE, shop_id)
    if kind not in set(Kind):
        raise InvalidError("kind", "unknown", kind)
    known = of_shop(session, shop_id)
    if sum(one.asked for one in known) >= FIELDS_MAX:
        raise InvalidError("name", "count", FIELDS_MAX)
    values = {"name": _named(known, name, None), "kind": kind, "choices": _choices(Kind(kind), choices)}
    added = session.execute(
        insert(field_table).values(shop_id=shop_id, asked=True, **values).returning(field_table.c.id)
    ).scalar_one()
    audit.record(session, f"staff:{member.id}", "field_added", shop_id, field=added, **values)
    return int(added)


def change(
    session: Session, field_id: int, member: Member, name: str, choices: Sequence[str] = (), *, asked: bool
) -> None:  # fmt: skip
    """Rename a field, change what can be chosen, ask for it no longer or again; its kind stays. Raises as `add`,
    NotFoundError.
    """
    f = field_table.c
    shop_id = session.execute(select(f.shop_id).where(f.id == field_id).with_for_update()).scalar()
    if shop_id is None or not member.may(Right.CONSOLE, shop_id):
        raise NotFoundError("field", field_id)
    known = of_shop(session, shop_id)
    before = next(one for one in known if one.id == field_id)
    values: dict[str, Any] = {
        "name": _named(known, name, field_id), "choices": _choices(before.kind, choices), "asked": asked,
    }  # fmt: skip
    old = {"name": before.name, "choices": list(before.choices), "asked": before.asked}
    changed = {key: [old[key], new] for key, new in values.items() if old[key] != new}
    if changed:
        session.execute(update(field_table).where(f.id == field_id).values(**values))
        audit.record(session, f"staff:{member.id}", "field_changed", shop_id, field=field_id, changed=changed)


# ── What a ticket says ─────────────────────────────────────────────────────────────────────────────


def of(session: Session, ticket_id: int, shop_id: int) -> list[Filled]:
    """The fields of a ticket: those that are asked for, and those that were filled in."""
    values = _values(session, ticket_id)
    return [
        Filled(field, values.get(field.id)) for field in of_shop(session, shop_id) if field.asked or field.id in values
    ]


def fill(session: Session, ticket_id: int, member: Member, field_id: int, value: str) -> None:
    """Fill in a field; nothing empties it. Raises as tickets.view, NotFoundError (field), InvalidError("value": length,
    number, choice, date).
    """
    ticket = tickets.hold(session, ticket_id, member)
    field = next((one for one in of_shop(session, ticket.shop_id) if one.id == field_id), None)
    if field is None:
        raise NotFoundError("field", field_id)
    before = _values(session, ticket_id).get(field_id)
    after = checked(field, value)
    if after == before:
        return
    own = (field_values.c.ticket_id == ticket_id, field_values.c.field_id == field_id)
    if after is None:
        session.execute(delete(field_values).where(*own))
    elif before is None:
        session.execute(insert(field_values).values(ticket_id=ticket_id, field_id=field_id, value=after))
    else:
        session.execute(update(field_values).where(*own).values(value=after))
    tickets.log(session, ticket, "field", member.id, name=field.name, value=after, before=before)


def checked(field: Field, value: str) -> str | None:
    """A value as it is kept; None for nothing. Raises InvalidError("value")."""
    value = value.replace("\x00", "").strip()
    if not value:
        return None
    if len(value) > VALUE_CHARS_MAX:
        raise InvalidError("value", "length", len(value))
    if field.kind is Kind.NUMBER:
        return _number(value)
    if field.kind is Kind.DATE:
        return _date(value)
    if field.kind is Kind.CHOICE:
        chosen = next((one for one in field.choices if fold(one) == fold(value)), None)
        if chosen is None:
            raise InvalidError("value", "choice", value)
        return chosen
    return value


def carry(session: Session, from_id: int, to_id: int) -> None:
    """Take over what a ticket says on the one that it became a part of, where that says nothing itself. A field of another
    shop has no place there.
    """
    there = _values(session, to_id)
    fields = {field.id for field in of_shop(session, tickets.get(session, to_id).shop_id)}
    for field_id, value in _values(session, from_id).items():
        if field_id in fields and field_id not in there:
            session.execute(insert(field_values).values(ticket_id=to_id, field_id=field_id, value=value))


def filled_of(session: Session, ticket_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """What some tickets say, by ticket and name of field."""
    v, f = field_values.c, field_table.c
    rows = session.execute(
        select(v.ticket_id, f.name, v.value)
        .join(field_table, f.id == v.field_id)
        .where(v.ticket_id.in_(ticket_ids))
        .order_by(f.id)
    )
    found: dict[int, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.ticket_id, {})[row.name] = row.value
    return found


def _values(session: Session, ticket_id: int) -> dict[int, str]:
    v = field_values.c
    rows = session.execute(select(v.field_id, v.value).where(v.ticket_id == ticket_id))
    return {row.field_id: row.value for row in rows}


def _number(value: str) -> str:
    """12,5 and 1.234,5 as one writes them here, 12.5 and 1,234.5 as elsewhere; kept as 12.5. Raises InvalidError."""
    plain = value.replace(" ", "").replace("\N{NO-BREAK SPACE}", "").replace("−", "-")
    last = max(plain.rfind("."), plain.rfind(","))
    if last >= 0:
        mark = plain[last]
        grouped = re.fullmatch(rf"-?\d{{1,3}}([{re.escape(mark)}]\d{{3}})+", plain)
        other = "." if mark == "," else ","
        plain = plain.replace(mark, "") if grouped else plain.replace(other, "").replace(mark, ".")
    if not _NUMBER.fullmatch(plain):
        raise InvalidError("value", "number", value)
    return plain


def _date(value: str) -> str:
    """22/11/2026 or 2026-11-22, kept as the latter. Raises InvalidError."""
    found = _DAY.fullmatch(value)
    try:
        if found:
            return date(int(found[3]), int(found[2]), int(found[1])).isoformat()
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise InvalidError("value", "date", value) from None


def _named(known: Sequence[Field], name: str, but: int | None) -> str:
    name = re.sub(r"\s+", " ", name.replace("\x00", "")).strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if any(fold(one.name) == fold(name) and one.id != but for one in known):
        raise InvalidError("name", "taken", name)
    return name


def _choices(kind: Kind, choices: Sequence[str]) -> list[str]:
    if kind is not Kind.CHOICE:
        return []
    cleaned = [re.sub(r"\s+", " ", one.replace("\x00", "")).strip() for one in choices]
    found = list({fold(one): one for one in cleaned if one}.values())
    if len(found) < 2 or len(found) > CHOICES_MAX or any(len(one) > NAME_CHARS_MAX for one in found):
        raise InvalidError("choices", "count" if len(found) < 2 or len(found) > CHOICES_MAX else "length")
    return found
