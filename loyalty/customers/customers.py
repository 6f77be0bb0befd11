"""Customers: a person as the shop knows them, found by phone, by messenger account or by the short code on their card."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, ForeignKey, Index, Text, bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from loyalty.points import ledger
from store import events, secret
from store.base import Base, BigId, UtcTime, raw, table, to_micros
from store.clock import now
from store.errors import InvalidError, MovedError, NotFoundError
from store.prepared import Prepared
from store.text import fold

NAME_CHARS_MAX = 80
CODE_SIGNS = 8
LANGUAGES = ("vi", "en")
SEEN_MICROS = 3_600_000_000
"""How old the mark of when a person was last seen may grow: not every message is worth a write."""


class CustomerRow(Base):
    __tablename__ = "customers"
    __table_args__ = (
        Index(
            "ix_customers_merged_into", "merged_into",
            sqlite_where=text("merged_into IS NOT NULL"), postgresql_where=text("merged_into IS NOT NULL"),
        ),
        Index(
            "ix_customers_birthday", "birthday",
            sqlite_where=text("birthday IS NOT NULL"), postgresql_where=text("birthday IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    phone: Mapped[str | None] = mapped_column(Text, unique=True)
    """E.164; unique, proven or not: an unproven one is a guest's, made by an order."""
    phone_verified_at: Mapped[datetime | None] = mapped_column(UtcTime)
    name: Mapped[str] = mapped_column(Text, default="")
    folded: Mapped[str] = mapped_column(Text, default="")
    """The name in the form that is searched."""
    birthday: Mapped[date | None] = mapped_column(Date)
    language: Mapped[str] = mapped_column(Text, default="vi")
    address: Mapped[str | None] = mapped_column(Text)
    """How they wish to be addressed (loyalty.customers.addressing); empty until they were asked."""
    code: Mapped[str] = mapped_column(Text, unique=True)
    """8 readable signs, on the card and in its QR."""
    tags: Mapped[list[str]] = mapped_column(JSON, default=list)
    home_shop_id: Mapped[int | None] = mapped_column(ForeignKey("shops.id"))
    tier_id: Mapped[int | None] = mapped_column(ForeignKey("tiers.id"))
    advertising: Mapped[bool] = mapped_column(default=False)
    """Whether they agreed to offers."""
    joined_at: Mapped[datetime] = mapped_column(UtcTime)
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    erased_at: Mapped[datetime | None] = mapped_column(UtcTime)
    """When all that said who they are was taken out at their wish: nobody is met any more under this number."""
    spend_total: Mapped[int] = mapped_column(default=0)
    """Đồng paid in completed orders, refunds taken off. This and the next three are facts kept by `orders`."""
    orders_count: Mapped[int] = mapped_column(default=0)
    first_order_at: Mapped[datetime | None] = mapped_column(UtcTime)
    last_order_at: Mapped[datetime | None] = mapped_column(UtcTime)


class IdentityRow(Base):
    """A messenger account of a customer."""

    __tablename__ = "identities"

    account: Mapped[str] = mapped_column(Text, primary_key=True)
    """The shop's own account on the messenger: `telegram:123`, `web`."""
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    joined_at: Mapped[datetime] = mapped_column(UtcTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime)
    unreachable_since: Mapped[datetime | None] = mapped_column(UtcTime)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is talking: the customer behind a messenger account, with what every answer needs."""

    customer_id: int
    language: str
    name: str
    address: str | None
    has_phone: bool
    stale: bool
    """Their account was last marked as seen over an hour ago, or as unreachable: `seen` is due."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as rules give them out: `phone` in E.164, `spend_total` in đồng, `code` as it is on the card."""

    id: int
    phone: str | None
    phone_verified_at: datetime | None
    name: str
    birthday: date | None
    language: str
    address: str | None
    code: str
    tags: list[str]
    home_shop_id: int | None
    tier_id: int | None
    advertising: bool
    joined_at: datetime
    spend_total: int
    orders_count: int
    first_order_at: datetime | None
    last_order_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identity:
    """One messenger account of a customer; `reachable` until the messenger says that they blocked us."""

    account: str
    user_id: int
    chat_id: int
    reachable: bool


