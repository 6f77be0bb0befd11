"""Saved segments: a name, criteria and a policy. Criteria are data, so who is in it is always as of now.

Ready-made ones have a `key` and are otherwise like any other. A list (see `lists`) is a segment whose criteria say "is on
this list": whatever is done with segments is done with lists.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint, insert, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.outreach.segments import criteria, fields
from store import audit, shops
from store.base import Base, BigId, UtcTime, table
from store.clock import now
from store.errors import InvalidError, NotFoundError

NAME_CHARS_MAX = 80
WORDS_CHARS_MAX = 200
NOTES_CHARS_MAX = 1_000
SEGMENTS_MAX = 200
"""Of one shop."""


class SegmentRow(Base):
    __tablename__ = "segments"
    __table_args__ = (UniqueConstraint("shop_id", "key"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shops.id"))
    key: Mapped[str | None] = mapped_column(Text)
    """Of a ready-made one."""
    name: Mapped[str] = mapped_column(Text)
    criteria: Mapped[dict[str, Any]] = mapped_column(JSON)
    listed: Mapped[bool] = mapped_column(server_default=text("false"))
    """Its people were put there by a file."""
    discount: Mapped[int] = mapped_column(server_default="0")
    """Per cent that they are to get; the till shows it."""
    price_list: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """The name of a price list, or a link to it."""
    payment_terms: Mapped[str] = mapped_column(Text, server_default=text("''"))
    notes: Mapped[str] = mapped_column(Text, server_default=text("''"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Policy:
    """How people of a segment are to be treated, for those who serve them: `discount` in per cent, the rest in words."""

    discount: int = 0
    price_list: str = ""
    payment_terms: str = ""
    notes: str = ""

    def __bool__(self) -> bool:
        return bool(self.discount or self.price_list or self.payment_terms or self.notes)


@dataclass(frozen=True, slots=True)
class Segment:
    """A saved segment; see SegmentRow."""

    id: int
    shop_id: int
    key: str | None
    name: str
    criteria: dict[str, Any]
    listed: bool
    created_at: datetime
    changed_at: datetime
    policy: Policy


segments = table(SegmentRow)
_POLICY = tuple(Policy.__dataclass_fields__)
_NAMES = tuple(name for name in Segment.__dataclass_fields__ if name != "policy")
_FIELDS = tuple(segments.c[name] for name in _NAMES)


def add(
    session: Session, shop_id: int, name: str, criteria_: Any, policy: Policy, actor: str, *, listed: bool = False
) -> Segment:
    """Save a segment. Raises InvalidError (CriteriaError)."""
    shop = shops.get(session, shop_id)
    if len(of_shop(session, shop_id)) >= SEGMENTS_MAX:
        raise InvalidError("name", "count", SEGMENTS_MAX)
    moment = now(session)
    values = {"name": _name(name), **asdict(_policy(policy))}
    number = session.execute(
        insert(segments)
        .values(
            **values, shop_id=shop_id, listed=listed, criteria=_criteria(session, criteria_, shop.timezone), created_at=moment,
            created_by=actor, changed_at=moment,
        )
        .returning(segments.c.id)
    ).scalar_one()  # fmt: skip
    audit.record(session, actor, "segment_added", shop_id, segment=number, name=values["name"])
    return get(session, number, shop_id)


def add_list(session: Session, shop_id: int, name: str, actor: str) -> Segment:
    """Save a list, empty. Raises InvalidError."""
    segment = add(session, shop_id, name, {"all": []}, Policy(), actor, listed=True)
    on_it = {"field": "list", "op": "=", "value": segment.id}
    session.execute(update(segments).where(segments.c.id == segment.id).values(criteria=on_it))
    return get(session, segment.id, shop_id)


def change(
    session: Session, segment_id: int, shop_id: int, name: str, criteria_: Any | None, policy: Policy, actor: str
) -> Segment:
    """Save a segment anew (`criteria_` None: they stay). Raises NotFoundError, InvalidError (CriteriaError)."""
    was = get(session, segment_id, shop_id, lock=True)
    zone = shops.get(session, shop_id).timezone
    wanted = was.criteria if criteria_ is None or was.listed else _criteria(session, criteria_, zone)
    values: dict[str, Any] = {"name": _name(name), "criteria": wanted, **asdict(_policy(policy))}
    before: dict[str, Any] = {"name": was.name, "criteria": was.criteria, **asdict(was.policy)}
    changed = {field: [before[field], value] for field, value in values.items() if value != before[field]}
    if changed:
        session.execute(update(segments).where(segments.c.id == segment_id).values(**values, changed_at=now(session)))
        audit.record(
            session, actor, "segment_changed", shop_id, segment=segment_id, name=values["name"], changed=changed
        )
    return get(session, segment_id, shop_id)


def remove(session: Session, segment_id: int, shop_id: int, actor: str) -> None:
    """Take a segment out; what was sent to it keeps its own criteria. Raises NotFoundError."""
    was = get(session, segment_id, shop_id, lock=True)
    session.execute(update(segments).where(segments.c.id == segment_id).values(removed_at=now(session)))
    audit.record(session, actor, "segment_removed", shop_id, segment=segment_id, name=was.name)


def get(session: Session, segment_id: int, shop_id: int, *, lock: bool = False) -> Segment:
    """A segment of a shop; raises NotFoundError."""
    s = segments.c
    query = select(*_FIELDS, *(s[name] for name in _POLICY)).where(
        s.id == segment_id, s.shop_id == shop_id, s.removed_at.is_(None)
    )
    row = session.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("segment", segment_id)
    return _segment(row)


def of_shop(session: Session, shop_id: int) -> list[Segment]:
    """A shop's segments, in the order in which they were made."""
    s = segments.c
    rows = session.execute(
        select(*_FIELDS, *(s[name] for name in _POLICY))
        .where(s.shop_id == shop_id, s.removed_at.is_(None))
        .order_by(s.id)
    )
    return [_segment(row) for row in rows]


