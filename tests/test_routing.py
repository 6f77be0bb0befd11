"""Routing: each ticket finds a team and somebody of it who is there, can and has room; and the history says why."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import customers
from store import staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError, InvalidError, MovedError, NotFoundError
from store.notices import NoticeRow
from store.staff import Member, Role
from support import drafts, handling, messages, tickets
from support.deadlines import calendars
from support.handling import TakenError
from support.routing import agents, presence, router, rules, teams, wakes
from support.routing.agents import Settings
from support.routing.decision import Candidate, Status, Wanted, choose
from support.tickets import Ticket, ticket_events

NINE_TO_FIVE = [(9 * 60, 17 * 60)]


class Shop:
    """A shop with a desk, as the tests drive it."""

    def __init__(self, store: Store, number: int, boss: Member) -> None:
        self.store, self.id, self.boss = store, number, boss
        self._people = 0
        self._key = 0

    async def hire(self, name: str, role: Role = Role.AGENT) -> Member:
        return await self.store.read(staff.get, await self.store.write(staff.add, name, role, self.id))

    async def team(self, name: str = "Cả quán", *listed: Member, **values: Any) -> int:
        return await self.store.write(
            teams.save, self.boss, self.id, None, name=name, everyone=not listed, listed=[one.id for one in listed], **values
        )  # fmt: skip

    async def here(self, *people: Member) -> None:
        for one in people:
            await self.store.write(presence.alive, one)

    async def cap(self, one: Member, cap: int, **values: Any) -> None:
        await self.store.write(agents.change, self.boss, self.id, one.id, Settings(cap=cap, **values))

    async def customer(self, **values: Any) -> int:
        self._people += 1
        return await self.store.write(customers.create, name=f"Khách {self._people}", **values)

    async def says(self, customer: int | None = None, text: str = "chào shop", topic: str = "other") -> Ticket:
        """What a customer writes, taken in as the chat does: run again when a race was lost."""
        who = customer or await self.customer()
        for _ in range(4):
            try:
                async with self.store.work() as work:
                    joined = await work.write(tickets.open_or_join, who, self.id, topic=topic)
                    await work.write(messages.customer_says, joined.ticket.id, text=text)
            except MovedError:
                continue
            return await self.store.read(tickets.get, joined.ticket.id)
        raise AssertionError("never through")

    async def answers(self, one: Member, ticket: int) -> None:
        self._key += 1
        await self.store.write(messages.agent_says, ticket, one, "Dạ shop đây ạ", key=f"key-{self._key:08}")

    async def owner(self, ticket: Ticket) -> int | None:
        return (await self.store.read(tickets.get, ticket.id)).assignee_id

    async def decisions(self, ticket: Ticket) -> list[dict[str, Any]]:
        e = ticket_events.c
        found = sa.select(e.data).where(e.ticket_id == ticket.id, e.kind == "routed").order_by(e.seq)
        return await self.store.read(lambda session: list(session.execute(found).scalars()))

    async def tick(self) -> None:
        """What the clock does once a second."""
        for rule in (router.leave_due, router.drain_due):
            for _ in range(100):
                if not await self.store.write(rule):
                    break
            else:
                raise AssertionError(f"{rule.__name__} never ends")


@pytest.fixture
async def shop(store: Store) -> Shop:
    number = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    boss = await store.read(staff.get, await store.write(staff.add, "Chủ", Role.MANAGER, number))
    return Shop(store, number, boss)


# ── Who gets it ────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_team_nothing_of_it_is_there(shop: Shop) -> None:
    minh = await shop.hire("Minh")
    await shop.here(minh)
    ticket = await shop.says()
    await shop.store.write(handling.claim, ticket.id, minh)
    await shop.store.write(handling.resolve, ticket.id, minh)
    await shop.tick()
    assert await shop.decisions(ticket) == []
    left = await shop.store.read(
        lambda s: [
            s.execute(sa.select(sa.func.count()).select_from(t)).scalar() for t in (wakes.wakes, presence.presences)
        ]
    )
    assert left == [0, 0]


async def test_the_fewest_open_tickets_then_the_longest_wait_and_the_history_tells_all(shop: Shop) -> None:
    minh, hoa, tu = [await shop.hire(name) for name in ("Minh", "Hoa", "Tú")]
    await shop.team("Quầy", minh, hoa, tu)
    await shop.here(minh, hoa)
    await shop.cap(hoa, 1)
    first, second, third = [await shop.says() for _ in range(3)]
    assert [one.assignee_id for one in (first, second, third)] == [minh.id, hoa.id, minh.id]
    [told] = await shop.decisions(third)
    assert (told["team"], told["name"], told["again"]) == ("Quầy", "Minh", False)
    assert told["candidates"] == [
        {"id": minh.id, "name": "Minh", "load": 1, "cap": agents.CAP, "why_not": None},
        {"id": tu.id, "name": "Tú", "load": 0, "cap": agents.CAP, "why_not": "offline"},
        {"id": hoa.id, "name": "Hoa", "load": 1, "cap": 1, "why_not": "full"},
    ]


async def test_who_answered_last_time_comes_first_while_there_and_not_full(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team()
    await shop.here(minh, hoa)
    lan = await shop.customer()
    first = await shop.says(lan)
    await shop.answers(minh, first.id)
    await shop.store.write(handling.close, first.id, minh)
    for _ in range(2):
        await shop.says()
    again = await shop.says(lan)
    assert again.assignee_id == minh.id
    assert (await shop.decisions(again))[0]["again"] is True
    await shop.store.write(handling.close, again.id, minh)
    await shop.cap(minh, 1)
    assert (await shop.says(lan)).assignee_id == hoa.id


async def test_skills_keep_a_ticket_from_who_cannot_take_it(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team()
    await shop.cap(minh, 9, languages=["vi"], topics=["order", "other"])
    await shop.cap(hoa, 9, tiers=[4])
    await shop.here(minh, hoa)
    english = await shop.says(await shop.customer(language="en"))
    assert english.assignee_id is None
    reasons = {one["name"]: one["why_not"] for one in (await shop.decisions(english))[0]["candidates"]}
    assert (reasons["Minh"], reasons["Hoa"]) == ("language", "tier")
    assert (await shop.says(topic="complaint")).assignee_id is None
    assert (await shop.says(topic="order")).assignee_id == minh.id


async def test_the_first_rule_that_fits_names_the_team(shop: Shop) -> None:
    minh, hoa, tu = [await shop.hire(name) for name in ("Minh", "Hoa", "Tú")]
    counter, care, best = (
        await shop.team("Quầy", minh),
        await shop.team("Chăm sóc", hoa),
        await shop.team("Khách quý", tu),
    )
    await shop.store.write(rules.add, shop.boss, shop.id, care, topic="complaint")
    top = await shop.store.write(rules.add, shop.boss, shop.id, best, tier_id=3)
    await shop.store.write(rules.add, shop.boss, shop.id, counter)
    await shop.here(minh, hoa, tu)
    gold = await shop.customer()
    await shop.store.write(lambda s: s.execute(sa.update(customers.customers).where(customers.customers.c.id == gold).values(tier_id=4)))  # fmt: skip
    assert (await shop.says(topic="complaint")).assignee_id == hoa.id
    assert (await shop.says(gold, topic="order")).assignee_id == tu.id
    assert (await shop.says(topic="order")).assignee_id == minh.id
    # The order counts: with the tier above the topic, a complaint of theirs goes to the other team.
    await shop.store.write(rules.move, shop.boss, shop.id, top, up=True)
    found = await shop.store.read(router.trial, shop.id, "complaint", "vi", 4)
    assert found is not None
    assert (found.team.name, found.choice.to and found.choice.to.name) == ("Khách quý", "Tú")
    assert [rule.takes_all for rule in await shop.store.read(rules.of, shop.id)] == [False, False, True]


async def test_a_team_of_all_shops_and_the_load_of_all_shops(shop: Shop) -> None:
    store = shop.store
    other = await store.write(programme.open_shop, "Quán B", timezone="Asia/Ho_Chi_Minh", language="vi")
    owner = await store.read(staff.get, await store.write(staff.add, "Bà chủ", Role.OWNER, None))
    with pytest.raises(ForbiddenError):
        await shop.team(all_shops=True)
    both = await store.read(staff.get, await store.write(staff.add, "Đi lại", Role.AGENT, None))
    await store.write(teams.save, owner, shop.id, None, name="Chung", everyone=False, listed=[both.id], all_shops=True)
    await shop.cap(both, 1)
    await shop.here(both)
    assert (await Shop(store, other, owner).says()).assignee_id == both.id
    assert (await shop.says()).assignee_id is None


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"status": Status.AWAY}, "away"), ({"status": Status.OFF_SHIFT}, "off_shift"), ({"status": Status.OFFLINE}, "offline"),
        ({"topics": ["order"]}, "topic"), ({"languages": ["en"]}, "language"), ({"tiers": [3]}, "tier"), ({"load": 2}, "full"),
        ({"cap": 0}, "full"), ({"topics": ["points"], "languages": ["vi"], "tiers": [2]}, None),
    ],
)  # fmt: skip
def test_why_somebody_does_not_get_it(facts: dict[str, Any], why: str | None) -> None:
    one = Candidate(**{"staff_id": 1, "name": "Minh", "status": Status.HERE, "load": 0, "cap": 2, **facts})
    choice = choose(Wanted("points", "vi", 2), [one])
    assert [weighed.why_not for weighed in choice.weighed] == [why]
    assert (choice.to is None) == (why is not None)


# ── Coming and going ───────────────────────────────────────────────────────────────────────────────


async def test_a_queue_drains_when_somebody_comes_the_most_urgent_and_then_the_oldest_first(
    shop: Shop, clock: SetClock
) -> None:
    minh = await shop.hire("Minh")
    await shop.team("Quầy", minh)
    await shop.cap(minh, 2)
    waiting = []
    for _ in range(4):
        waiting.append(await shop.says())
        clock.advance(timedelta(minutes=1))
    assert {one.assignee_id for one in waiting} == {None}
    await shop.store.write(handling.prioritise, waiting[2].id, shop.boss, "urgent")
    await shop.here(minh)
    await shop.tick()
    assert [await shop.owner(one) == minh.id for one in waiting] == [True, False, True, False]
    # Each that leaves their hands makes room for the next.
    await shop.answers(minh, waiting[2].id)
    await shop.tick()
    assert await shop.owner(waiting[1]) is None
    await shop.store.write(handling.resolve, waiting[2].id, minh)
    await shop.tick()
    await shop.store.write(handling.snooze, waiting[0].id, minh, clock.now() + timedelta(days=1))
    await shop.here(minh)
    await shop.tick()
    assert [await shop.owner(one) for one in waiting] == [minh.id] * 4


async def test_work_moves_on_from_who_goes_away_but_not_what_waits_for_the_customer(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    open_one, answered, writing = [await shop.says() for _ in range(3)]
    await shop.answers(minh, answered.id)
    await shop.store.write(drafts.keep, writing.id, minh, "reply", "Dạ để em x")
    await shop.here(hoa)
    await shop.store.write(presence.go, minh)
    assert (await shop.says()).assignee_id == hoa.id
    await shop.tick()
    assert [await shop.owner(one) for one in (open_one, answered, writing)] == [hoa.id, minh.id, minh.id]
    told = (await shop.decisions(open_one))[-1]
    assert (told["from"], told["why"], told["name"]) == ("Minh", "away", "Hoa")


async def test_what_somebody_was_writing_moves_on_once_they_stop(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    ticket = await shop.says()
    await shop.store.write(drafts.keep, ticket.id, minh, "reply", "Dạ để em x")
    await shop.store.write(presence.go, minh)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == minh.id
    clock.advance(router.WRITING)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id


async def test_a_closed_lid_is_no_end_but_five_minutes_are(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    ticket = await shop.says()
    clock.advance(presence.LASTS)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == minh.id
    # New work is for those who are there.
    assert (await shop.says()).assignee_id == hoa.id
    clock.advance(presence.GRACE)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id
    assert (await shop.decisions(ticket))[-1]["why"] == "offline"


async def test_a_shift_that_ends_is_an_end_and_one_that_begins_a_beginning(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    # It is noon on a Saturday.
    await shop.cap(minh, 5, zone="Asia/Ho_Chi_Minh", week=[[]] * 5 + [[(8 * 60, 13 * 60)]] + [[]])
    await shop.cap(hoa, 5, zone="Asia/Ho_Chi_Minh", week=[[]] * 5 + [[(13 * 60, 22 * 60)]] + [[]])
    await shop.here(minh, hoa)
    ticket = await shop.says()
    assert ticket.assignee_id == minh.id
    for _ in range(3):
        clock.advance(timedelta(minutes=20))
        await shop.here(minh, hoa)
        await shop.tick()
    assert await shop.owner(ticket) == hoa.id
    told = (await shop.decisions(ticket))[-1]
    assert (told["from"], told["why"]) == ("Minh", "off_shift")


async def test_who_comes_back_in_time_keeps_everything(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    ticket = await shop.says()
    await shop.store.write(presence.go, minh)
    await shop.store.write(presence.come, minh)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == minh.id
    # Away holds while the desk stays open, and is over when it is opened anew.
    await shop.store.write(presence.go, minh)
    await shop.here(minh)
    assert await shop.store.read(presence.status, minh.id) is Status.AWAY
    clock.advance(timedelta(hours=2))
    await shop.here(minh)
    assert await shop.store.read(presence.status, minh.id) is Status.HERE


async def test_a_customer_who_writes_to_somebody_gone_gets_somebody_else(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    lan = await shop.customer()
    ticket = await shop.says(lan)
    await shop.answers(minh, ticket.id)
    clock.advance(timedelta(hours=1))
    await shop.tick()
    assert await shop.owner(ticket) == minh.id
    await shop.here(hoa)
    assert (await shop.says(lan)).assignee_id == hoa.id


async def test_who_was_let_go_leaves_everything(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    ticket = await shop.says()
    await shop.store.write(handling.assign, ticket.id, shop.boss, minh.id)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == minh.id
    await shop.store.write(staff.remove, minh.id)
    await shop.store.write(presence.gone, minh.id)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id
    assert (await shop.decisions(ticket))[-1]["why"] == "left"


async def test_who_answers_from_a_messenger_is_there(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    lan = await shop.customer()
    ticket = await shop.says(lan)
    await shop.answers(minh, ticket.id)
    await shop.here(hoa)
    assert (await shop.says(lan)).assignee_id == minh.id
    clock.advance(presence.ANSWER_LASTS + presence.GRACE)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id


# ── What people decide stands ──────────────────────────────────────────────────────────────────────


async def test_what_a_colleague_handed_to_somebody_stays_with_them(shop: Shop, clock: SetClock) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh, hoa)
    lan = await shop.customer()
    ticket = await shop.says(lan)
    await shop.cap(hoa, 0)
    await shop.store.write(handling.assign, ticket.id, minh, hoa.id)
    await shop.store.write(presence.go, hoa)
    await shop.tick()
    clock.advance(timedelta(hours=3))
    await shop.here(minh)
    await shop.says(lan)
    await shop.store.write(router.route, ticket.id)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id


async def test_what_somebody_put_back_goes_to_another(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", minh, hoa)
    await shop.here(minh)
    ticket = await shop.says()
    await shop.store.write(handling.assign, ticket.id, minh, None)
    await shop.tick()
    assert await shop.owner(ticket) is None
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id
    reasons = {one["name"]: one["why_not"] for one in (await shop.decisions(ticket))[-1]["candidates"]}
    assert reasons == {"Hoa": None, "Minh": "gave_back"}


async def test_a_ticket_handed_to_a_team_stays_that_teams(shop: Shop) -> None:
    minh, hoa, tu = [await shop.hire(name) for name in ("Minh", "Hoa", "Tú")]
    await shop.team("Quầy", minh)
    care = await shop.team("Chăm sóc", hoa)
    await shop.here(minh, tu)
    lan = await shop.customer()
    ticket = await shop.says(lan)
    with pytest.raises(TakenError):
        await shop.store.write(router.hand, ticket.id, tu, care)
    await shop.store.write(router.hand, ticket.id, minh, care)
    assert await shop.owner(ticket) is None
    await shop.says(lan)
    await shop.here(hoa)
    await shop.tick()
    assert await shop.owner(ticket) == hoa.id
    with pytest.raises(NotFoundError):
        await shop.store.write(router.hand, ticket.id, hoa, 999)


async def test_teams_rules_and_skills_are_set_by_who_may_and_written_down(shop: Shop) -> None:
    minh = await shop.hire("Minh")
    stranger = await shop.store.read(staff.get, await shop.store.write(staff.add, "Lạ", Role.CASHIER, shop.id))
    with pytest.raises(ForbiddenError):
        await shop.store.write(teams.save, minh, shop.id, None, name="Của tôi", everyone=True, listed=[])
    with pytest.raises(ForbiddenError):
        await shop.store.write(agents.change, minh, shop.id, minh.id, Settings(cap=100))
    for name, listed, field in ((" ", [minh.id], "name"), ("Quầy", [stranger.id], "listed"), ("Quầy", [], "listed")):
        with pytest.raises(InvalidError) as wrong:
            await shop.store.write(teams.save, shop.boss, shop.id, None, name=name, everyone=False, listed=listed)
        assert wrong.value.field == field
    team = await shop.team("Quầy", minh)
    with pytest.raises(InvalidError):
        await shop.team("quay")
    await shop.store.write(rules.add, shop.boss, shop.id, team, topic="complaint")
    await shop.cap(minh, 3)
    with pytest.raises(InvalidError):
        await shop.cap(minh, 3, week=[[(600, 700), (650, 800)]] + [[]] * 6)
    await shop.store.write(teams.remove, shop.boss, shop.id, team)
    assert await shop.store.read(rules.of, shop.id) == []
    written = await shop.store.read(
        lambda s: [row.action for row in s.execute(sa.text("SELECT action FROM audit ORDER BY id"))]
    )
    assert written[-4:] == ["team_added", "routing_rules_changed", "agent_changed", "team_removed"]


# ── Many at once ───────────────────────────────────────────────────────────────────────────────────


async def through(store: Store, rule: Any, *args: Any) -> Any:
    for _ in range(6):
        try:
            return await store.write(rule, *args)
        except MovedError:
            continue
    raise AssertionError("never through")


async def test_twenty_agents_claim_one_ticket_and_one_wins(shop: Shop) -> None:
    people = [await shop.hire(f"Bạn {n}") for n in range(20)]
    await shop.team()
    ticket = await shop.says()

    async def claims(one: Member) -> int | None:
        try:
            await through(shop.store, handling.claim, ticket.id, one)
        except TakenError:
            return None
        return one.id

    won = [one for one in await asyncio.gather(*(claims(one) for one in people)) if one]
    assert won == [await shop.owner(ticket)]


async def test_an_agent_and_the_router_at_once(shop: Shop) -> None:
    minh, hoa = await shop.hire("Minh"), await shop.hire("Hoa")
    await shop.team("Quầy", hoa)
    for _ in range(4):
        ticket = await shop.says()
        await shop.here(hoa)

        async def claims(number: int = ticket.id) -> bool:
            try:
                await through(shop.store, handling.claim, number, minh)
            except TakenError:
                return False
            return True

        won, *_ = await asyncio.gather(
            claims(), through(shop.store, router.drain, shop.id), through(shop.store, router.route, ticket.id)
        )
        assert await shop.owner(ticket) == (minh.id if won else hoa.id)
        assert len(await shop.decisions(ticket)) == (1 if won else 2)
        await shop.store.write(presence.gone, hoa.id)


async def test_a_cap_holds_however_many_come_at_once_at_two_shops(shop: Shop) -> None:
    store = shop.store
    number = await store.write(programme.open_shop, "Quán B", timezone="Asia/Ho_Chi_Minh", language="vi")
    owner_of_all = await store.read(staff.get, await store.write(staff.add, "Bà chủ", Role.OWNER, None))
    other = Shop(store, number, owner_of_all)
    people = [
        await store.read(staff.get, await store.write(staff.add, f"Đi lại {n}", Role.AGENT, None)) for n in range(2)
    ]
    for at in (shop, other):
        await at.team("Chung tay", *people)
    for one in people:
        await shop.cap(one, 3)
    await shop.here(*people)
    asked = [await shop.customer() for _ in range(18)]
    came = await asyncio.gather(*((shop, other)[n % 2].says(who) for n, who in enumerate(asked)))
    owners = [await shop.owner(one) for one in came]
    assert sorted(owners.count(one.id) for one in people) == [3, 3]
    assert owners.count(None) == 12
    # One place left, and a ticket waits for it at each of the two shops: both are looked at at the same instant.
    await shop.cap(people[1], 0)
    mine = [ticket for ticket, owner in zip(came, owners, strict=True) if owner == people[0].id]
    for _ in range(3):
        await store.write(handling.close, mine.pop().id, owner_of_all)
        waiting = [one for one in came if await shop.owner(one) is None]
        pair = [next(one for one in waiting if one.shop_id == at.id) for at in (shop, other)]
        await asyncio.gather(*(through(store, router.route, one.id) for one in pair))
        mine += [one for one in pair if await shop.owner(one) == people[0].id]
        assert len(mine) == 3
    await shop.cap(people[1], 3)
    # And when both desks are looked at and somebody goes, all at once.
    await asyncio.gather(
        *(through(store, router.drain, at.id) for at in (shop, other)), through(store, presence.go, people[0]),
        through(store, handling.resolve, came[owners.index(people[1].id)].id, people[1]),
    )  # fmt: skip
    await shop.tick()
    loads = await store.read(agents.loads, [one.id for one in people])
    assert loads == {people[0].id: 0, people[1].id: 3}


# ── Outside of hours ───────────────────────────────────────────────────────────────────────────────


async def told(store: Store) -> list[NoticeRow]:
    found = sa.select(NoticeRow).where(NoticeRow.kind == "shop_closed").order_by(NoticeRow.id)
    return await store.read(lambda session: list(session.execute(found).scalars()))


async def test_who_writes_at_night_is_told_when_we_are_back_once_a_night(shop: Shop, clock: SetClock) -> None:
    await shop.store.write(calendars.save, shop.id, [NINE_TO_FIVE] * 7, "", {})
    lan = await shop.customer()
    await shop.says(lan)
    assert await told(shop.store) == []
    clock.advance(timedelta(hours=8))
    for _ in range(3):
        await shop.says(lan)
    [notice] = await told(shop.store)
    assert notice.customer_id == lan
    assert notice.params["opens_at"] == "2026-11-22T02:00:00+00:00"
    clock.advance(timedelta(days=1))
    ticket = await shop.says(lan)
    assert len(await told(shop.store)) == 2
    # Whom a colleague answers although it is late needs no telling.
    clock.advance(timedelta(days=1))
    await shop.answers(shop.boss, ticket.id)
    await shop.says(lan)
    assert len(await told(shop.store)) == 2


async def test_a_shop_without_hours_never_says_it_is_closed(shop: Shop, clock: SetClock) -> None:
    clock.advance(timedelta(hours=12))
    await shop.says()
    assert await told(shop.store) == []