customers = table(CustomerRow)
identities = table(IdentityRow)
_FIELDS = tuple(customers.c[name] for name in Customer.__dataclass_fields__)
_MERGED = Prepared(select(customers.c.merged_into).where(customers.c.id == bindparam("which")))
_LOCK = Prepared(
    select(customers.c.merged_into).where(customers.c.id == bindparam("which")).with_for_update(key_share=True)
)
_GET = Prepared(select(*_FIELDS, customers.c.merged_into).where(customers.c.id == bindparam("which")))
_IDENTITIES = Prepared(
    select(
        identities.c.account, identities.c.user_id, identities.c.chat_id,
        identities.c.unreachable_since.is_(None).label("reachable"),
    )
    .where(identities.c.customer_id == bindparam("customer"))
    .order_by(identities.c.last_seen_at.desc(), identities.c.joined_at.desc())
)  # fmt: skip
_UNSHOWN = {"Cc", "Cs", "Co", "Cn"}
_BIDI = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"}


def clean_name(name: str) -> str:
    """A name as it may be kept: NFC, one line, no control or direction marks, at most 80 signs. HTML stays text."""
    kept = unicodedata.normalize("NFC", name)
    if not kept.isprintable():
        kept = "".join(
            sign for sign in kept
            if (unicodedata.category(sign) not in _UNSHOWN and sign not in _BIDI) or sign in "\t\n "
        )  # fmt: skip
    elif "  " not in kept:
        return kept.strip()[:NAME_CHARS_MAX].strip()
    return re.sub(r"\s+", " ", kept).strip()[:NAME_CHARS_MAX].strip()


def named(name: str) -> dict[str, str]:
    """What is written of a cleaned name: itself and the form that is searched."""
    return {"name": name, "folded": fold(name)}


def create(
    session: Session,
    *,
    phone: str | None = None,
    name: str = "",
    language: str = "vi",
    birthday: date | None = None,
    home_shop_id: int | None = None,
    joined_at: datetime | None = None,
) -> int:
    """A new customer with empty accounts; their number. Raises IntegrityError when the phone is known."""
    customer_id = int(
        session.execute(
            insert(customers)
            .values(
                phone=phone, **named(clean_name(name)), language=language if language in LANGUAGES else "vi",
                birthday=birthday, code=secret.code(CODE_SIGNS), tags=[], home_shop_id=home_shop_id,
                joined_at=joined_at or now(session), advertising=False, spend_total=0, orders_count=0,
            )
            .returning(customers.c.id)
        ).scalar_one()
    )  # fmt: skip
    session.execute(
        insert(ledger.accounts),
        [
            {"owner": "customer", "owner_id": customer_id, "name": account, "unit": ledger.unit_of(account),
             "balance": 0, "hot": 0}
            for account in ("available", "pending", "tier")
        ],
    )  # fmt: skip
    return customer_id


def by_phone(session: Session, phone: str) -> int | None:
    """The customer of an E.164 number, proven or not; None where there is none."""
    return session.execute(select(customers.c.id).where(customers.c.phone == phone)).scalar()


def find_or_create(session: Session, phone: str, **values: Any) -> tuple[int, bool]:
    """The customer of an E.164 number and whether they are new; a race between replicas makes one customer."""
    known = by_phone(session, phone)
    if known is not None:
        return known, False
    try:
        with session.begin_nested():
            return create(session, phone=phone, **values), True
    except IntegrityError:
        found = by_phone(session, phone)
        if found is None:
            raise
        return found, False


def resolve(session: Session, customer_id: int) -> int:
    """The number under which a customer lives on after merges; raises NotFoundError."""
    for _ in range(10):
        found = _MERGED(session, which=customer_id)
        if not found:
            break
        [(merged_into,)] = found
        if merged_into is None:
            return customer_id
        customer_id = merged_into
    raise NotFoundError("customer", customer_id)


def get(session: Session, customer_id: int) -> Customer:
    """A customer, followed through merges; raises NotFoundError."""
    for *fields, merged_into in _GET(session, which=customer_id):
        if merged_into is None:
            return Customer(*fields)
    return get(session, resolve(session, customer_id))


def lock(session: Session, customer_id: int) -> int:
    """Hold a customer still, so that what they do at one instant is taken in one after the other; their number after merges.
    FOR NO KEY UPDATE: rows that refer to them are written meanwhile. Raises NotFoundError.
    """
    while True:
        customer_id = resolve(session, customer_id)
        if all(merged_into is None for (merged_into,) in _LOCK(session, which=customer_id)):
            return customer_id


