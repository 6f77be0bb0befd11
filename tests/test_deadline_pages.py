"""Hours, deadlines and promises on the pages: what forms take and refuse, for whom they are, what the audit and the desk say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.web.shop.deadlines import spans
from loyalty.customers import customers
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from store.staff import Role
from support import tickets
from support.deadlines import calendars, clocks, escalations, policies, promises
from tests.test_console import Console, console, database_url
from tests.test_desk import Desk, asks, desk

__all__ = ["console", "database_url", "desk"]
WEEK = [[(8 * 60, 12 * 60), (13 * 60, 18 * 60)]] * 7
MORNING = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""A Friday, 9 o'clock in Hồ Chí Minh City."""
HOURS = {f"week_{place}": "8-12, 13:00–17h30" for place in range(6)} | {
    "week_6": "", "country": "VN", "day_0": "2026-12-24", "hours_0": "", "day_1": "2026-11-24", "hours_1": "9:00-11:00",
}  # fmt: skip
POLICY = {
    "on": "1", "first_urgent": "15m", "first_normal": "1h30", "resolution_normal": "8h", "warn_percent": "50",
    "who_0": "assignee", "after_0": "", "who_1": "owners", "after_1": "45",
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("8-12", [(480, 720)]), ("13:00–17h30, 8h-12h", [(480, 720), (780, 1050)]), ("18:00–2:00", [(1080, 1560)]),
        ("0-24", [(0, 1440)]), ("", []), ("8 đến 12 và 13 đến 17", [(480, 720), (780, 1020)]),
    ],
)  # fmt: skip
def test_shifts_as_people_type_them(said: str, meant: list[Any]) -> None:
    found = spans.shifts({"x": said}, "x")
    assert list(found) == meant
    assert spans.shifts({"x": spans.shown_shifts(found)}, "x") == found


@pytest.mark.parametrize("said", ["mở", "8", "8-25", "8:70-9", "25-26"])
def test_no_shift(said: str) -> None:
    with pytest.raises(InvalidError):
        spans.shifts({"x": said}, "x")


def test_durations_as_people_type_them() -> None:
    said = {"30": 30, "30m": 30, "2h": 120, "2h30": 150, "2 giờ 30 phút": 150, "90 phút": 90, "": None}
    assert {text: spans.minutes({"x": text}, "x") for text in said} == said
    assert [spans.shown_minutes(minutes) for minutes in (30, 120, 150, None)] == ["30m", "2h", "2h30", ""]
    with pytest.raises(InvalidError):
        spans.minutes({"x": "soon"}, "x")


# ── The console ────────────────────────────────────────────────────────────────────────────────────


