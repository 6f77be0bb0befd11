"""Segments: criteria in SQL beside a filter in plain Python, on both databases; and what criteria may not say."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers.customers import customers, identities
from loyalty.customers.facts import facts
from loyalty.orders import bought
from loyalty.orders.orders import orders
from loyalty.outreach.campaigns import drafts
from loyalty.outreach.deliveries import deliveries
from loyalty.outreach.links import links
from loyalty.outreach.segments import criteria, lists, saved, segments, whys
from loyalty.outreach.segments.criteria import CriteriaError
from loyalty.outreach.segments.fields import FIELDS
from loyalty.outreach.segments.whys import Verdict
from loyalty.points.ledger import accounts
from loyalty.points.lots import lots
from loyalty.referrals.referrals import referrals
from loyalty.tiers.qualification import watches
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from loyalty.vouchers.vouchers import vouchers
from store.base import raw
from store.clock import SetClock
from store.engine import Store, open_store
from tests.conftest import NOON, _admin, copy_of

ZONE = "Asia/Ho_Chi_Minh"
TIERS = ("Thành viên", "Bạc", "Vàng", "Bạch kim")
TAGS = ("vip", "sỉ", "trà's")

ITEMS: tuple[list[dict[str, str]], ...] = (
    [], [{"name": "Cà phê Sữa", "category": "Đồ uống"}], [{"name": "bánh mì", "sku": "BM1"}, {"code": "X", "group": "đồ uống"}],
)  # fmt: skip
FACTS = {
    "open_tickets": (0, 1, 2), "open_complaints": (0, 1), "last_rating": (1, 2, 5), "debt": (0, 70_000), "p_alive": (5, 90),
    "worth": (0, 2_000_001),
}  # fmt: skip
_END = datetime(NOON.year, NOON.month, NOON.day, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
AHEAD = (_END + timedelta(days=1), _END + timedelta(days=31), _END + timedelta(days=32), _END - timedelta(days=2))
"""Ends of days: today's, that of the 30th and the 31st day from now, and one that has passed."""


@dataclass(frozen=True)
class Person:
    """A customer as plain facts."""

    id: int
    points: int | None
    tier: int | None
    spend: int
    orders: int
    last: datetime | None
    joined: datetime
    birthday: date | None
    language: str
    tags: list[str]
    messengers: list[str]
    gone: str | None
    home: int | None
    unreachable: bool
    seen: datetime
    offers: bool
    first: datetime | None
    bought: list[tuple[int, datetime, int, int, str, list[dict[str, str]]]]
    """(shop, when, total, refunded, status, items) of each order."""
    pending: int | None
    tier_points: int | None
    lots: list[tuple[int, datetime | None, bool]]
    """(left, until, pending) of each."""
    falls: datetime | None
    vouchers: list[tuple[int, str, datetime | None]]
    """(programme, state, until) of each."""
    referral: str | None
    """How the one stands by whom they came."""
    referrer: int
    facts: dict[str, int]
    sent: list[tuple[int, str, datetime, datetime | None, bool]]
    """(campaign, state, left, opened, voucher used) of each."""
    listed: bool


