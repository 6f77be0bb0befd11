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
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers.customers import customers, identities
from loyalty.outreach.segments import criteria, segments
from loyalty.outreach.segments.criteria import CriteriaError
from loyalty.points.ledger import accounts
from store.clock import SetClock
from store.engine import Store, open_store
from tests.conftest import NOON, _admin, copy_of

ZONE = "Asia/Ho_Chi_Minh"
TIERS = ("Thành viên", "Bạc", "Vàng", "Bạch kim")
TAGS = ("vip", "sỉ", "trà's")


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
        )
        for number in range(1, 161)
    ]


PEOPLE = people()


def fill(session: Session) -> None:
    programme.open_shop(session, "Phố Cafe", timezone=ZONE, language="vi")
    for one in PEOPLE:
        session.execute(
            insert(customers).values(
                id=one.id, name=f"Khách {one.id}", folded="", code=f"C{one.id}", tier_id=one.tier, spend_total=one.spend,
                orders_count=one.orders, last_order_at=one.last, joined_at=one.joined, birthday=one.birthday,
                language=one.language, tags=one.tags, advertising=False,
                merged_into=1 if one.gone == "merged" and one.id > 1 else None,
                erased_at=NOON if one.gone == "erased" else None,
            )
        )  # fmt: skip
        for at, account in enumerate(one.messengers):
            session.execute(
                insert(identities).values(
                    account=account, user_id=one.id * 10 + at, customer_id=one.id, chat_id=one.id, joined_at=NOON,
                    last_seen_at=NOON,
                )
            )  # fmt: skip
        for name, amount in (("available", one.points), ("pending", 777)):
            if amount is not None:
                session.execute(
                    insert(accounts).values(owner="customer", owner_id=one.id, name=name, unit="point", balance=amount)
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
    name, op, wanted = asked["field"], asked["op"], asked["value"]
    if op == "in":
        return any(fits(one, {"field": name, "op": "=", "value": value}) for value in wanted)
    if op == "!=":
        return not fits(one, {"field": name, "op": "=", "value": wanted})
    if name == "tag":
        return wanted in one.tags
    if name == "messenger":
        return any(account.split(":")[0] == wanted for account in one.messengers)
    have: Any = {
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


def wanted_for(field: str) -> st.SearchStrategy[int | str]:
    number = {
        "points": (-1, 0, 1, 99, 100, 101, 5_000), "spend_total": (0, 50_000, 2_000_000), "orders_count": (0, 1, 2, 10),
        "days_since_last_order": (-1, 0, 1, 2, 30, 59, 60, 61), "joined_days_ago": (0, 1, 2, 60, 400),
        "birthday_month": (1, 2, 6, 12),
    }  # fmt: skip
    text = {"tier": TIERS, "language": ("vi", "en"), "tag": (*TAGS, "none's"), "messenger": ("telegram", "zalo", "web")}
    return st.sampled_from(number.get(field) or text[field])


@st.composite
def a_test(draw: st.DrawFn) -> dict[str, Any]:
    field = draw(st.sampled_from((
        "points", "tier", "spend_total", "orders_count", "days_since_last_order", "joined_days_ago", "birthday_month",
        "language", "tag", "messenger",
    )))  # fmt: skip
    only_equal = field in {"language", "tag", "messenger"}
    op = draw(st.sampled_from(("=", "!=", "in") if only_equal else ("=", "!=", "<", "<=", ">", ">=", "in")))
    value = wanted_for(field)
    return {"field": field, "op": op, "value": draw(st.lists(value, min_size=1, max_size=3) if op == "in" else value)}


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


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    pages = loop.run_until_complete(store.read(lambda session: list(segments.members(session, read, ZONE))))
    assert [number for page in pages for number in page] == expected


def one(field: str, op: str, value: Any) -> dict[str, Any]:
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
