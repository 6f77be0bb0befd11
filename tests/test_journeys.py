"""Journeys: begun by what happens and by the calendar, gone through step by step, exactly once whatever jumps or stops."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from bot.chores import _to_the_end
from loyalty import programme
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach import deliveries
from loyalty.outreach.campaigns import contents
from loyalty.outreach.journeys import beginnings, dry_run, journeys, progress, ready, standings, steps, triggers
from loyalty.points import points
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind
from store import events, notices, shops
from store.base import raw
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from tests.chatting import customer_of, quiet, settled_person
from tests.running import running, until
from tests.test_sender import PICTURE

HCMC = ZoneInfo("Asia/Ho_Chi_Minh")
WHO = "staff:1"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=HCMC.key, language="vi")


async def person(store: Store, **values: Any) -> int:
    number = await store.write(customers.create, name="Lan", language="vi", home_shop_id=None)
    if values:
        await store.write(customers.change, number, **values)
    return number


async def order(store: Store, shop: int, number: str, customer_id: int, at: datetime | None = None) -> None:
    told = OrderInput(
        total=85_000,
        currency="VND",
        placed_at=at or store.clock.now(),
        status=Status.COMPLETED,
        customer_id=customer_id,
    )
    await store.write(orders.put, shop, number, told)


async def journey(store: Store, shop: int, trigger: Any, *listed: Any, who: Any = None) -> int:
    made = await store.write(journeys.add, shop, WHO, name="Thử", trigger=trigger, steps=list(listed), who=who)
    await store.write(journeys.switch, made.id, shop, WHO, on=True)
    return made.id


async def tick(store: Store) -> None:
    """What the clock loop does of it."""
    for rule in (beginnings.hear_due, beginnings.calendar_due, progress.advance_due):
        await _to_the_end(store, rule)


async def planned(store: Store) -> list[tuple[int, int, str, str]]:
    """What is to be said: customer, step, occurrence and when."""
    d = deliveries.deliveries.c
    rows = await store.read(
        lambda session: session.execute(
            select(d.customer_id, d.step, d.occurrence, d.due_at).where(d.source == "journey").order_by(d.due_at, d.id)
        ).all()
    )
    return [(row[0], row[1], row[2], f"{row[3].astimezone(HCMC):%Y-%m-%d %H:%M}") for row in rows]


def say(words: str = "Chào {{ name }}") -> dict[str, Any]:
    return {"kind": "message", "messages": {"vi": words}}


async def test_an_order_begins_it_once_and_days_are_waited(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    number = await journey(
        store, shop, {"kind": "order_completed"}, say(), {"kind": "wait", "days": 2, "at": "09:00"}, say()
    )
    await order(store, shop, "HD-1", lan)
    for _ in range(3):
        await tick(store)
    assert [(who, step) for who, step, *_ in await planned(store)] == [(lan, 1)]
    clock.advance(timedelta(days=2))
    await tick(store)
    assert [(step, at) for _, step, _, at in await planned(store)] == [
        (1, "2026-11-21 12:00"), (3, "2026-11-23 09:00"),
    ]  # fmt: skip
    await order(store, shop, "HD-2", lan)
    await tick(store)
    assert [occurrence for _, _, occurrence, _ in await planned(store)] == [f"{shop}:HD-1"] * 2 + [f"{shop}:HD-2"]
    assert await store.read(standings.standing, number) == {("done", None): 1, ("active", 3): 1}


async def test_who_joins_is_welcomed_by_their_home_shop_alone(store: Store, shop: int, clock: SetClock) -> None:
    other = await store.write(programme.open_shop, "Phố Hai", timezone=HCMC.key, language="vi")
    both = [await journey(store, one, {"kind": "joined"}, say()) for one in (shop, other)]
    nowhere, there = await person(store), await person(store, home_shop_id=other)
    for who in (nowhere, there):
        await store.write(events.happened, "phone_proven", customer_id=who)
    await tick(store)
    assert [await store.read(standings.standing, number) for number in both] == [
        {("done", None): 1},
        {("done", None): 2},
    ]
    met = [await store.read(dry_run.look, one, {"kind": "joined"}, None, [say()]) for one in (shop, other)]
    assert [one.people for one in met] == [1, 2]


async def test_first_and_second_are_counted_by_when_they_were_placed(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    first = await journey(store, shop, {"kind": "first_order"}, say("Một"))
    second = await journey(store, shop, {"kind": "second_order"}, say("Hai"))
    await order(store, shop, "HD-1", lan)
    await order(store, shop, "HD-2", lan, clock.now() + timedelta(minutes=5))
    await order(store, shop, "HD-3", lan, clock.now() + timedelta(minutes=9))
    await tick(store)
    assert await store.read(standings.standing, first) == {("done", None): 1}
    assert await store.read(standings.standing, second) == {("done", None): 1}
    assert len(await planned(store)) == 2


async def test_what_happened_before_it_was_on_begins_nothing(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    await order(store, shop, "HD-1", lan)
    clock.advance(timedelta(minutes=1))
    number = await journey(store, shop, {"kind": "order_completed"}, say())
    await tick(store)
    assert await planned(store) == []
    await store.write(journeys.switch, number, shop, WHO, on=False)
    await order(store, shop, "HD-2", lan)
    await tick(store)
    assert await planned(store) == []


async def test_birthdays_come_once_a_year_the_leap_day_too(store: Store, shop: int, clock: SetClock) -> None:
    leap, may = await person(store, birthday=date(2000, 2, 29)), await person(store, birthday=date(1990, 5, 1))
    await journey(store, shop, {"kind": "birthday", "days_before": 0}, say())
    for year in (2027, 2028, 2029):
        for month, first in ((2, 26), (4, 29)):
            for more in range(5):
                clock.set(datetime(year, month, first, 1, 5, tzinfo=UTC) + timedelta(days=more))
                await tick(store)
    assert [(who, occurrence, at) for who, _, occurrence, at in await planned(store)] == [
        (leap, "2027", "2027-02-28 08:00"), (may, "2027", "2027-05-01 08:00"),
        (leap, "2028", "2028-02-29 08:00"), (may, "2028", "2028-05-01 08:00"),
        (leap, "2029", "2029-02-28 08:00"), (may, "2029", "2029-05-01 08:00"),
    ]  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_birthdays_are_looked_up_and_not_looked_for(store: Store, shop: int) -> None:
    def plan(session: Session) -> str:
        found = triggers.TRIGGERS["birthday"].day
        assert found is not None
        those = found(session, {"days_before": 0}, date(2026, 2, 28), shops.get(session, shop)).subquery()
        page = select(those.c[0]).where(those.c[0] > 7, those.c[0] <= 60_000).order_by(those.c[0])
        query = page.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
        return str(raw(session, f"EXPLAIN QUERY PLAN {query}"))

    assert "ix_customers_birthday" in await store.read(plan)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_of_two_shops_the_one_where_somebody_is_at_home_keeps_their_calendar(
    store: Store, shop: int, clock: SetClock
) -> None:
    other = await store.write(programme.open_shop, "Phố Trà", timezone=HCMC.key, language="vi")
    born = date(1990, 11, 25)
    homes = {await person(store, home_shop_id=home, birthday=born): home for home in (shop, other, None)}
    for who in homes:
        await order(store, shop, f"HD-{who}", who, at=clock.now() - timedelta(days=30))
    by_trigger: list[Any] = [
        {"kind": "birthday", "days_before": 0},
        {"kind": "no_order", "days": 30},
        {"kind": "date", "on": "2026-11-25"},
    ]
    places = {await journey(store, place, each, say()): place for each in by_trigger for place in (shop, other)}
    for day in (22, 25):
        clock.set(datetime(2026, 11, day, 2, tzinfo=UTC))
        await tick(store)
    d = deliveries.deliveries.c
    rows = await store.read(lambda session: session.execute(select(d.customer_id, d.source_id)).all())
    # Who is at home nowhere is the first shop's.
    assert sorted((who, places[number]) for who, number in rows) == sorted(
        (who, home or shop) for who, home in homes.items() for _ in by_trigger
    )
    mine = await store.read(dry_run.look, other, {"kind": "no_order", "days": 30}, None, [say()])
    assert mine.people == 1
    # A voucher that is good at one shop alone is that shop's affair, wherever they are at home.
    program = await store.write(voucher_programs.add, name="Trà", kind=Kind.GIFT, hidden=True, shop_id=other)
    await store.write(vouchers.issue, program.id, next(iter(homes)), key="x")

    def due(session: Session, place: int) -> int:
        found = triggers.TRIGGERS["voucher_unused"].day
        assert found is not None
        at = shops.get(session, place)
        return len(session.execute(found(session, {"days": 1}, date(2026, 11, 26), at)).all())

    assert [await store.read(due, place) for place in (shop, other)] == [0, 1]


async def test_who_stays_away_is_asked_back_once_for_each_last_order(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    await order(store, shop, "HD-1", lan)
    steps_ = (say(), {"kind": "wait", "days": 7}, {
        "kind": "condition", "criteria": {"field": "days_since_last_order", "op": ">=", "value": 37},
        "then": [say("Lần hai")], "else": [{"kind": "exit"}],
    }, {"kind": "tag", "tag": "ngủ quên"})  # fmt: skip
    number = await journey(store, shop, {"kind": "no_order", "days": 30}, *steps_)
    for _ in range(40):
        clock.advance(timedelta(days=1))
        await tick(store)
    assert [(step, at[5:10]) for _, step, _, at in await planned(store)] == [(1, "12-21"), (4, "12-28")]
    assert (await store.read(customers.get, lan)).tags == ["ngủ quên"]
    await order(store, shop, "HD-2", lan)
    clock.advance(timedelta(days=33))
    await tick(store)
    await order(store, shop, "HD-3", lan)
    clock.advance(timedelta(days=8))
    await tick(store)
    assert len(await planned(store)) == 3
    assert await store.read(standings.standing, number) == {("done", None): 1, ("left", None): 1}


async def test_gifts_come_once_and_what_cannot_be_given_is_not_told_of(store: Store, shop: int) -> None:
    lan, mai = await person(store), await person(store)
    program = await store.write(voucher_programs.add, name="Trà", kind=Kind.GIFT, stock=1, hidden=True, shop_id=shop)
    number = await journey(
        store, shop, {"kind": "order_completed"}, {"kind": "voucher", "program": program.id},
        {"kind": "points", "points": 20, "reason": "Cảm ơn"}, say("Quà đây"), say("Hẹn gặp lại"),
    )  # fmt: skip
    await order(store, shop, "HD-1", lan)
    await order(store, shop, "HD-2", mai)
    await tick(store)
    await tick(store)
    (kept,) = await store.read(vouchers.wallet, lan)
    assert await store.read(vouchers.wallet, mai) == []
    assert [(await store.read(points.balances, who))[0] for who in (lan, mai)] == [85 + 20] * 2
    d = deliveries.deliveries.c
    rows = await store.read(
        lambda session: session.execute(
            select(d.customer_id, d.step, d.state, d.reason, d.voucher_id).where(d.source_id == number).order_by(d.id)
        ).all()
    )
    assert [tuple(row) for row in rows] == [
        (lan, 3, "planned", None, kept.voucher.id), (lan, 4, "planned", None, None),
        (mai, 3, "skipped", "no_voucher", None), (mai, 4, "planned", None, None),
    ]  # fmt: skip
    heard = await store.read(standings.heard, number)
    assert (heard[3].waiting, heard[3].missed, heard[4].waiting) == (1, {"no_voucher": 1}, 2)
    told = await store.read(lambda session: session.execute(select(notices.NoticeRow.kind)).scalars().all())
    assert "voucher_given" not in told, "the journey's own message tells of it"


async def test_a_gift_and_its_words_come_as_one_message(sqlite_url: str, clock: SetClock) -> None:
    async with running(sqlite_url, clock=clock) as here:
        who = await settled_person(here, first_name="Lan")
        lan = (await customer_of(here, who)).id
        await here.store.write(customers.change, lan, birthday=date(1990, 11, 25))
        made = await here.store.write(ready.adopt, here.shop_id, "birthday", WHO)
        shown = await here.store.write(contents.keep, PICTURE, (100, 100))
        steps = [step | ({"pictures": [shown.sha]} if step["kind"] == "message" else {}) for step in made.steps]
        await here.store.write(
            journeys.change, made.id, here.shop_id, WHO, name=made.name, trigger=made.trigger, steps=steps
        )
        await here.store.write(journeys.switch, made.id, here.shop_id, WHO, on=True)
        await quiet(here)
        before = len(who.texts)
        clock.set(datetime(2026, 11, 22, 2, 0, tzinfo=UTC))
        await until(lambda: any("sinh nhật" in text for text in who.texts))
        await quiet(here)
        (said,) = who.texts[before:]
        (kept,) = await here.store.read(vouchers.wallet, lan)
        assert vouchers.shown(kept.voucher.code) in said
        assert "22/12/2026" in said
        assert len(here.api.calls_of("sendPhoto")) == 1


async def test_criteria_that_ask_for_what_is_gone_hold_up_no_other_journey(store: Store, shop: int) -> None:
    lan = await person(store)
    broken = {"field": "tier", "op": "=", "value": "Bạc"}
    await journey(store, shop, {"kind": "order_completed"}, say("Không"), who=broken)
    asks = {"kind": "condition", "criteria": broken, "then": [say("Có")], "else": [say("Không")]}
    number = await journey(store, shop, {"kind": "order_completed"}, asks)
    gone = broken | {"value": "Kim cương"}
    await store.write(raw, "UPDATE journeys SET criteria = ? WHERE id <> ?", (json.dumps(gone), number))
    (kept,) = (await store.read(journeys.get, number)).steps
    changed = json.dumps([kept | {"criteria": gone}])
    await store.write(raw, "UPDATE journeys SET steps = ? WHERE id = ?", (changed, number))
    await order(store, shop, "HD-1", lan)
    await tick(store)
    assert [(step, what) for _, step, what, _ in await planned(store)] == [(3, f"{shop}:HD-1")]


async def test_a_pause_stands_still_and_then_goes_on_step_by_step(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    wait = {"kind": "wait", "days": 2}
    number = await journey(store, shop, {"kind": "order_completed"}, wait, say(), wait, say())
    await order(store, shop, "HD-1", lan)
    await tick(store)
    await store.write(journeys.switch, number, shop, WHO, on=False)
    clock.advance(timedelta(days=10))
    await tick(store)
    assert await planned(store) == []
    await store.write(journeys.switch, number, shop, WHO, on=True)
    for _ in range(4):
        await tick(store)
        clock.advance(timedelta(days=1))
    assert [(step, at[5:10]) for _, step, _, at in await planned(store)] == [(2, "12-01"), (4, "12-03")]


async def test_a_step_that_was_taken_out_ends_who_stood_at_it(store: Store, shop: int, clock: SetClock) -> None:
    lan = await person(store)
    number = await journey(store, shop, {"kind": "order_completed"}, {"kind": "wait", "days": 1}, say("Cũ"))
    await order(store, shop, "HD-1", lan)
    await tick(store)
    fresh = [{"id": 1, "kind": "wait", "days": 1}, {"id": 7, **say("Mới")}]
    await store.write(journeys.change, number, shop, WHO, name="Thử", trigger={"kind": "order_completed"}, steps=fresh)
    clock.advance(timedelta(days=1))
    await tick(store)
    assert await planned(store) == []
    assert await store.read(standings.standing, number) == {("left", None): 1}


def test_numbers_of_steps_stay_and_forks_lead_on() -> None:
    kept = steps.check([
        {"id": 5, **say()},
        {"kind": "split", "share": 50, "a": [say()], "b": []},
        {"id": 5, **say()},
    ])  # fmt: skip
    assert [step["id"] for step in kept] == [5, 1, 3]
    placed = steps.places(kept)
    assert (steps.branch(placed[1], "a"), steps.branch(placed[1], "b")) == (2, 3)
    assert (placed[2].following, placed[3].following) == (3, None)
    assert steps.check(kept) == kept


@pytest.mark.parametrize(
    ("step", "since", "zone", "until"),
    [
        ({"days": 1}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-22T12:00+07:00"),
        ({"days": 0, "at": "09:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-21T12:00+07:00"),
        ({"hours": 5}, "2026-03-29T00:00+01:00", "Europe/Berlin", "2026-03-29T06:00+02:00"),
        ({"days": 1}, "2026-03-28T12:00+01:00", "Europe/Berlin", "2026-03-29T12:00+02:00"),
        ({"days": 1, "at": "02:30"}, "2026-03-28T12:00+01:00", "Europe/Berlin", "2026-03-29T03:30+02:00"),
        ({"weekday": 1, "at": "09:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-23T09:00+07:00"),
        ({"weekday": 6, "at": "09:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-28T09:00+07:00"),
        ({"weekday": 6, "at": "13:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-21T13:00+07:00"),
        ({"date": "2026-12-24", "at": "18:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-12-24T18:00+07:00"),
        ({"date": "2026-01-01", "at": "18:00"}, "2026-11-21T12:00+07:00", "Asia/Ho_Chi_Minh", "2026-11-21T12:00+07:00"),
    ],
)
def test_how_long_is_waited(step: dict[str, Any], since: str, zone: str, until: str) -> None:
    at = datetime.fromisoformat(since).astimezone(UTC)
    assert steps.waits_until(step, at, zone) == datetime.fromisoformat(until)


async def test_what_a_journey_may_not_be_is_named(store: Store, shop: int) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"trigger": {"kind": "full_moon"}}, "trigger.kind"),
        ({"trigger": {"kind": "birthday"}}, "trigger.days_before"),
        ({"trigger": {"kind": "no_order", "days": 0}}, "trigger.days"),
        ({"trigger": {"kind": "date", "on": "31/12"}}, "trigger.on"),
        ({"steps": []}, "steps"),
        ({"steps": [{"kind": "dance"}]}, "steps.0.kind"),
        ({"steps": [{"kind": "wait"}]}, "steps.0.days"),
        ({"steps": [{"kind": "wait", "days": 1, "at": "9h"}]}, "steps.0.at"),
        ({"steps": [{"kind": "message", "messages": {}}]}, "steps.0.messages"),
        ({"steps": [{"kind": "message", "messages": {"vi": "{{ x }}"}}]}, "steps.0.messages.vi"),
        ({"steps": [{"kind": "condition", "criteria": {}}]}, "steps.0.criteria"),
        ({"steps": [{"kind": "split", "share": 50, "a": [{"kind": "wait", "days": -1}]}]}, "steps.0.a.0.days"),
        ({"steps": [{"kind": "tag", "tag": " "}]}, "steps.0.tag"),
        ({"who": {"field": "shoe", "op": "=", "value": 1}}, "who.field"),
        ({"name": ""}, "name"),
    ]
    for change, field in wrong:
        values = {"name": "Thử", "trigger": {"kind": "joined"}, "steps": [say()]} | change
        with pytest.raises(InvalidError) as refused:
            await store.write(journeys.add, shop, WHO, **values)
        assert refused.value.field == field