def people() -> list[Person]:
    dice = Random(7)

    def moment() -> datetime:
        # Often right at a midnight of the shop, where a day begins.
        day = NOON - timedelta(days=dice.choice((0, 1, 2, 30, 59, 60, 61, 400)))
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))
        return dice.choice((midnight, midnight - timedelta(microseconds=1), day)).astimezone(UTC)

    return [
        Person(
            id=number,
            points=dice.choice((None, 0, 1, 99, 100, 101, 5_000)),
            tier=dice.choice((None, 1, 2, 3, 4)),
            spend=dice.choice((0, 50_000, 2_000_000, 2_000_001)),
            orders=dice.choice((0, 1, 2, 10)),
            last=dice.choice((None, moment(), moment())),
            joined=moment(),
            birthday=dice.choice((None, date(1990, 2, 28), date(2000, 12, 31), date(2004, 6, 1))),
            language=dice.choice(("vi", "en")),
            tags=dice.sample(TAGS, dice.randint(0, 3)),
            messengers=dice.sample(("telegram:7", "zalo:9", "web"), dice.randint(0, 3)),
            gone=dice.choice((None, None, None, None, None, None, "merged", "erased")),
            home=dice.choice((None, 1, 2)),
            unreachable=dice.random() < 0.3,
            seen=moment(),
            offers=dice.random() < 0.5,
            first=dice.choice((None, moment())),
            bought=[
                (
                    dice.choice((1, 2)),
                    moment(),
                    dice.choice((50_000, 100_000)),
                    dice.choice((0, 0, 50_000)),
                    dice.choice(("completed", "completed", "refunded", "pending", "cancelled")),
                    dice.choice(ITEMS),
                )
                for _ in range(dice.choice((0, 0, 1, 2, 3)))
            ],
            pending=dice.choice((None, 0, 100)),
            tier_points=dice.choice((None, 0, 50)),
            lots=[
                (dice.choice((0, 1, 40)), dice.choice((None, *AHEAD)), dice.random() < 0.2)
                for _ in range(dice.choice((0, 0, 1, 2)))
            ],
            falls=dice.choice((None, None, NOON - timedelta(days=1), NOON + timedelta(days=9))),
            vouchers=[
                (dice.choice((1, 2)), dice.choice(("open", "used", "held")), dice.choice((None, *AHEAD)))
                for _ in range(dice.choice((0, 0, 1, 2)))
            ],
            referral=dice.choice((None, None, "waiting", "due", "rewarded", "refused")),
            referrer=dice.randint(1, 20),
            facts={name: dice.choice(FACTS[name]) for name in FACTS if dice.random() < 0.6},
            sent=[
                (
                    number,
                    dice.choice(("sent", "sent", "failed")),
                    moment(),
                    dice.choice((None, moment())),
                    dice.random() < 0.5,
                )
                for number in dice.sample((1, 2), dice.choice((0, 0, 1, 2)))
            ],
            listed=dice.random() < 0.3,
        )
        for number in range(1, 161)
    ]


PEOPLE = people()


def fill(session: Session) -> None:
    shop = programme.open_shop(session, "Phố Cafe", timezone=ZONE, language="vi")
    programme.open_shop(session, "Phố Trà", timezone=ZONE, language="vi")
    for number in (1, 2):
        voucher_programs.add(session, name=f"Giảm {number}", kind=Kind.AMOUNT, value=10_000)
    listed = saved.add_list(session, shop, "Sinh nhật tháng 6", "test")
    assert listed.id == 1
    for number in (1, 2):
        draft = drafts.Draft(f"Tết {number}", {"all": []}, "care", {"vi": "Chào"})
        added = drafts.add(session, shop, draft, "test")
        assert added.id == number
    raw(session, "INSERT INTO transfers (id, key, hash, kind, at, legs) VALUES (900, 'x', 'x', 'earn', 0, 0)")
    for one in PEOPLE:
        session.execute(
            insert(customers).values(
                id=one.id, name=f"Khách {one.id}", folded="", code=f"C{one.id}", tier_id=one.tier, spend_total=one.spend,
                orders_count=one.orders, last_order_at=one.last, joined_at=one.joined, birthday=one.birthday,
                language=one.language, tags=one.tags, advertising=one.offers, home_shop_id=one.home, first_order_at=one.first,
                merged_into=1 if one.gone == "merged" and one.id > 1 else None,
                erased_at=NOON if one.gone == "erased" else None,
            )
        )  # fmt: skip
        for at, account in enumerate(one.messengers):
            session.execute(
                insert(identities).values(
                    account=account, user_id=one.id * 10 + at, customer_id=one.id, chat_id=one.id, joined_at=NOON,
                    last_seen_at=one.seen - timedelta(days=at), unreachable_since=NOON if one.unreachable else None,
                )
            )  # fmt: skip
        for name, amount in (("available", one.points), ("pending", one.pending), ("tier", one.tier_points)):
            if amount is not None:
                session.execute(
                    insert(accounts).values(owner="customer", owner_id=one.id, name=name, unit="point", balance=amount)
                )

        for name, value in one.facts.items():
            session.execute(insert(facts).values(name=name, customer_id=one.id, value=value, at=NOON))
        if one.falls is not None:
            session.execute(insert(watches).values(customer_id=one.id, told_for=one.falls))
        if one.listed:
            session.execute(insert(lists.members).values(segment_id=1, customer_id=one.id))
        _fill_trade(session, one)
    for one in PEOPLE:
        if one.referral is not None and one.referrer != one.id:
            session.execute(
                insert(referrals).values(referrer_id=one.referrer, friend_id=one.id, opened_at=NOON, state=one.referral)
            )