def by_code(session: Session, code: str) -> int:
    """The customer whose card bears a code (case, spaces and dashes aside); raises NotFoundError."""
    wanted = re.sub(r"[\s-]", "", code).upper()
    row = session.execute(
        select(customers.c.id).where(customers.c.code == wanted, customers.c.merged_into.is_(None))
    ).scalar()
    if row is None:
        raise NotFoundError("customer", code)
    return int(row)


def change(session: Session, customer_id: int, **values: Any) -> None:
    """Change name, birthday, language, address, advertising, tags or home shop of a customer (their own number, merges
    followed). Raises InvalidError naming the field.
    """
    if "name" in values:
        values |= named(clean_name(values["name"]))
    if "language" in values and values["language"] not in LANGUAGES:
        raise InvalidError("language", "unknown", values["language"])
    birthday = values.get("birthday")
    if birthday is not None and not date(1900, 1, 1) <= birthday <= now(session).date():
        raise InvalidError("birthday", "range", birthday)
    if unknown := set(values) - {
        "name",
        "folded",
        "birthday",
        "language",
        "address",
        "advertising",
        "tags",
        "home_shop_id",
    }:
        raise InvalidError(min(unknown), "unknown")
    session.execute(update(customers).where(customers.c.id == customer_id).values(**values))
    if values.keys() & {"name", "birthday"}:
        events.happened(session, "profile_changed", customer_id=customer_id)


PERSON = "c.id, c.language, c.name, c.address, c.phone_verified_at IS NOT NULL, n.last_seen_at, n.unreachable_since"
PERSON_JOIN = "LEFT JOIN identities n ON n.account = ? AND n.user_id = ? LEFT JOIN customers c ON c.id = n.customer_id"
"""A person as a part of a larger look, account and user id for the marks."""


def person_of(session: Session, row: Sequence[Any]) -> Person | None:
    """The person that a row's `PERSON` holds; None where nobody is known by the account."""
    customer_id, language, name, address, has_phone, seen_at, unreachable = row
    if customer_id is None:
        return None
    stale = unreachable is not None or to_micros(now(session)) - seen_at > SEEN_MICROS
    return Person(customer_id, language, name, address, bool(has_phone), stale)


def identify(session: Session, account: str, user_id: int) -> Person | None:
    """Who is behind a messenger account, or None at first sight. On the way of every message: hand-written."""
    rows = raw(session, f"SELECT {PERSON} FROM (SELECT 1 AS one) look {PERSON_JOIN}", (account, user_id))  # noqa: S608
    return person_of(session, rows[0])


def meet(
    session: Session, account: str, user_id: int, chat_id: int, *, name: str, language: str, shop_id: int | None
) -> Person:
    """A messenger account writes for the first time: a new customer, or the known one after all.

    Raises MovedError when another replica meets the same account at this instant: the work runs again and finds them.
    """
    known = identify(session, account, user_id)
    if known is not None:
        return known
    customer_id = create(session, name=name, language=language, home_shop_id=shop_id)
    moment = to_micros(now(session))
    rows = raw(
        session,
        "INSERT INTO identities (account, user_id, customer_id, chat_id, joined_at, last_seen_at) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account, user_id) DO NOTHING RETURNING customer_id",
        (account, user_id, customer_id, chat_id, moment, moment),
    )
    if not rows:
        raise MovedError("identity")
    person = identify(session, account, user_id)
    assert person is not None
    return person


def identities_of(session: Session, customer_id: int) -> list[Identity]:
    """A customer's messenger accounts, the one they used last first."""
    return [Identity(*row) for row in _IDENTITIES(session, customer=customer_id)]


def reach(session: Session, account: str, chat_id: int, *, reachable: bool) -> None:
    """A messenger said that a person blocked the bot, or let it in again."""
    session.execute(
        update(identities)
        .where(identities.c.account == account, identities.c.chat_id == chat_id)
        .values(unreachable_since=None if reachable else now(session))
    )


def seen(session: Session, account: str, user_id: int) -> None:
    """A person wrote: this is the messenger to answer them on from now on."""
    session.execute(
        update(identities)
        .where(identities.c.account == account, identities.c.user_id == user_id)
        .values(last_seen_at=now(session), unreachable_since=None)
    )
