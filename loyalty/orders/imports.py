"""Imports: rows of a sheet become orders and customers. A row that can't be right is refused by itself, with the reason;
the same file again changes nothing, so an import that was cut off is simply run again.

Nobody is told of what is imported and no journey starts from it. What an order gave expires by its own date, so points of
a year long past are earned and expired in the ledger at once.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import itemgetter
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers, facts, phones
from loyalty.orders import orders, sheets
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import points
from loyalty.tiers import qualification
from store import shops
from store.base import to_micros
from store.clock import now
from store.errors import InvalidError, RuleError
from store.text import fold

PERSON = {
    "phone": ("phone number", "mobile", "tel", "so dien thoai", "dien thoai", "sdt", "so dt", "dt", "so phone"),
    "name": (
        "customer name", "full name", "customer", "ten", "ho ten", "ho va ten", "ten khach hang", "ten khach",
        "khach hang",
    ),
}  # fmt: skip
ORDER_COLUMNS: dict[str, Sequence[str]] = PERSON | {
    "external_id": (
        "id", "order id", "order", "order no", "order number", "order code", "ma don", "ma don hang", "ma hoa don",
        "so hoa don", "so don", "ma dh", "ma hd",
    ),
    "total": (
        "amount", "paid", "total paid", "tong tien", "tong", "thanh tien", "thanh toan", "tong thanh toan", "so tien",
        "khach tra", "tong cong", "doanh thu",
    ),
    "placed_at": (
        "date", "time", "datetime", "created at", "order date", "ngay", "ngay mua", "ngay dat", "ngay tao", "ngay ban",
        "ngay gio", "thoi gian", "ngay don hang",
    ),
    "currency": ("tien te", "loai tien", "don vi tien te"),
    "status": ("order status", "trang thai", "tinh trang", "trang thai don", "trang thai don hang"),
    "refunded": ("refund", "refund amount", "hoan tien", "tien hoan", "da hoan", "so tien hoan", "tien tra lai"),
    "items": ("products", "san pham", "mat hang", "mon", "ten hang", "chi tiet", "hang hoa"),
}  # fmt: skip
ORDER_NEEDS = ("external_id", "phone", "total", "placed_at")
CUSTOMER_COLUMNS: dict[str, Sequence[str]] = PERSON | {
    "birthday": ("date of birth", "dob", "birth date", "ngay sinh", "sinh nhat"),
    "language": ("lang", "ngon ngu"),
    "tags": ("tag", "nhan", "the", "nhom", "phan loai"),
    "points": ("point", "balance", "diem", "diem tich luy", "so diem", "diem hien co"),
    "tier_points": ("tier point", "diem hang", "diem xep hang", "diem hang thanh vien"),
    "joined_at": ("joined", "member since", "ngay tham gia", "ngay dang ky", "ngay vao"),
    "last_bought": (
        "last purchase", "last order", "last bought", "lan mua cuoi", "lan mua gan nhat", "ngay mua cuoi", "ngay mua gan nhat",
        "mua gan nhat", "don gan nhat", "ngay giao dich cuoi", "ngay giao dich gan nhat",
    ),
    "debt": ("cong no", "no", "no hien tai", "du no", "con no", "owes", "receivable"),
}  # fmt: skip
CUSTOMER_NEEDS = ("phone",)
STATUSES = {
    Status.COMPLETED: (
        "", "completed", "complete", "done", "paid", "success", "hoan thanh", "hoan tat", "da hoan thanh", "thanh cong",
        "da thanh toan", "da giao", "da giao hang", "xong",
    ),
    Status.PENDING: (
        "pending", "processing", "new", "cho", "cho xu ly", "dang xu ly", "cho thanh toan", "chua thanh toan", "moi",
        "dang giao", "dang giao hang",
    ),
    Status.CANCELLED: ("cancelled", "canceled", "cancel", "huy", "da huy", "don huy"),
    Status.REFUNDED: ("refunded", "refund", "returned", "hoan tien", "da hoan tien", "tra hang", "da tra hang", "hoan"),
}  # fmt: skip
_STATUS = {word: status for status, words in STATUSES.items() for word in words}
LANGUAGES = {"": None, "vi": "vi", "vn": "vi", "tieng viet": "vi", "vietnamese": "vi", "en": "en", "tieng anh": "en",
             "english": "en"}  # fmt: skip
TAG_CHARS_MAX = 40
TAGS_MAX = 20
ITEMS_CHARS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A row as an order, ready to be put; `line` is its number in the file."""

    line: int
    external_id: str
    order: OrderInput