def _fill_trade(session: Session, one: Person) -> None:
    """What they bought, were given and were sent."""
    for at, (shop, placed, total, refunded, status, items) in enumerate(one.bought):
        number = one.id * 10 + at
        session.execute(
            insert(orders).values(
                id=number, shop_id=shop, external_id=f"D{number}", customer_id=one.id, total=total, refunded=refunded,
                currency="VND", status=status, items=items, source="api", placed_at=placed, changed_at=placed, version=1,
                earned=0, standing=0, standing_tier=0, counted=0,
            )
        )  # fmt: skip
        bought.keep(session, number, items)
    for at, (left, until, pending) in enumerate(one.lots):
        session.execute(
            insert(lots).values(
                id=one.id * 10 + at, customer_id=one.id, shop_id=1, transfer_id=900, amount=40, remaining=left,
                earned_at=NOON, expires_at=until, pending_until=NOON if pending else None,
            )
        )  # fmt: skip
    for at, (offer, state, until) in enumerate(one.vouchers):
        session.execute(
            insert(vouchers).values(
                id=one.id * 10 + at, program_id=offer, code=f"V{one.id}X{at}", customer_id=one.id, state=state, issued_at=NOON,
                expires_at=until,
            )
        )  # fmt: skip
    for campaign, ended, sent_at, opened, used in one.sent:
        number = one.id * 10 + campaign + 5
        session.execute(
            insert(vouchers).values(
                id=number, program_id=1, code=f"W{number}", state="used" if used else "held", issued_at=NOON
            )
        )
        session.execute(
            insert(deliveries).values(
                id=number, source="campaign", source_id=campaign, step=0, occurrence="", customer_id=one.id, purpose=40,
                variant="A", state=ended, due_at=NOON, left_at=sent_at, voucher_id=number,
            )
        )  # fmt: skip
        for extra in range(2):
            session.execute(
                insert(links).values(
                    token=f"L{number}{extra}",
                    delivery_id=number,
                    url="https://x",
                    clicks=3 if opened else 0,
                    clicked_at=opened,
                )
            )


def days_ago(at: datetime | None) -> int | None:
    today = NOON.astimezone(ZoneInfo(ZONE)).date()
    return None if at is None else (today - at.astimezone(ZoneInfo(ZONE)).date()).days


def fits(one: Person, asked: dict[str, Any]) -> bool:
    """The oracle: criteria read straight off, in plain Python."""
    if "all" in asked:
        return all(fits(one, part) for part in asked["all"])
    if "any" in asked:
        return any(fits(one, part) for part in asked["any"])
    if "not" in asked:
        return not fits(one, asked["not"])
    name, op, wanted, span = asked["field"], asked["op"], asked["value"], asked.get("days")
    if op == "in":
        return any(fits(one, {**asked, "op": "=", "value": value}) for value in wanted)
    if op == "!=":
        return not fits(one, {**asked, "op": "="})
    if name in HOLDS:
        return wanted in HOLDS[name](one, span)
    have: Any = {
        "average_order": one.spend // one.orders if one.orders else None, "days_since_first_order": days_ago(one.first),
        "orders": len(real(one, span)), "spend": sum(total - back for _, _, total, back, _, _ in real(one, span)),
        "points_pending": one.pending or 0, "tier_points": one.tier_points or 0,
        "points_expiring": sum(
            left for left, until, pending in one.lots
            if until is not None and until > NOON and not pending
            and (span is None or -days_ago_of(until - timedelta(microseconds=1)) <= span)
        ),
        "vouchers": len(usable(one)),
        "friends": sum(
            friend.referrer == one.id and friend.id != one.id and friend.referral in {"due", "rewarded"} for friend in PEOPLE
        ),
        "days_since_last_reply": days_ago(one.seen) if one.messengers else None,
        "messages": sum(state == "sent" and lately(left, span) for _, state, left, _, _ in one.sent),
        "messages_clicked": sum(opened is not None and lately(opened, span) for _, _, _, opened, _ in one.sent),
        "open_tickets": one.facts.get("open_tickets", 0), "open_complaints": one.facts.get("open_complaints", 0),
        "debt": one.facts.get("debt", 0), "last_rating": one.facts.get("last_rating"),
        "p_alive": one.facts.get("p_alive"), "worth": one.facts.get("worth"),
        "points": one.points or 0, "tier": (one.tier or 1) - 1, "spend_total": one.spend, "orders_count": one.orders,
        "days_since_last_order": days_ago(one.last), "joined_days_ago": days_ago(one.joined),
        "birthday_month": one.birthday and one.birthday.month, "language": one.language,
    }[name]  # fmt: skip
    if name == "tier":
        wanted = TIERS.index(wanted)
    if have is None:
        return False
    return bool({
        "=": have == wanted, "<": have < wanted, "<=": have <= wanted, ">": have > wanted, ">=": have >= wanted,
    }[op])  # fmt: skip


