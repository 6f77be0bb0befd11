"""Deadlines: clocks that run, stand still and ring on their second; the ladder; how often a person is told; promises."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from loyalty import programme
from loyalty.customers import customers
from loyalty.tiers import tiers
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError, InvalidError, MovedError, NotFoundError
from store.notices import NoticeRow
from store.staff import Member, Role
from support import handling, linking, messages, privacy, thread, tickets
from support.deadlines import alerts, calendars, clocks, escalations, policies, promises
from support.deadlines.policies import Level, Policy

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = [(8 * 60, 12 * 60), (13 * 60, 18 * 60)]
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


@pytest.fixture
async def shop(store: Store, clock: SetClock) -> int:
    """A shop that is open from 8 to 18 but for lunch, on a Monday at 9."""
    clock.set(local("2026-03-02 09:00"))
    shop_id = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    await store.write(calendars.save, shop_id, [DAY] * 7, "VN", {})
    return shop_id


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, name="Nguyễn Thị Lan", phone="+84903123456", home_shop_id=shop)


async def hire(store: Store, name: str, role: Role, shop_id: int | None) -> Member:
    return await store.read(staff.get, await store.write(staff.add, name, role, shop_id))


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await hire(store, "Minh", Role.AGENT, shop)


async def says(store: Store, customer: int, shop: int, text: str = "Ly bị vỡ") -> int:
    joined = await store.write(tickets.open_or_join, customer, shop)
    await store.write(messages.customer_says, joined.ticket.id, text=text)
    return int(joined.ticket.id)


async def answers(store: Store, ticket: int, member: Member) -> None:
    await store.write(messages.agent_says, ticket, member, "Dạ em xem ngay", key=f"key-{store.clock.now().timestamp()}")


async def tick(store: Store) -> int:
    """What the clock loop does of it in one turn."""
    done = 0
    for rule in (clocks.recount_due, clocks.ring_due, promises.ring_due, escalations.climb_due, alerts.digest_due):
        while found := await store.write(rule):
            done += found
    return done


async def clock_of(store: Store, ticket: int, kind: str) -> clocks.Clock:
    return [one for one in await store.read(clocks.of, [ticket]) if one.kind == kind][-1]


async def told(store: Store, kind: str, staff_id: int | None = None) -> list[dict[str, Any]]:
    def look(session: Any) -> list[dict[str, Any]]:
        rows = session.execute(select(NoticeRow).where(NoticeRow.kind == kind).order_by(NoticeRow.id)).scalars()
        return [dict(row.params) for row in rows if staff_id in {None, row.staff_id}]

    return await store.read(look)


async def history(store: Store, ticket: int, member: Member) -> list[str]:
    return [one.kind for one in await store.read(thread.page, ticket, member) if isinstance(one, thread.Happened)]


async def test_a_shop_without_hours_is_always_open_and_has_no_deadlines(store: Store, clock: SetClock) -> None:
    shop_id = await store.write(programme.open_shop, "Mới", timezone="Asia/Ho_Chi_Minh", language="vi")
    mai = await store.write(customers.create, name="Mai", phone="+84903123457", home_shop_id=shop_id)
    ticket = await says(store, mai, shop_id)
    assert await store.read(calendars.is_open, shop_id, clock.now())
    assert await store.read(calendars.opens_next, shop_id, clock.now()) == clock.now()
    assert await store.read(clocks.of, [ticket]) == []
    clock.advance(30 * 24 * HOUR)
    assert await tick(store) == 0


async def test_hours_tell_when_a_shop_is_open(store: Store, shop: int) -> None:
    assert await store.read(calendars.is_open, shop, local("2026-03-02 09:00"))
    assert not await store.read(calendars.is_open, shop, local("2026-03-02 12:30"))
    assert await store.read(calendars.opens_next, shop, local("2026-02-17 10:00")) == local("2026-02-21 08:00")
    same = await store.write(calendars.save, shop, [DAY] * 7, "VN", {})
    assert same is None


async def test_hours_that_cannot_be(store: Store, shop: int) -> None:
    week: Any
    for week, country, field in (
        ([[]] * 7, "", "week"), ([[(600, 500)]] + [[]] * 6, "", "week:0"),
        ([[(500, 700), (600, 800)]] + [[]] * 6, "", "week:0"), ([DAY] * 7, "Atlantis", "country"),
    ):  # fmt: skip
        with pytest.raises(InvalidError) as raised:
            await store.write(calendars.save, shop, week, country, {})
        assert raised.value.field == field


async def test_a_first_answer_in_time_and_one_too_late(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    first = await clock_of(store, ticket, "first")
    assert first.due_at == local("2026-03-02 10:00")
    clock.set(local("2026-03-02 09:40"))
    await answers(store, ticket, minh)
    assert (await clock_of(store, ticket, "first")).state == "met"
    clock.set(local("2026-03-02 10:30"))
    await says(store, lan, shop, "Sao rồi ạ?")
    clock.set(local("2026-03-02 11:00"))
    await says(store, lan, shop, "Alo?")
    waited = await clock_of(store, ticket, "next")
    assert waited.due_at == local("2026-03-02 13:30"), "since the first word without an answer, over lunch"
    clock.set(local("2026-03-02 14:00"))
    await answers(store, ticket, minh)
    after = await clock_of(store, ticket, "next")
    assert (after.state, after.breached_at) == ("late", local("2026-03-02 13:30"))


async def test_the_solution_waits_while_the_customer_is_waited_for(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    clock.set(local("2026-03-02 10:00"))
    await answers(store, ticket, minh)
    paused = await clock_of(store, ticket, "resolution")
    assert (paused.state, paused.due_at, paused.spent) == ("paused", None, HOUR // timedelta(microseconds=1))
    clock.set(local("2026-03-04 08:00"))
    await says(store, lan, shop, "Vẫn chưa được")
    going = await clock_of(store, ticket, "resolution")
    # 24 open hours, of which one was taken: 9 on the 4th, 9 on the 5th, 5 on the 6th.
    assert (going.state, going.due_at) == ("running", local("2026-03-06 14:00"))


async def test_reopened_it_goes_on_with_what_was_left(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    clock.set(local("2026-03-02 11:00"))
    await store.write(handling.resolve, ticket, minh)
    assert (await clock_of(store, ticket, "resolution")).state == "met"
    assert (await clock_of(store, ticket, "first")).state == "stopped"
    clock.set(local("2026-03-05 08:00"))
    assert await tick(store) == 0, "what is solved never rings"
    await says(store, lan, shop, "Chưa xong ạ")
    assert (await clock_of(store, ticket, "resolution")).due_at == local("2026-03-07 12:00")
    first = await clock_of(store, ticket, "first")
    assert (first.state, first.due_at) == ("running", local("2026-03-05 08:00")), "two hours were taken of one"


async def test_it_warns_and_is_missed_on_the_second(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    await store.write(handling.claim, ticket, minh)
    clock.set(local("2026-03-02 09:45") - SECOND)
    assert await tick(store) == 0
    clock.advance(SECOND)
    assert await tick(store) == 1
    assert [one["late"] for one in await told(store, "sla_warning", minh.id)] == ["first"]
    clock.set(local("2026-03-02 10:00") - SECOND)
    assert await tick(store) == 0
    clock.advance(SECOND)
    assert await tick(store) == 1
    assert await tick(store) == 0
    missed = await told(store, "sla_missed", minh.id)
    assert [(one["late"], one["ticket"], one["level"]) for one in missed] == [("first", ticket, 1)]
    assert {"deadline_missed", "escalated"} <= set(await history(store, ticket, minh))


async def test_the_ladder_is_climbed_until_somebody_has_it(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    hoa, vy = await hire(store, "Hoa", Role.SUPERVISOR, shop), await hire(store, "Vy", Role.OWNER, None)
    stranger = await hire(store, "Khách", Role.AGENT, None if shop is None else await other_shop(store))
    ticket = await says(store, lan, shop)
    await store.write(handling.claim, ticket, minh)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    clock.set(local("2026-03-02 10:30"))
    await tick(store)
    assert len(await told(store, "sla_missed", hoa.id)) == 1
    assert not await told(store, "sla_missed", vy.id)
    number = (await told(store, "sla_missed", hoa.id))[0]["escalation"]
    with pytest.raises(NotFoundError):
        await store.write(escalations.acknowledge, number, stranger)
    assert await store.write(escalations.acknowledge, number, hoa) == escalations.Acknowledged(ticket, "Hoa", new=True)
    assert await store.write(escalations.acknowledge, number, minh) == escalations.Acknowledged(
        ticket, "Hoa", new=False
    )
    clock.set(local("2026-03-02 17:00"))
    await tick(store)
    assert not await told(store, "sla_missed", vy.id)
    assert [one.acked_by for one in await store.read(escalations.open_of, [ticket]) if one.cause == "first"] == ["Hoa"]
    await answers(store, ticket, minh)
    assert [one for one in await store.read(escalations.open_of, [ticket]) if one.cause == "first"] == []


async def other_shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Chi nhánh 2", timezone="Asia/Ho_Chi_Minh", language="vi")


async def test_of_many_who_see_to_it_at_once_one_has_it(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    others = [minh, *[await hire(store, name, Role.AGENT, shop) for name in ("Hoa", "Vy", "An", "Tú")]]
    ticket = await says(store, lan, shop)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    (late,) = await store.read(escalations.open_of, [ticket])

    async def see_to_it(member: Member) -> escalations.Acknowledged:
        while True:
            try:
                return await store.write(escalations.acknowledge, late.id, member)
            except MovedError:
                continue

    found = await asyncio.gather(*(see_to_it(member) for member in others))
    assert sum(one.new for one in found) == 1
    assert len({one.by for one in found}) == 1


async def test_an_answer_and_the_clock_at_the_same_instant(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    """Whoever comes first, the ladder ends where it was answered: nobody else is told."""
    hoa = await hire(store, "Hoa", Role.SUPERVISOR, shop)
    ticket = await says(store, lan, shop)
    await store.write(handling.claim, ticket, minh)
    clock.set(local("2026-03-02 10:00"))

    async def ring() -> None:
        while True:
            try:
                await store.write(clocks.ring_due)
            except MovedError:
                continue
            return

    await asyncio.gather(ring(), answers(store, ticket, minh), ring())
    clock.set(local("2026-03-02 17:00"))
    await tick(store)
    assert [one for one in await store.read(escalations.open_of, [ticket]) if one.cause == "first"] == []
    assert not [one for one in await told(store, "sla_missed", hoa.id) if one["late"] == "first"]


async def test_an_answer_ends_the_ladder(store: Store, clock: SetClock, shop: int, lan: int, minh: Member) -> None:
    hoa = await hire(store, "Hoa", Role.SUPERVISOR, shop)
    ticket = await says(store, lan, shop)
    await store.write(handling.claim, ticket, minh)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    await answers(store, ticket, minh)
    clock.set(local("2026-03-02 16:00"))
    await tick(store)
    assert not await told(store, "sla_missed", hoa.id)


async def test_nobody_there_the_next_ones_are_told(store: Store, clock: SetClock, shop: int, lan: int) -> None:
    owner = await hire(store, "Vy", Role.OWNER, None)
    await says(store, lan, shop)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    assert len(await told(store, "sla_missed", owner.id)) == 1


async def test_a_person_is_told_six_things_an_hour_and_then_one_digest(
    store: Store, clock: SetClock, shop: int, minh: Member
) -> None:
    opened = []
    for number in range(10):
        person = await store.write(
            customers.create, name=f"Khách {number}", phone=f"+8490312345{number}", home_shop_id=shop
        )
        opened.append(await says(store, person, shop))
        await store.write(handling.claim, opened[-1], minh)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    assert len(await told(store, "sla_missed", minh.id)) == alerts.PER_HOUR
    await answers(store, opened[-1], minh)
    clock.set(local("2026-03-02 11:00"))
    await tick(store)
    (digest,) = await told(store, "alerts_digest", minh.id)
    assert digest["count"] == 3, "of four that were held one was answered meanwhile"
    assert {one["ticket"] for one in digest["items"]} == set(opened[6:9])


async def test_another_priority_takes_the_newest_policy(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    number = await store.write(
        policies.save, shop, Policy(targets={**policies.TARGETS, "normal": {"first": 120}, "high": {"first": 90}})
    )
    assert (await clock_of(store, ticket, "first")).due_at == local("2026-03-02 10:00"), (
        "a running clock keeps its version"
    )
    await store.write(handling.prioritise, ticket, minh, "high")
    first = await clock_of(store, ticket, "first")
    assert (first.due_at, first.policy_id) == (local("2026-03-02 10:30"), number)
    assert (await clock_of(store, ticket, "resolution")).due_at is None, "the new version has none for it"
    assert await store.write(policies.save, shop, await store.read(policies.current, shop)) is None


async def test_a_deadline_that_lies_ahead_again_was_not_missed(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    await store.write(handling.prioritise, ticket, minh, "urgent")
    clock.set(local("2026-03-02 09:15"))
    await tick(store)
    assert (await clock_of(store, ticket, "first")).breached_at is not None
    await store.write(handling.prioritise, ticket, minh, "low")
    first = await clock_of(store, ticket, "first")
    assert (first.breached_at, first.due_at) == (None, local("2026-03-02 14:00"))
    assert await store.read(escalations.open_of, [ticket]) == []
    clock.set(local("2026-03-02 14:00"))
    await tick(store)
    assert [one.level for one in await store.read(escalations.open_of, [ticket])] == [1]


async def test_a_tier_has_its_own_targets(store: Store, shop: int, lan: int, clock: SetClock) -> None:
    tier = (await store.read(tiers.every))[1].id
    await store.write(lambda session: session.execute(update(customers.customers).values(tier_id=tier)))
    await store.write(policies.save, shop, Policy(tiers={tier: {"normal": {"first": 5}}}))
    ticket = await says(store, lan, shop)
    assert (await clock_of(store, ticket, "first")).due_at == clock.now() + 5 * MINUTE
    assert (await clock_of(store, ticket, "resolution")).allowance is not None, (
        "what a tier does not say is as for everybody"
    )


async def test_a_policy_that_is_off_starts_nothing(store: Store, shop: int, lan: int) -> None:
    await store.write(policies.save, shop, Policy(on=False))
    assert await store.read(clocks.of, [await says(store, lan, shop)]) == []


async def test_a_policy_that_cannot_be(store: Store, shop: int) -> None:
    for policy, field in (
        (Policy(targets={"normal": {"first": 0}}), "first:normal"),
        (Policy(tiers={3: {"high": {"next": 10**6}}}), "next:high:3"), (Policy(warn_percent=5), "warn_percent"),
        (Policy(ladder=()), "ladder"), (Policy(ladder=(Level("assignee", 10), Level("owners", 5))), "ladder:1"),
        (Policy(ladder=(Level("everybody", 10),)), "ladder:0"),
    ):  # fmt: skip
        with pytest.raises(InvalidError) as raised:
            await store.write(policies.save, shop, policy)
        assert raised.value.field == field


async def test_running_clocks_follow_a_new_calendar(store: Store, clock: SetClock, shop: int, lan: int) -> None:
    clock.set(local("2026-03-02 17:30"))
    ticket = await says(store, lan, shop)
    assert (await clock_of(store, ticket, "first")).due_at == local("2026-03-03 08:30")
    clock.set(local("2026-03-02 20:00"))
    await store.write(calendars.save, shop, [DAY] * 7, "VN", {local("2026-03-03 00:00").astimezone(ZONE).date(): ()})
    await tick(store)
    assert (await clock_of(store, ticket, "first")).due_at == local("2026-03-04 08:30"), "closed on the 3rd"
    assert await tick(store) == 0


async def test_a_merged_ticket_never_rings_and_its_customer_is_still_waited_on(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    stays = await says(store, lan, shop)
    await answers(store, stays, minh)
    await store.write(handling.resolve, stays, minh)
    clock.advance(8 * 24 * HOUR)
    gone = await says(store, lan, shop, "Ly lại bị vỡ")
    assert gone != stays
    promise = await store.write(promises.make, gone, minh, "Gọi lại", clock.now() + 2 * HOUR)
    clock.advance(20 * MINUTE)
    await store.write(linking.merge, gone, minh, stays)
    assert {one.state for one in await store.read(clocks.of, [gone])} == {"stopped"}
    waited = await clock_of(store, stays, "next")
    assert (waited.state, waited.due_at) == ("running", clock.now() + 100 * MINUTE), "120 minutes, 20 of them taken"
    assert (await store.read(promises.get, promise)).ticket_id == stays
    clock.advance(100 * MINUTE)
    await tick(store)
    assert {(one.ticket_id, one.cause) for one in await store.read(escalations.open_of, [stays, gone])} == {
        (stays, "next"), (stays, "promise"),
    }  # fmt: skip


async def test_a_snoozed_ticket_is_still_the_shops_turn(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    due = (await clock_of(store, ticket, "first")).due_at
    await store.write(handling.snooze, ticket, minh, clock.now() + 3 * HOUR)
    first = await clock_of(store, ticket, "first")
    assert (first.state, first.due_at) == ("running", due)


# ── Promises ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_promise_reminds_is_missed_and_kept_late(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    hoa = await hire(store, "Hoa", Role.SUPERVISOR, shop)
    ticket = await says(store, lan, shop)
    await answers(store, ticket, minh)
    due = local("2026-03-02 15:00")
    number = await store.write(promises.make, ticket, minh, "Gọi lại cho chị Lan", due, shown=True, key="promise-1")
    assert (
        await store.write(promises.make, ticket, minh, "Gọi lại cho chị Lan", due, shown=True, key="promise-1")
        == number
    )
    assert [one["what"] for one in await told(store, "promise_made")] == ["Gọi lại cho chị Lan"]
    clock.set(due - promises.REMIND)
    await tick(store)
    assert [one["promise"] for one in await told(store, "promise_due", minh.id)] == [number]
    clock.set(due - SECOND)
    await tick(store)
    assert (await store.read(promises.get, number)).state == "open"
    clock.set(due)
    await tick(store)
    assert (await store.read(promises.get, number)).state == "missed"
    assert [one["what"] for one in await told(store, "promise_missed", minh.id)] == ["Gọi lại cho chị Lan"]
    assert [one.id for one in await store.read(promises.missed, shop)] == [number]
    clock.set(due + 30 * MINUTE)
    await tick(store)
    assert len(await told(store, "promise_missed", hoa.id)) == 1
    kept = await store.write(promises.keep, number, minh)
    assert (kept.state, kept.missed_at) == ("kept", due)
    assert await store.read(escalations.open_of, [ticket]) == []
    assert len(await told(store, "promise_kept")) == 1
    assert [kind for kind in await history(store, ticket, minh) if kind.startswith("promise")] == [
        "promised", "promise_missed", "promise_kept",
    ]  # fmt: skip
    await store.write(promises.keep, number, minh)
    with pytest.raises(promises.PromiseStateError):
        await store.write(promises.withdraw, number, minh)


async def test_a_promise_kept_in_time_says_nothing_more(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    await store.write(handling.claim, ticket, minh)
    number = await store.write(promises.make, ticket, minh, "Gửi ảnh", local("2026-03-02 09:30"))
    await store.write(promises.keep, number, minh)
    clock.set(local("2026-03-02 09:40"))
    await tick(store)
    for kind in ("promise_due", "promise_missed", "promise_made", "promise_kept"):
        assert not await told(store, kind), kind


async def test_a_promise_that_is_moved_starts_anew(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    number = await store.write(promises.make, ticket, minh, "Đổi ly mới", local("2026-03-02 10:00"), shown=True)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    moved = await store.write(promises.change, number, minh, due_at=local("2026-03-03 10:00"))
    assert moved.state == "open"
    assert len(await told(store, "promise_changed")) == 1
    assert [one.cause for one in await store.read(escalations.open_of, [ticket])] == ["first"]
    clock.set(local("2026-03-03 10:00"))
    await tick(store)
    assert (await store.read(promises.get, number)).state == "missed"
    with pytest.raises(InvalidError):
        await store.write(promises.change, number, minh, due_at=local("2026-03-01 10:00"))


async def test_a_promise_of_somebody_who_left_is_told_those_who_stay(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    hoa = await hire(store, "Hoa", Role.SUPERVISOR, shop)
    ticket = await says(store, lan, shop)
    await store.write(promises.make, ticket, minh, "Gọi lại", local("2026-03-02 15:00"))
    await store.write(staff.remove, minh.id)
    clock.set(local("2026-03-02 14:30"))
    await tick(store)
    assert len(await told(store, "promise_due", hoa.id)) == 1


async def test_who_may_promise(store: Store, shop: int, lan: int, minh: Member) -> None:
    ticket = await says(store, lan, shop)
    stranger = await hire(store, "Khách", Role.AGENT, await other_shop(store))
    cashier = await hire(store, "Thu", Role.CASHIER, shop)
    due = local("2026-03-02 15:00")
    with pytest.raises(NotFoundError):
        await store.write(promises.make, ticket, stranger, "Gọi", due)
    with pytest.raises(ForbiddenError):
        await store.write(promises.make, ticket, cashier, "Gọi", due)
    with pytest.raises(InvalidError) as raised:
        await store.write(promises.make, ticket, minh, "Gọi", due, owner_id=stranger.id)
    assert raised.value.field == "owner"
    for what, when, field in (
        ("  ", due, "what"),
        ("x" * 301, due, "what"),
        ("Gọi", local("2026-03-02 08:00"), "due_at"),
    ):
        with pytest.raises(InvalidError) as raised:
            await store.write(promises.make, ticket, minh, what, when)
        assert raised.value.field == field


async def test_a_day_means_until_the_shop_closes(store: Store, shop: int) -> None:
    assert await store.read(promises.meant, shop, "thứ tư") == local("2026-03-04 18:00")
    assert await store.read(promises.meant, shop, "thứ hai") == local("2026-03-02 18:00")
    assert await store.read(promises.meant, shop, "mai 9h") == local("2026-03-03 09:00")
    assert await store.read(promises.meant, shop, "2d") == local("2026-03-04 09:00")
    assert await store.read(promises.meant, shop, "lát nữa") is None


async def test_an_erased_customer_leaves_no_words_in_promises(
    store: Store, clock: SetClock, shop: int, lan: int, minh: Member
) -> None:
    ticket = await says(store, lan, shop)
    await store.write(promises.make, ticket, minh, "Gọi chị Lan 0903123456", local("2026-03-02 10:00"), shown=True)
    clock.set(local("2026-03-02 10:00"))
    await tick(store)
    copy = await store.read(privacy.export, lan)
    assert [one["what"] for one in copy["tickets"][0]["promises"]] == ["Gọi chị Lan 0903123456"]
    await store.write(privacy.erase, lan, "cli")

    def words(session: Any) -> str:
        found = [*session.execute(select(promises.promises)), *session.execute(select(escalations.escalations))]
        found += [*session.execute(select(NoticeRow.params)), *session.execute(select(tickets.ticket_events.c.data))]
        return str(found)

    assert "Lan" not in await store.read(words)