async def test_hours_are_told_saved_and_audited(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "only a suggestion" in (await manager.get("/shop/hours")).text
    saved = await manager.post("/shop/hours", HOURS)
    assert "Running deadlines follow" in saved.text
    hours = await console.store.read(calendars.hours, console.shop)
    assert hours is not None
    assert hours.week[0] == ((480, 720), (780, 1050))
    assert hours.week[6] == ()
    assert sorted(day.isoformat() for day in hours.days) == ["2026-11-24", "2026-12-24"]
    (audited,) = await console.rows("hours_changed")
    assert audited.data["changed"]["hours"][0] is None
    assert audited.data["changed"]["hours"][1]["week"][0] == "8:00–12:00, 13:00–17:30"
    page = await manager.get("/shop/hours")
    assert 'value="2026-12-24"' in page.html
    again = {name: value for name, value in HOURS.items() if name != "day_0"}
    await manager.post("/shop/hours", again)
    hours = await console.store.read(calendars.hours, console.shop)
    assert hours is not None
    assert [day.isoformat() for day in hours.days] == ["2026-11-24"]


async def test_hours_that_cannot_be_say_where(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/hours")
    for change, field in (
        ({"week_2": "morning"}, "week_2"), ({"week_2": "8-12, 11-13"}, "week_2"), ({"country": "XX"}, "country"),
        ({"day_1": "2026-12-24"}, "day_1"), ({"hours_1": "nine"}, "hours_1"),
        ({f"week_{place}": "" for place in range(7)}, "week_0"),
    ):  # fmt: skip
        refused = await manager.post("/shop/hours", HOURS | change)
        assert refused.status == 422
        assert refused.error_at(field)
    assert await console.store.read(calendars.hours, console.shop) is None


async def test_what_hours_come_to_is_shown_while_they_are_typed(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    query = "&".join(f"{name}={value}" for name, value in HOURS.items())
    shown = await manager.get(f"/shop/hours/preview?{query}")
    assert "8:00–12:00, 13:00–17:30" in shown.text
    assert "Lunar New Year" in shown.text
    assert "Write it like" in (await manager.get("/shop/hours/preview?week_0=x")).text


async def test_a_policy_is_saved_as_a_version_and_shows_what_it_means(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "Deadlines start once" in (await manager.get("/shop/deadlines")).text
    await console.store.write(calendars.save, console.shop, [[(0, 1440)]] * 7, "", {})
    now = console.store.clock.now() + timedelta(hours=7)
    query = "&".join(f"{name}={value}" for name, value in POLICY.items())
    shown = (await manager.get(f"/shop/deadlines/preview?{query}")).text
    assert f"{now + timedelta(minutes=90):%H:%M}" in shown
    tier = 3
    await manager.post("/shop/deadlines", POLICY | {f"first_normal_{tier}": "20m", "told": "1"})
    policy = await console.store.read(policies.current, console.shop)
    assert policy.allowance("first", "normal", None) == timedelta(minutes=90)
    assert policy.allowance("first", "normal", tier) == timedelta(minutes=20)
    assert policy.allowance("next", "normal", None) is None
    assert policy.told
    assert [(level.who, level.after) for level in policy.ladder] == [("assignee", 0), ("owners", 45)]
    await manager.post("/shop/deadlines", {name: value for name, value in POLICY.items() if name != "on"})
    newer = await console.store.read(policies.current, console.shop)
    assert (newer.on, newer.id != policy.id) == (False, True)
    assert (await console.store.read(policies.version, policy.id)).on
    assert len(await console.rows("deadlines_changed")) == 2
    for change, field in (
        ({"first_urgent": "soon"}, "first_urgent"), ({"warn_percent": "5"}, "warn_percent"),
        ({"after_0": "2h"}, "after_1"), ({"first_low": "9999h"}, "first_low"),
    ):  # fmt: skip
        refused = await manager.post("/shop/deadlines", POLICY | change)
        assert refused.error_at(field), field


async def test_hours_and_deadlines_are_for_managers(console: Console) -> None:
    for role in (Role.AGENT, Role.SUPERVISOR, Role.CASHIER):
        other = await console.as_(role, console.shop)
        for path in ("/shop/hours", "/shop/deadlines", "/shop/hours/preview", "/shop/deadlines/preview"):
            assert (await other.get(path)).status == 403, (role, path)
        assert (await other.post("/shop/hours", HOURS)).status == 403
        assert (await other.post("/shop/deadlines", POLICY)).status == 403


async def test_a_missed_promise_stands_on_the_owners_list_of_today(console: Console, clock: SetClock) -> None:
    store = console.store
    person = await store.write(customers.create, name="Lan", home_shop_id=console.shop)
    ticket = (await store.write(tickets.open_or_join, person, console.shop)).ticket.id
    owner = await console.as_(Role.OWNER)
    minh = await store.read(staff.get, await console.hire(Role.AGENT, console.shop))
    await store.write(promises.make, ticket, minh, "Gọi lại", clock.now() + timedelta(hours=1))
    assert "was missed" not in (await owner.get("/shop")).text
    clock.advance(timedelta(hours=1))
    await store.write(promises.ring_due)
    today = await owner.get("/shop")
    assert "1 promise to a customer was missed" in today.text
    assert f"/desk/{ticket}" in today.html


# ── The desk ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def waiting(desk: Desk, clock: SetClock) -> int:
    """A ticket that came in on a morning."""
    clock.set(MORNING)
    await desk.store.write(calendars.save, desk.shop, WEEK, "VN", {})
    return (await asks(desk))[0]


async def turn(store: Store) -> None:
    for rule in (clocks.ring_due, promises.ring_due, escalations.climb_due):
        await store.write(rule)


async def line(desk: Desk, ticket: int, who: str = "minh") -> Any:
    _, found, _ = await desk.people[who].get("/desk/tickets?view=open")
    return next(one for one in found["lines"] if one["id"] == ticket)


async def test_the_list_says_what_hurries_and_one_key_takes_it(desk: Desk, clock: SetClock, waiting: int) -> None:
    due = (await line(desk, waiting))["facts"]["deadline"]
    assert (due["kind"], due["missed"]) == ("first", False)
    assert datetime.fromisoformat(due["at"]) == MORNING + timedelta(hours=1)
    clock.set(MORNING + timedelta(hours=1))
    await turn(desk.store)
    due = (await line(desk, waiting))["facts"]["deadline"]
    assert due["missed"]
    minh, stranger = desk.people["minh"], desk.people["stranger"]
    _, page, _ = await minh.get(f"/desk/tickets/{waiting}/deadlines")
    assert f"/desk/escalations/{due['escalation']}/mine".encode() in page
    path = f"/desk/escalations/{due['escalation']}/mine"
    assert (await stranger.post(path))[0] == 404
    assert (await desk.people["cashier"].post(path))[0] == 403
    assert (await minh.post(path, csrf=False))[0] == 403
    assert (await minh.post(path))[0] == 200
    assert (await line(desk, waiting))["facts"]["deadline"]["by"] == "Minh"
    _, thread, _ = await minh.get(f"/desk/tickets/{waiting}")
    assert [one["words"] for one in thread["lines"] if one.get("event") in {"deadline_missed", "acknowledged"}] == [
        "Đã quá hạn: Trả lời lần đầu", "Minh nhận lo (Trả lời lần đầu)",
    ]  # fmt: skip


async def test_a_promise_is_made_kept_and_moved_at_the_desk(desk: Desk, waiting: int) -> None:
    minh, stranger = desk.people["minh"], desk.people["stranger"]
    path = f"/desk/tickets/{waiting}/promised"
    form = {"what": "Gọi lại", "when": "thứ hai 9h", "key": "once-only-key"}
    for _ in range(2):
        status, answer = await minh.post(path, data=form)
        assert (status, answer["toast"]) == (200, "Đã hẹn, chậm nhất 09:00 23/11/2026")
    (promise,) = await desk.store.read(promises.of, [waiting])
    assert (await line(desk, waiting))["facts"]["promise"]["what"] == "Gọi lại"
    for sent, field in (({"what": "x", "when": "lát nữa"}, "when"), ({"what": "", "when": "2d"}, "what"),
                        ({"what": "x", "when": "2d", "owner": str(stranger.id)}, "owner"),
                        ({"what": "x", "until": "2026-11-01T09:00:00+07:00"}, "due_at")):  # fmt: skip
        status, answer = await minh.post(path, data=sent)
        assert (status, answer["field"]) == (422, field)
    assert (await stranger.post(path, data=form))[0] == 404
    for where in ("kept", "withdrawn", "changed"):
        assert (await stranger.post(f"/desk/promises/{promise.id}/{where}", data={"when": "2d"}))[0] == 404
    assert (await stranger.get(f"/desk/promises/{promise.id}"))[0] == 404
    assert (await stranger.get(f"/desk/tickets/{waiting}/promises"))[0] == 404
    assert (await minh.get(f"/desk/promises/{promise.id}"))[0] == 200
    assert (await minh.get(f"/desk/tickets/{waiting}/promise"))[0] == 200
    hoa = desk.people["hoa"]
    await minh.post(f"/desk/promises/{promise.id}/changed", data={"when": "25/11 10h", "owner": str(hoa.id)})
    promise = await desk.store.read(promises.get, promise.id)
    assert (promise.owner, promise.due_at) == ("Hoa", datetime(2026, 11, 25, 3, 0, tzinfo=UTC))
    assert (await hoa.post(f"/desk/promises/{promise.id}/kept"))[0] == 200
    status, answer = await minh.post(f"/desk/promises/{promise.id}/withdrawn")
    assert (status, answer["error"]) == (409, "Lời hẹn này đã kết thúc rồi.")
    _, page, _ = await minh.get(f"/desk/tickets/{waiting}/promises")
    assert "đã giữ hẹn" in page.decode()