def days_ago_of(at: datetime) -> int:
    found = days_ago(at)
    assert found is not None
    return found


def lately(at: datetime, span: int | None) -> bool:
    return span is None or days_ago_of(at) <= span


def real(one: Person, span: int | None) -> list[tuple[int, datetime, int, int, str, list[dict[str, str]]]]:
    return [
        order for order in one.bought
        if order[4] in {"completed", "refunded"} and order[2] > order[3] and lately(order[1], span)
    ]  # fmt: skip


def usable(one: Person) -> list[int]:
    return [offer for offer, state, until in one.vouchers if state == "open" and (until is None or until > NOON)]


def plain_class(one: Person) -> list[str]:
    """The grid, told in words."""
    ago = days_ago(one.last)
    if ago is None:
        return []
    if ago > 180:
        return ["cant_lose" if one.orders >= 5 else "lost"]
    if ago > 90:
        return ["at_risk" if one.orders >= 3 else "sleeping"]
    if one.orders >= 3:
        return ["champion" if ago <= 30 and one.orders >= 5 else "loyal"]
    if ago > 60:
        return ["cooling"]
    return ["promising" if one.orders == 2 else "new"]


def birthdays(one: Person) -> list[str]:
    day, today = one.birthday, NOON.astimezone(ZoneInfo(ZONE)).date()
    if day is None:
        return []
    said = ["today"] if (day.month, day.day) == (today.month, today.day) else []
    return [*said, {today.month: "this_month", today.month % 12 + 1: "next_month"}.get(day.month, "another")]


SAID_ITEM: dict[str, tuple[str, ...]] = {
    str(ITEMS[1][0]): ("cà phê sữa", "Ca Phe SUA"), str(ITEMS[2][0]): ("Bánh mì", "bm1"), str(ITEMS[2][1]): ("x",),
}  # fmt: skip
SAID_CATEGORY: dict[str, tuple[str, ...]] = {
    str(ITEMS[1][0]): ("Đồ uống", "do uong"),
    str(ITEMS[2][0]): (),
    str(ITEMS[2][1]): ("Đồ uống", "do uong"),
}
HOLDS: dict[str, Any] = {
    "tag": lambda one, _: one.tags,
    "messenger": lambda one, _: [account.split(":")[0] for account in one.messengers],
    "birthday": lambda one, _: birthdays(one),
    "shop": lambda one, _: [one.home],
    "reachable": lambda one, _: ["yes" if one.messengers and not one.unreachable else "no"],
    "offers": lambda one, _: ["yes" if one.offers else "no"],
    "list": lambda one, _: [1] if one.listed else [],
    "item": lambda one, span: [ways for order in real(one, span) for item in order[5] for ways in SAID_ITEM[str(item)]],
    "category": lambda one, span: [
        ways for order in real(one, span) for item in order[5] for ways in SAID_CATEGORY[str(item)]
    ],
    "ordered_at": lambda one, span: [order[0] for order in real(one, span)],
    "rfm": lambda one, _: plain_class(one),
    "tier_at_risk": lambda one, _: ["yes" if one.falls and one.falls > NOON else "no"],
    "voucher_of": lambda one, _: usable(one),
    "referred": lambda one, _: ["yes" if one.referral not in {None, "refused"} and one.referrer != one.id else "no"],
    "campaign_got": lambda one, _: [number for number, state, *_ in one.sent if state == "sent"],
    "campaign_clicked": lambda one, _: [sent[0] for sent in one.sent if sent[3] is not None],
    "campaign_redeemed": lambda one, _: [sent[0] for sent in one.sent if sent[4]],
}
"""What a customer has, of fields that are had or not."""