@dataclass(frozen=True, slots=True)
class CustomerLine:
    """A row as a customer; what the file doesn't say is None (0 for points)."""

    line: int
    phone: str
    name: str = ""
    birthday: date | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    points: int = 0
    tier_points: int = 0
    joined_at: datetime | None = None
    debt: int | None = None
    """đồng they owe by the shop's books; the last file's word stands."""
    last_bought: datetime | None = None
    """By the shop's books as well."""


@dataclass(slots=True)
class Taken:
    """What became of some rows: how many were new, changed something or were there already, and which were refused."""

    new: int = 0
    changed: int = 0
    same: int = 0
    refused: list[tuple[int, RuleError]] = field(default_factory=list)

    def add(self, other: "Taken") -> None:
        self.new += other.new
        self.changed += other.changed
        self.same += other.same
        self.refused += other.refused


def order_reader(columns: Mapping[str, int], shop: shops.Shop) -> Callable[[sheets.Row], OrderLine]:
    """What reads the rows of a file as orders of the shop; it raises InvalidError naming the column."""
    names = ("external_id", "phone", "total", "placed_at", "name", "currency", "status", "refunded", "items")
    pick = _picker(columns, names)
    zone = ZoneInfo(shop.timezone)

    def read(row: sheets.Row) -> OrderLine:
        external, phone, total, placed_at, name, currency, status, refunded, items = pick(row)
        external_id = sheets.text(external)
        if not external_id or len(external_id) > orders.EXTERNAL_ID_CHARS_MAX:
            raise InvalidError("external_id", "length", external_id)
        order = OrderInput(
            total=sheets.integer(total, "total"),
            currency=_currency(sheets.text(currency), shop.currency) if currency else shop.currency,
            placed_at=sheets.moment(placed_at, "placed_at", zone),
            status=_status(sheets.text(status)) if status else Status.COMPLETED,
            phone=_phone(phone),
            name=customers.clean_name(sheets.text(name)) if name else "",
            refunded=None if refunded in {"", None} else sheets.integer(refunded, "refunded"),
            items=_items(sheets.text(items)) if items else (),
        )
        return OrderLine(row.line, external_id, order)

    return read


def customer_reader(columns: Mapping[str, int], shop: shops.Shop) -> Callable[[sheets.Row], CustomerLine]:
    """What reads the rows of a file as customers; it raises InvalidError naming the column."""
    names = (
        "phone",
        "name",
        "birthday",
        "language",
        "tags",
        "points",
        "tier_points",
        "joined_at",
        "debt",
        "last_bought",
    )
    pick = _picker(columns, names)
    zone = ZoneInfo(shop.timezone)

    def read(row: sheets.Row) -> CustomerLine:
        phone, name, birthday, language, tags, opening, tier_opening, joined_at, debt, last = pick(row)
        return CustomerLine(
            row.line,
            _phone(phone),
            customers.clean_name(sheets.text(name)),
            None if birthday in {"", None} else sheets.day(birthday, "birthday"),
            _language(sheets.text(language)),
            _tags(sheets.text(tags)),
            _points(opening, "points"),
            _points(tier_opening, "tier_points"),
            None if joined_at in {"", None} else sheets.moment(joined_at, "joined_at", zone),
            None if debt in {"", None} else sheets.integer(debt, "debt"),
            None if last in {"", None} else sheets.moment(last, "last_bought", zone),
        )

    return read


def take_customers(session: Session, shop_id: int, lines: Sequence[CustomerLine]) -> Taken:
    """Take some customers in. A known one keeps what they said of themselves: only what is not known of them is filled
    in. Opening points are posted once, as lots that expire as if earned today.
    """
    taken = Taken()
    shop = shops.get(session, shop_id)
    for line in lines:
        try:
            with session.begin_nested():
                outcome = _take_customer(session, shop, line)
        except RuleError as error:
            taken.refused.append((line.line, error))
        else:
            setattr(taken, outcome, getattr(taken, outcome) + 1)
    return taken


