"""Routing under everything people do in whatever order: no ticket is lost, the router passes no cap, nobody who isn't there gets
work, what a colleague handed over stays, and after the clock's turn nothing waits that somebody could take.
"""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from store import schema, staff
from store.clock import SetClock
from store.errors import RuleError
from store.ids import Ids
from store.staff import Member, Role
from support import handling, messages, tickets, waking
from support.routing import agents, presence, router, teams
from support.routing.agents import Settings
from tests.conftest import NOON

CAPS = (1, 2, 3)
AWAKE = ("new", "open", "waiting_customer")
OURS = ("new", "open")


class Routing(RuleBasedStateMachine):
    """A desk of three with caps 1, 2 and 3, six customers, and a supervisor in no team."""

    who = st.integers(0, len(CAPS) - 1)
    whose = st.integers(0, 5)

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock(NOON)
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, isolation_level="AUTOCOMMIT")
        schema.metadata().create_all(self.engine)
        self.connection = self.engine.connect()
        self.session = Session(bind=self.connection, expire_on_commit=False)
        raw = self.connection.connection.driver_connection
        self.session.info.update(clock=self.clock, ids=Ids(0), signals=[], sqlite=raw)
        self.until: dict[int, datetime] = {}
        self.away: set[int] = set()
        self.handed: dict[int, int] = {}
        self.put_back: dict[int, int] = {}
        self.opened: set[int] = set()
        self.seen = 0
        self.keys = 0

    def teardown(self) -> None:
        self.session.close()
        self.connection.close()
        self.engine.dispose()

    def write(self, what: Any, *args: Any, **values: Any) -> Any:
        """As the store runs a rule: a refused one leaves nothing. What the router did in it is held against the model."""
        run = self.connection.exec_driver_sql
        run("SAVEPOINT step")
        try:
            done = what(self.session, *args, **values)
            self.session.flush()
        except RuleError:
            run("ROLLBACK TO step")
            run("RELEASE step")
            raise
        run("RELEASE step")
        return done

    @initialize()
    def begin(self) -> None:
        self.shop = self.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
        self.boss = self.hired("Chủ", Role.OWNER)
        self.people = [self.hired(f"Bạn {cap}", Role.AGENT) for cap in CAPS]
        for one, cap in zip(self.people, CAPS, strict=True):
            self.write(agents.change, self.boss, self.shop, one.id, Settings(cap=cap))
        listed = [one.id for one in self.people]
        self.write(teams.save, self.boss, self.shop, None, name="Quầy", everyone=False, listed=listed)
        self.customers = [self.write(customers.create, name=f"Khách {n}") for n in range(6)]

    def hired(self, name: str, role: Role) -> Member:
        return staff.get(self.session, self.write(staff.add, name, role, self.shop if role is Role.AGENT else None))

    # ── What people do ─────────────────────────────────────────────────────────────────────────────

    @rule(asking=st.lists(whose, min_size=1, max_size=6, unique=True))
    def say(self, asking: list[int]) -> None:
        for one in asking:
            joined = self.write(tickets.open_or_join, self.customers[one], self.shop)
            if joined.opened:
                self.opened.add(joined.ticket.id)
            self.write(messages.customer_says, joined.ticket.id, text="chào shop")
            self.look()

    @rule(one=who)
    def opens_the_desk(self, one: int) -> None:
        member = self.people[one].id
        if self.until.get(member, NOON - timedelta(days=1)) <= self.clock.now() - presence.AWAY_ENDS:
            self.away.discard(member)
        self.write(presence.alive, self.people[one])
        self.there(member, presence.LASTS)

    @rule(one=who, ticks=st.booleans())
    def comes(self, one: int, ticks: bool) -> None:
        self.away.discard(self.people[one].id)
        self.write(presence.come, self.people[one], presence.SAID_LASTS)
        self.there(self.people[one].id, presence.SAID_LASTS)
        if ticks:
            self.the_clock_ticks()

    @rule(one=who)
    def goes(self, one: int) -> None:
        member, now = self.people[one].id, self.clock.now()
        self.write(presence.go, self.people[one])
        if member not in self.away:
            self.until[member] = max(self.until[member], now + presence.LASTS) if member in self.until else now
        self.away.add(member)

    @rule(
        one=who,
        ticket=st.integers(0, 9),
        what=st.sampled_from(["answer", "claim", "resolve", "snooze", "back", "urgent"]),
    )
    def works(self, one: int, ticket: int, what: str) -> None:
        number, member = self.some(ticket), self.people[one]
        if number is None:
            return
        before = self.row(number)
        with suppress(RuleError):
            if what == "answer":
                self.keys += 1
                self.write(messages.agent_says, number, member, "Dạ", key=f"key-{self.keys:08}")
            elif what == "snooze":
                self.write(handling.snooze, number, member, self.clock.now() + timedelta(minutes=30))
            elif what == "back":
                self.write(handling.assign, number, member, None)
            elif what == "urgent":
                self.write(handling.prioritise, number, member, "urgent")
            else:
                self.write({"claim": handling.claim, "resolve": handling.resolve}[what], number, member)
            took = before.assignee_id is None and self.row(number).assignee_id == member.id
            if what == "back" and before.assignee_id is not None:
                self.handed.pop(number, None)
                self.put_back[number] = member.id
            if took:
                self.put_back.pop(number, None)
            if (took or what == "answer") and self.until.get(member.id, NOON) <= self.clock.now():
                if self.until.get(member.id, NOON - timedelta(days=1)) <= self.clock.now() - presence.AWAY_ENDS:
                    self.away.discard(member.id)
                self.there(member.id, presence.ANSWER_LASTS)
        self.look()

    @rule(one=who, solves=st.booleans())
    def answers_all_of_theirs(self, one: int, solves: bool) -> None:
        member = self.people[one]
        if not self.is_there(member.id):
            return
        for row in self.rows():
            if row.assignee_id == member.id and row.state in OURS:
                self.keys += 1
                self.write(messages.agent_says, row.id, member, "Dạ", key=f"key-{self.keys:08}")
                if solves:
                    self.write(handling.resolve, row.id, member)
        self.the_clock_ticks()

    @rule(one=who, ticket=st.integers(0, 9))
    def is_handed(self, one: int, ticket: int) -> None:
        number = self.some(ticket)
        if number is None or self.row(number).assignee_id == self.people[one].id:
            return
        self.write(handling.assign, number, self.boss, self.people[one].id)
        self.handed[number] = self.people[one].id
        self.put_back.pop(number, None)
        self.look()

    @rule(minutes=st.sampled_from([1, 3, 7, 20, 45]))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule()
    def the_clock_ticks(self) -> None:
        for due in (waking.wake_due, waking.close_due, router.leave_due, router.drain_due):
            for _ in range(60):
                if not self.write(due):
                    break
                self.look()
            else:
                raise AssertionError(f"{due.__name__} never ends")
        assert not self.write(router.leave_due)
        rows, loads = self.rows(), self.loads()
        free = {
            one.id for one, cap in zip(self.people, CAPS, strict=True) if self.is_there(one.id) and loads[one.id] < cap
        }
        for row in rows:
            if row.state in OURS and row.assignee_id is None:
                assert not free - {self.put_back.get(row.id)}, (row.id, free)
            if row.state in OURS and row.assignee_id is not None and row.assignee_id != self.boss.id:
                assert row.id in self.handed or self.is_there(row.assignee_id) or self.may_come_back(row.assignee_id)

    @precondition(lambda self: self.opened)
    @rule(ticket=st.integers(0, 9))
    def is_asked_to_route(self, ticket: int) -> None:
        number = self.some(ticket)
        if number is not None:
            self.write(router.route, number)
            self.look()

    # ── The model ──────────────────────────────────────────────────────────────────────────────────

    def there(self, member: int, lasts: timedelta) -> None:
        self.until[member] = max(self.until.get(member, NOON), self.clock.now() + lasts)

    def is_there(self, member: int) -> bool:
        return member not in self.away and self.until.get(member, NOON) > self.clock.now()

    def may_come_back(self, member: int) -> bool:
        """Their time to leave is still to come."""
        leave_at = self.session.execute(
            sa.select(presence.presences.c.leave_at).where(presence.presences.c.staff_id == member)
        ).scalar()
        return leave_at is not None and leave_at > self.clock.now()

    def rows(self) -> list[Any]:
        t = tickets.tickets.c
        return list(self.session.execute(sa.select(t.id, t.state, t.assignee_id).order_by(t.id)))

    def row(self, number: int) -> Any:
        return next(row for row in self.rows() if row.id == number)

    def some(self, nth: int) -> int | None:
        alive = [row.id for row in self.rows() if row.state not in {"resolved", "closed"}]
        return alive[nth % len(alive)] if alive else None

    def loads(self) -> Counter[int]:
        return Counter(row.assignee_id for row in self.rows() if row.state in AWAKE and row.assignee_id)

    def look(self) -> None:
        """Hold what was routed since the last look against the model."""
        e = tickets.ticket_events
        found = self.session.execute(
            sa.select(sa.literal_column("rowid").label("place"), e.c.ticket_id, e.c.data)
            .where(e.c.kind == "routed", sa.literal_column("rowid") > self.seen)
            .order_by(sa.literal_column("rowid"))
        ).all()
        rows, loads = {row.id: row for row in self.rows()}, self.loads()
        caps = {one.id: cap for one, cap in zip(self.people, CAPS, strict=True)}
        assert set(rows) == self.opened
        for place, number, data in found:
            self.seen = place
            assert number not in self.handed, "taken from whom a colleague gave it to"
            to = data["to"]
            if to is not None:
                assert self.is_there(to), "given to somebody who isn't there"
                assert loads[to] <= caps[to], "given to somebody who is full"
                assert to != self.put_back.get(number), "given back to who put it back"
                assert next(one for one in data["candidates"] if one["id"] == to)["why_not"] is None
            assert {one["id"] for one in data["candidates"]} == set(caps)
            self.put_back.pop(number, None)
        for number, owner in self.handed.items():
            assert rows[number].assignee_id == owner


TestRouting = Routing.TestCase
TestRouting.settings = settings(
    max_examples=8, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