def wanted_for(field: str) -> st.SearchStrategy[int | str]:
    number = {
        "points": (-1, 0, 1, 99, 100, 101, 5_000), "spend_total": (0, 50_000, 2_000_000), "orders_count": (0, 1, 2, 10),
        "days_since_last_order": (-1, 0, 1, 2, 30, 59, 60, 61), "joined_days_ago": (0, 1, 2, 60, 400),
        "birthday_month": (1, 2, 6, 12), "average_order": (0, 25_000, 50_000, 2_000_000),
        "days_since_first_order": (0, 1, 60), "orders": (0, 1, 2), "spend": (0, 50_000, 100_000, 150_000),
        "points_pending": (0, 100), "tier_points": (0, 50), "points_expiring": (0, 1, 40, 41), "vouchers": (0, 1, 2),
        "friends": (0, 1, 3), "days_since_last_reply": (0, 1, 60), "messages": (0, 1, 2), "messages_clicked": (0, 1, 2),
        "open_tickets": (0, 1, 2), "open_complaints": (0, 1), "debt": (0, 70_000), "last_rating": (1, 2, 5), "p_alive": (5, 50, 90),
        "worth": (0, 2_000_000), "shop": (1, 2), "list": (1,), "ordered_at": (1, 2), "voucher_of": (1, 2),
        "campaign_got": (1, 2), "campaign_clicked": (1, 2), "campaign_redeemed": (1, 2),
    }  # fmt: skip
    text = {
        "tier": TIERS, "language": ("vi", "en"), "tag": (*TAGS, "none's"), "messenger": ("telegram", "zalo", "web"),
        "birthday": ("today", "this_month", "next_month"), "item": ("cà phê sữa", "Ca Phe SUA", "Bánh mì", "bm1", "x", "trà"),
        "category": ("Đồ uống", "do uong", "bánh"), "rfm": ("champion", "loyal", "promising", "new", "cooling", "at_risk",
        "sleeping", "cant_lose", "lost"), **dict.fromkeys(("reachable", "offers", "tier_at_risk", "referred"), ("yes", "no")),
    }  # fmt: skip
    return st.sampled_from(number.get(field) or text[field])


@st.composite
def a_test(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from(sorted(FIELDS)))
    op = draw(st.sampled_from([one.value for one in FIELDS[field].ops]))
    value = wanted_for(field)
    asked = {"field": field, "op": op, "value": draw(st.lists(value, min_size=1, max_size=3) if op == "in" else value)}
    if FIELDS[field].spans and draw(st.booleans()):
        asked["days"] = draw(st.sampled_from((0, 1, 30, 60)))
    return asked