def _take_customer(session: Session, shop: shops.Shop, line: CustomerLine) -> str:
    moment = now(session)
    if line.birthday is not None and not date(1900, 1, 1) <= line.birthday <= moment.date():
        raise InvalidError("birthday", "range", line.birthday)
    if line.joined_at is not None and not 2000 <= line.joined_at.year <= moment.year + 1:
        raise InvalidError("joined_at", "range", line.joined_at)
    if line.debt is not None and not 0 <= line.debt <= orders.MONEY_MAX:
        raise InvalidError("debt", "range", line.debt)
    if line.last_bought is not None and not 2000 <= line.last_bought.year <= moment.year + 1:
        raise InvalidError("last_bought", "range", line.last_bought)
    customer_id, new = customers.find_or_create(
        session, line.phone, name=line.name, language=line.language or shop.language, birthday=line.birthday,
        home_shop_id=shop.id, joined_at=line.joined_at,
    )  # fmt: skip
    was = customers.get(session, customer_id)
    fill: dict[str, Any] = {}
    if not was.name and line.name:
        fill |= customers.named(line.name)
    if was.birthday is None and line.birthday is not None:
        fill["birthday"] = line.birthday
    if not set(line.tags) <= set(was.tags):
        fill["tags"] = sorted({*was.tags, *line.tags})
    if line.joined_at is not None and line.joined_at < was.joined_at:
        fill["joined_at"] = line.joined_at
    if fill:
        table = customers.customers
        session.execute(update(table).where(table.c.id == was.id).values(**fill))
    told = False
    bought = None if line.last_bought is None else to_micros(line.last_bought)
    for fact, value in ((facts.DEBT, line.debt), (facts.LAST_BOUGHT, bought)):
        if value is not None and value != facts.get(session, was.id, fact):
            facts.put(session, was.id, fact, value)
            told = True
    opened = _open_balances(session, shop, was.id, line)
    if opened or new:
        qualification.retier(session, was.id, shop.id, quiet=True, eventful=False)
    return "new" if new else "changed" if fill or opened or told else "same"


def _open_balances(session: Session, shop: shops.Shop, customer_id: int, line: CustomerLine) -> bool:
    expires_at = programme.expiry(session, zone=shop.timezone)
    opened = False
    for name, amount, tier_amount in (("points", line.points, 0), ("tier", 0, line.tier_points)):
        done = points.earn(
            session, f"opening:{name}:{customer_id}", "opening", customer_id=customer_id, shop_id=shop.id,
            points=amount, tier_points=tier_amount, expires_at=expires_at, inputs=[customer_id, amount, tier_amount],
        )  # fmt: skip
        opened = opened or (done is not None and done.new)
    return opened


def _picker(columns: Mapping[str, int], names: Sequence[str]) -> Callable[[sheets.Row], Sequence[Any]]:
    """What takes the cells of the named columns out of a row; a column or cell that isn't there is empty."""
    places = [columns.get(name, -1) for name in names]
    width = max(places) + 1
    take = itemgetter(*places)

    def pick(row: sheets.Row) -> Sequence[Any]:
        cells = row.cells[:width]
        # The empty cell at the end stands for every column that the file lacks.
        return cast(Sequence[Any], take([*cells, *[""] * (width - len(cells) + 1)]))

    return pick


def _phone(cell: Any) -> str:
    typed = sheets.text(cell).lstrip("'")
    if not typed:
        raise InvalidError("phone", "missing")
    return phones.normal(typed)


def _currency(said: str, default: str) -> str:
    if not said:
        return default
    return "VND" if fold(said).strip(". ") in {"vnd", "d", "₫", "dong"} else said.upper()


def _status(said: str) -> Status:
    status = _STATUS.get(said) or _STATUS.get(re.sub(r"[^a-z]+", " ", fold(said)).strip())
    if status is None:
        raise InvalidError("status", "unknown", said)
    return status


def _language(said: str) -> str | None:
    spoken = fold(said).replace("-", " ")
    language = LANGUAGES.get(spoken, LANGUAGES.get(spoken[:2], ""))
    if language == "":
        raise InvalidError("language", "unknown", said)
    return language


def _tags(said: str) -> tuple[str, ...]:
    tags = tuple(tag for part in re.split(r"[,;|]", said) if (tag := part.strip()))
    if len(tags) > TAGS_MAX or any(len(tag) > TAG_CHARS_MAX for tag in tags):
        raise InvalidError("tags", "length", said)
    return tags


def _points(cell: Any, column: str) -> int:
    amount = 0 if cell in {"", None} else sheets.integer(cell, column)
    if not 0 <= amount <= points.POINTS_MAX:
        raise InvalidError(column, "range", amount)
    return amount


def _items(said: str) -> list[dict[str, Any]]:
    """What was bought: a JSON list of objects, or names set apart by semicolons, each perhaps with `2 x` before it."""
    if not said:
        return []
    if len(said) > ITEMS_CHARS_MAX:
        raise InvalidError("items", "length")
    if said.startswith("["):
        try:
            listed = json.loads(said)
        except ValueError:
            listed = None
        if isinstance(listed, list) and all(isinstance(item, dict) for item in listed):
            return listed
    items = []
    for part in re.split(r"[;\n]", said):
        found = re.fullmatch(r"\s*(?:(\d{1,4})\s*[x×]\s*)?(.+?)\s*", part)
        if found:
            items.append({"name": found[2], "quantity": int(found[1] or 1)})
    return items
