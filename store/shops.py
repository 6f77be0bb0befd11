"""Shops: each with its rate, its clock, its colours. All shops of an installation share one programme."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Text, bindparam, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, BigId, raw, table
from store.errors import InvalidError, NotFoundError
from store.prepared import Prepared
from store.text import fold

NAME_CHARS_MAX = 60
ADDRESS_CHARS_MAX = 200
PHONE_CHARS_MAX = 30
COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
PHONE = re.compile(r"[+0-9][0-9 ().-]{2,}")
"""How a shop's own number may stand: a hotline of few digits too."""
DEFAULT_BRAND = "#0F766E"


class ShopRow(Base):
    __tablename__ = "shops"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    currency: Mapped[str] = mapped_column(Text, default="VND")
    timezone: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(Text)
    brand: Mapped[str] = mapped_column(Text, default=DEFAULT_BRAND)
    earn_per: Mapped[int] = mapped_column(default=1_000)
    """The rates of a shop from before there were earning plans (loyalty.orders.earning); a shop with a plan goes by that."""
    tier_per: Mapped[int] = mapped_column(default=20_000)
    return_days: Mapped[int] = mapped_column(default=0)
    """Days until points of an order are available."""
    open_hours: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    address: Mapped[str] = mapped_column(Text, default="")
    phone: Mapped[str] = mapped_column(Text, default="")


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop's settings. `return_days`: days until an order's points are available; `timezone` is an IANA name, `brand` a
    colour as #RRGGBB. What an order gives is the shop's earning plan's.
    """

    id: int
    name: str
    slug: str
    currency: str
    timezone: str
    language: str
    brand: str
    return_days: int
    address: str
    phone: str


shops = table(ShopRow)
_FIELDS = tuple(shops.c[name] for name in Shop.__dataclass_fields__)
_GET = Prepared(select(*_FIELDS).where(shops.c.id == bindparam("shop")))
COLUMNS = ", ".join(f"s.{name}" for name in Shop.__dataclass_fields__)
FIRST_JOIN = "LEFT JOIN shops s ON s.id = (SELECT min(id) FROM shops)"
"""The first shop as a part of a larger look."""
_FIRST = f"SELECT {COLUMNS} FROM shops s ORDER BY id LIMIT 1"  # noqa: S608


def add(session: Session, name: str, *, timezone: str, language: str, brand: str = DEFAULT_BRAND) -> int:
    """Open a shop with the defaults of a new one; its number. Raises InvalidError("name", "brand").

    Its wallet is opened by `loyalty.programme.open_shop`, which is what callers above want.
    """
    name = name.strip()
    if not name or len(name) > NAME_CHARS_MAX:
        raise InvalidError("name", "length", name)
    if not COLOUR.fullmatch(brand):
        raise InvalidError("brand", "colour", brand)
    base = re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-") or "shop"
    slug, number = base, 1
    while session.execute(select(shops.c.id).where(shops.c.slug == slug)).first():
        number += 1
        slug = f"{base}-{number}"
    result = session.execute(
        insert(ShopRow)
        .values(name=name, slug=slug, timezone=timezone, language=language, brand=brand)
        .returning(ShopRow.id)
    )
    return int(result.scalar_one())


def get(session: Session, shop_id: int) -> Shop:
    """One shop; raises NotFoundError."""
    found = _GET(session, shop=shop_id)
    if not found:
        raise NotFoundError("shop", shop_id)
    return Shop(*found[0])


def every(session: Session) -> list[Shop]:
    """All shops, the first one first: it is the home of who has no other."""
    return [Shop(*row) for row in session.execute(select(*_FIELDS).order_by(shops.c.id))]


def first(session: Session) -> Shop | None:
    """The first shop, home of whoever has no other. On the way of every message."""
    rows = raw(session, _FIRST)
    return Shop(*rows[0]) if rows else None


def find(session: Session, name: str) -> Shop:
    """The shop of this number, slug or name (marks and case aside); raises NotFoundError."""
    wanted = fold(name.strip())
    for shop in every(session):
        if wanted in {str(shop.id), shop.slug, fold(shop.name)}:
            return shop
    raise NotFoundError("shop", name)


def change(session: Session, shop_id: int, **values: Any) -> None:
    """Change settings of a shop. Raises InvalidError naming the field, NotFoundError."""
    for field in {"name", "address", "phone"} & set(values):
        values[field] = re.sub(r"\s+", " ", values[field]).strip()
    for field, most in (("address", ADDRESS_CHARS_MAX), ("phone", PHONE_CHARS_MAX)):
        if len(values.get(field, "")) > most:
            raise InvalidError(field, "length", values[field])
    if values.get("phone") and not PHONE.fullmatch(values["phone"]):
        raise InvalidError("phone", "format", values["phone"])
    if "return_days" in values and not 0 <= values["return_days"] <= 365:
        raise InvalidError("return_days", "range", values["return_days"])
    if "brand" in values and not COLOUR.fullmatch(values["brand"]):
        raise InvalidError("brand", "colour", values["brand"])
    if "name" in values and not 0 < len(values["name"]) <= NAME_CHARS_MAX:
        raise InvalidError("name", "length", values["name"])
    known = {column.name for column in shops.c} - {"id", "slug", "earn_per", "tier_per"}
    if unknown := set(values) - known:
        raise InvalidError(min(unknown), "unknown")
    changed = session.execute(update(ShopRow).where(ShopRow.id == shop_id).values(**values).returning(ShopRow.id))
    if changed.first() is None:
        raise NotFoundError("shop", shop_id)