CRITERIA = st.recursive(
    a_test(),
    lambda part: st.one_of(
        st.lists(part, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(part, max_size=3).map(lambda parts: {"any": parts}),
        part.map(lambda one: {"not": one}),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def crowd(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.AbstractEventLoop, Store]]:
    """A store with all those people in it, and the loop it lives on."""
    loop = asyncio.new_event_loop()
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("crowd") / "crowd.db"
        path.write_bytes(sqlite_template.read_bytes())
        url = f"sqlite+aiosqlite:///{path}"
    else:
        server, template = (request.getfixturevalue(name) for name in ("postgres_server", "postgres_template"))
        loop.run_until_complete(_admin(server, copy_of(template, "regulars_crowd")))
        url = server.set(database="regulars_crowd", drivername="postgresql+asyncpg").render_as_string(False)
    store = open_store(url, SetClock(NOON))
    loop.run_until_complete(store.write(fill))
    yield loop, store
    loop.run_until_complete(store.close())
    loop.close()


@settings(max_examples=70, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=CRITERIA)
def test_the_database_agrees_with_a_plain_filter(
    crowd: tuple[asyncio.AbstractEventLoop, Store], asked: dict[str, Any]
) -> None:
    loop, store = crowd
    expected = [one.id for one in PEOPLE if one.gone is None or (one.gone == "merged" and one.id == 1)]
    expected = [number for number in expected if fits(PEOPLE[number - 1], asked)]
    read = criteria.parse(asked)
    assert criteria.parse(criteria.written(read)) == read
    found = loop.run_until_complete(store.read(segments.preview, read, ZONE))
    assert found.count == len(expected)
    assert found.sample == expected[::-1][: segments.SAMPLE]
    assert list(loop.run_until_complete(store.read(segments.members, read, ZONE))) == expected
    some = [one.id for one in PEOPLE[20:40]]
    among = loop.run_until_complete(store.read(segments.among, read, ZONE, some))
    assert among == [number for number in some if number in expected]
    person = next(one for one in PEOPLE[1:] if one.gone is None)
    agrees(person, asked, loop.run_until_complete(store.read(whys.why, person.id, read, ZONE)))


def agrees(one: Person, asked: dict[str, Any], verdict: Verdict) -> None:
    """Every part of a verdict is what the plain filter says of that part."""
    assert verdict.holds == fits(one, asked), asked
    parts = asked.get("all") or asked.get("any") or ([asked["not"]] if "not" in asked else [])
    assert len(parts) == len(verdict.parts)
    for part, below in zip(parts, verdict.parts, strict=True):
        agrees(one, part, below)


def one(field: str, op: Any, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("asked", "field", "problem"),
    [
        ([], "criteria", "type"),
        ({}, "criteria", "format"),
        ({"all": [], "any": []}, "criteria", "format"),
        ({"all": {}}, "criteria.all", "type"),
        ({"all": [one("points", "=", 1), {"field": "points", "op": "="}]}, "criteria.all.1.value", "required"),
        ({"not": one("shoe_size", "=", 1)}, "criteria.not.field", "unknown"),
        (one("points", "~", 1), "criteria.op", "unknown"),
        (one("points", ["="], 1), "criteria.op", "unknown"),
        (one("points", "=", True), "criteria.value", "type"),
        (one("points", "=", 1.5), "criteria.value", "type"),
        (one("points", "=", "1"), "criteria.value", "type"),
        (one("points", "in", 1), "criteria.value", "type"),
        (one("points", "in", []), "criteria.value", "length"),
        (one("points", "=", 10**18), "criteria.value", "range"),
        (one("joined_days_ago", "<", 10**6), "criteria.value", "range"),
        (one("birthday_month", "=", 13), "criteria.value", "range"),
        (one("language", "<", "vi"), "criteria.op", "unsupported"),
        (one("language", "=", "fr"), "criteria.value", "unknown"),
        (one("tier", "=", "Kim cương"), "criteria.value", "unknown"),
        (one("messenger", "in", ["telegram", "signal"]), "criteria.value", "unknown"),
        ({**one("orders", ">", 1), "days": "9"}, "criteria.days", "type"),
        ({**one("orders", ">", 1), "days": -1}, "criteria.days", "range"),
        ({**one("points", ">", 1), "days": 9}, "criteria.days", "unsupported"),
        (one("shop", "=", 77), "criteria.value", "unknown"),
        (one("item", "=", 7), "criteria.value", "type"),
        (one("rfm", "=", "whale"), "criteria.value", "unknown"),
    ],
)
async def test_what_criteria_may_not_say_is_named(store: Store, asked: Any, field: str, problem: str) -> None:
    await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")
    with pytest.raises(CriteriaError) as refused:
        await store.read(segments.preview, criteria.parse(asked), ZONE)
    assert (refused.value.field, refused.value.problem) == (field, problem)


def test_criteria_have_bounds() -> None:
    deep: dict[str, Any] = one("points", "=", 1)
    for _ in range(criteria.DEPTH_MAX - 1):
        deep = {"not": deep}
    criteria.parse(deep)
    with pytest.raises(CriteriaError, match="depth"):
        criteria.parse({"not": deep})
    with pytest.raises(CriteriaError, match="length"):
        criteria.parse({"any": [{"all": [one("points", "=", 1)] * 31}, {"all": [one("points", "=", 1)] * 31}]})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_bought_lately_is_read_off_an_index_alone(store: Store) -> None:
    await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")

    def plan(session: Session) -> str:
        asked = criteria.parse({"field": "spend", "op": ">=", "value": 500_000, "days": 60})
        query = segments.fitting(session, asked, ZONE).compile(
            dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
        )
        return str(raw(session, f"EXPLAIN QUERY PLAN {query}"))

    assert "COVERING INDEX ix_orders_placed" in await store.read(plan)