def with_policy(session: Session, shop_id: int) -> list[Segment]:
    """Those of a shop that say how their people are to be treated."""
    s = segments.c
    rows = session.execute(
        select(*_FIELDS, *(s[name] for name in _POLICY))
        .where(
            s.shop_id == shop_id, s.removed_at.is_(None),
            or_(s.discount > 0, s.price_list != "", s.payment_terms != "", s.notes != ""),
        )
        .order_by(s.discount.desc(), s.id)
    )  # fmt: skip
    return [_segment(row) for row in rows]


def missing(session: Session, shop_id: int, keys: Collection[str]) -> set[str]:
    """Those of these ready-made segments that a shop never had; one that was taken out isn't missing."""
    had = session.execute(select(segments.c.key).where(segments.c.shop_id == shop_id, segments.c.key.is_not(None)))
    return set(keys) - set(had.scalars())


def prepare(session: Session, shop_id: int, ready: Mapping[str, tuple[str, Any]]) -> None:
    """Make a shop's ready-made segments that it never had, `ready` being name and criteria by key."""
    never, moment = missing(session, shop_id, ready), now(session)
    for key, (name, asked) in ready.items():
        if key not in never:
            continue
        values = {"name": name, "criteria": asked, "created_at": moment, "created_by": "system", "changed_at": moment}
        try:
            with session.begin_nested():
                session.execute(insert(segments).values(shop_id=shop_id, key=key, **values))
        except IntegrityError:
            # Somebody else opened the page at this instant.
            continue


def _segment(row: Any) -> Segment:
    cut = len(_FIELDS)
    values: dict[str, Any] = dict(zip(_NAMES, row[:cut], strict=True))
    return Segment(**values, policy=Policy(*row[cut:]))


def _name(name: str) -> str:
    title = " ".join(name.replace("\x00", "").split())
    if not title:
        raise InvalidError("name", "empty")
    if len(title) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", NAME_CHARS_MAX)
    return title


def _policy(policy: Policy) -> Policy:
    if not 0 <= policy.discount <= 100:
        raise InvalidError("discount", "range", policy.discount)
    for field, most in (
        ("price_list", WORDS_CHARS_MAX), ("payment_terms", WORDS_CHARS_MAX), ("notes", NOTES_CHARS_MAX),
    ):  # fmt: skip
        if len(getattr(policy, field)) > most:
            raise InvalidError(field, "length", most)
    return policy


def _criteria(session: Session, given: Any, zone: str) -> dict[str, Any]:
    read = criteria.parse(given)
    fields.check(read, fields.look(session, zone))
    return criteria.written(read)
