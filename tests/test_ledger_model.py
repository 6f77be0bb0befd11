"""The ledger beside its model: every call, twice and out of order, with clock jumps and crashes between two statements.

After every step the books are proven, every balance equals the model's, the schedule of what expires equals the model's
lots, and a refused or crashed call has changed nothing.
"""

import asyncio
import shutil
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, note, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.points import gifts, holds, ledger, lots, points, proof
from loyalty.points.gifts import GiftOverError, OwnGiftError
from loyalty.points.holds import HoldEndedError
from loyalty.points.ledger import UncoveredError
from store.base import to_micros
from store.clock import SetClock
from store.engine import Store, open_store
from tests import statements
from tests.conftest import NOON, _admin, _dsn, copy_of
from tests.ledger_model import NEVER, Ledger, Person, RefusedError

WALLET = programme.WALLET_POINTS
HOUR = timedelta(hours=1)
REFUSALS = (UncoveredError, HoldEndedError, GiftOverError, OwnGiftError)


class CrashError(Exception):
    """The process died here."""


def crashing(session: Session, after: int, what: Callable[..., Any], *args: Any, **values: Any) -> Any:
    """Run a rule and die before its statement number `after`."""
    seen = 0

    def count(_statement: str, _values: Any) -> None:
        nonlocal seen
        seen += 1
        if seen > after:
            raise CrashError

    with statements.told(count):
        return what(session, *args, **values)


def merge_points(session: Session, gone: int, stays: int, shop: int) -> None:
    """What a merge does to the books."""
    points.move_to(session, gone, stays, shop)
    gifts.move(session, gone, stays)


BOOKS = (ledger.check, ledger.check_accounts, points.check, lots.check, holds.check, gifts.check)
"""What each step may break; that nothing else is, is proven at the end."""


class Books(RuleBasedStateMachine):
    """The store on one database, and the model."""

    new_url: Callable[[], str]
    loop: asyncio.AbstractEventLoop

    who = st.integers(0, 2)
    crash = st.none() | st.integers(0, 14)
    amounts = st.integers(1, 12) | st.integers(25, 60)

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock(NOON)
        self.store: Store = open_store(type(self).new_url(), self.clock)
        self.model = Ledger(WALLET)
        self.names = ["a", "b", "c"]
        self.ids: dict[str, int] = {}
        self.phones: dict[str, str] = {}
        self.log: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        self.number = 0
        self.held: dict[str, int] = {}
        self.links: dict[str, str] = {}
        """The tokens of waiting gifts by their keys."""
        self.before = self.model
        self.orders: list[tuple[str, int, str, int]] = []
        """(who, order number, its key in the model, points that still stand)."""

    def teardown(self) -> None:
        assert self.loop.run_until_complete(self.looked(proof.faults)) == []
        self.loop.run_until_complete(self.store.close())

    async def looked(self, rule: Callable[[Session], Any]) -> Any:
        async with self.store.work() as work:
            return await work.read(rule)

    def key(self) -> str:
        self.number += 1
        return f"k{self.number}"

    def at(self, time: int) -> datetime:
        return NOON + time * HOUR

    def run(self, what: Callable[..., Any], *args: Any, crash: int | None = None, **values: Any) -> Any:
        """A call as the store runs it: first one that dies, then the real one, which stands in the log for later."""
        if crash is not None:
            try:
                self.loop.run_until_complete(self.store.write(crashing, crash, what, *args, **values))
            except CrashError:
                self.compare(self.before)
            except REFUSALS:
                pass
            else:
                # It had fewer statements than that: done is done, and what follows is a second time.
                note("no crash")
        done = self.loop.run_until_complete(self.store.write(what, *args, **values))
        self.log.append((what, args, values))
        return done

    @initialize()
    def open(self) -> None:
        self.shop = self.loop.run_until_complete(
            self.store.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
        )
        self.loop.run_until_complete(self.store.write(programme.change, gift_points=1_000_000, gift_count=1_000))
        self.redeemed = self.loop.run_until_complete(self.store.write(ledger.account, "shop", self.shop, "redeemed"))
        for who, name in enumerate(self.names):
            self.add(name)
            for expires in (6, NEVER):
                self.earn_lot(who, 20, expires, None, None)

    def add(self, name: str) -> None:
        phone = f"+8490{len(self.ids):07}"
        self.ids[name] = self.loop.run_until_complete(
            self.store.write(customers.create, phone=phone, home_shop_id=self.shop)
        )
        self.phones[name] = phone
        self.model.people[name] = Person()

    def same(self, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Any:
        """Do it in the model and in the store: both do it, or both refuse."""
        try:
            theirs()
        except RefusedError:
            with pytest.raises(REFUSALS):
                ours()
            return None
        return ours()

    # ── What happens ────────────────────────────────────────────────────────────────────────────────

    @rule(
        who=who,
        amount=amounts,
        expires=st.integers(1, 30) | st.just(NEVER),
        wait=st.none() | st.integers(1, 20),
        crash=crash,
    )
    def earn(self, who: int, amount: int, expires: int, wait: int | None, crash: int | None) -> None:
        self.earn_lot(who, amount, expires, wait, crash)

    def earn_lot(self, who: int, amount: int, expires: int, wait: int | None, crash: int | None) -> None:
        name, key, time = self.names[who], self.key(), self.model.time
        until = None if wait is None else time + wait
        ends = NEVER if expires == NEVER else time + expires
        order = self.number
        self.model.earn(name, amount, ends, until, key)
        self.run(
            points.earn, f"earn:{key}", "earn", crash=crash, customer_id=self.ids[name], shop_id=self.shop, points=amount,
            expires_at=None if ends == NEVER else self.at(ends), pending_until=None if until is None else self.at(until),
            order_id=order,
        )  # fmt: skip
        self.orders.append((name, order, key, amount))

    @rule(who=who, amount=amounts, crash=crash)
    def spend(self, who: int, amount: int, crash: int | None) -> None:
        name, key = self.names[who], self.key()
        self.same(
            lambda: self.run(
                points.spend, f"spend:{key}", "redeem", crash=crash, customer_id=self.ids[name], shop_id=self.shop,
                points=amount,
            ),
            lambda: self.model.spend(name, amount),
        )  # fmt: skip

    @rule(who=who, amount=amounts, lapses=st.integers(1, 10), crash=crash)
    def hold(self, who: int, amount: int, lapses: int, crash: int | None) -> None:
        name, key = self.names[who], self.key()
        source = self.loop.run_until_complete(self.store.write(ledger.account, "customer", self.ids[name], "available"))
        ends = self.model.time + lapses
        placed = self.same(
            lambda: self.run(
                holds.place, key, crash=crash, kind="pay", source=source, target=self.redeemed, amount=amount,
                shop_id=self.shop, lapses_at=self.at(ends),
            ),
            lambda: self.model.hold(key, name, amount, ends),
        )  # fmt: skip
        if placed is not None:
            self.held[key] = placed.id

    @rule(pick=st.integers(0, 9), part=st.integers(0, 20), crash=crash)
    def settle(self, pick: int, part: int, crash: int | None) -> None:
        """Post all (part 0) or a part of a hold."""
        if not self.held:
            return
        key = sorted(self.held)[pick % len(self.held)]
        hold = self.model.holds[key]
        if hold.state == "placed" and hold.lapses <= self.model.time:
            self.model.end_hold(key, 0, "lapsed")
        amount = hold.amount if part == 0 or part > hold.amount else part
        self.same(
            lambda: self.run(holds.post, self.held[key], amount, crash=crash),
            lambda: self.model.end_hold(key, amount, "posted"),
        )

    @rule(pick=st.integers(0, 9), crash=crash)
    def void(self, pick: int, crash: int | None) -> None:
        if not self.held:
            return
        key = sorted(self.held)[pick % len(self.held)]
        hold = self.model.holds[key]
        if hold.state == "placed" and hold.lapses <= self.model.time:
            self.model.end_hold(key, 0, "lapsed")
        self.same(
            lambda: self.run(holds.void, self.held[key], crash=crash), lambda: self.model.end_hold(key, 0, "voided")
        )

    @rule(who=who, to=who, amount=amounts, crash=crash)
    def give(self, who: int, to: int, amount: int, crash: int | None) -> None:
        """Points to a friend whose phone is known."""
        name, friend, key = self.names[who], self.names[to], self.key()
        self.same(
            lambda: self.run(
                gifts.give, key, crash=crash, giver_id=self.ids[name], points=amount, phone=self.phones[friend]
            ),
            lambda: self.model.give(name, friend, amount),
        )

    @rule(who=who, amount=amounts, crash=crash)
    def offer(self, who: int, amount: int, crash: int | None) -> None:
        """Points to whoever opens a link."""
        name, key = self.names[who], self.key()
        ends = self.model.time + int(gifts.OPEN_FOR / HOUR)
        given = self.same(
            lambda: self.run(gifts.give, key, crash=crash, giver_id=self.ids[name], points=amount),
            lambda: self.model.offer(key, name, amount, ends),
        )
        if given is not None:
            self.links[key] = given.token

    @rule(pick=st.integers(0, 9), who=who, crash=crash)
    def accept(self, pick: int, who: int, crash: int | None) -> None:
        if not self.links:
            return
        key, name = sorted(self.links)[pick % len(self.links)], self.names[who]
        self.same(
            lambda: self.run(gifts.take, self.links[key], self.ids[name], crash=crash),
            lambda: self.model.accept(key, name),
        )

    @rule(pick=st.integers(0, 9), part=st.integers(1, 40), crash=crash)
    def refund(self, pick: int, part: int, crash: int | None) -> None:
        if not self.orders:
            return
        index = pick % len(self.orders)
        name, order, key, stands = self.orders[index]
        back = stands if part > 20 else min(part, stands)
        if not back:
            return
        number = self.key()
        self.model.claw_back(name, key, back)
        self.run(
            points.claw_back, f"refund:{number}", "refund", crash=crash, customer_id=self.ids[name], shop_id=self.shop,
            points=back, order_id=order,
        )  # fmt: skip
        self.orders[index] = (name, order, key, stands - back)

    @rule(hours=st.integers(1, 12) | st.just(90), crash=crash)
    def time_passes(self, hours: int, crash: int | None) -> None:
        """The clock jumps and what is due is done, in the chores' order."""
        self.model.time += hours
        self.clock.advance(hours * HOUR)
        for theirs, ours in (
            (self.model.mature, points.release_due), (self.model.expire, points.expire_due),
            (lambda: self.model.lapse(gifts=True), gifts.lapse_due),
            (lambda: self.model.lapse(gifts=False), holds.lapse_due),
        ):  # fmt: skip
            theirs()
            self.run_due(ours, crash)

    def run_due(self, ours: Callable[[Session], int], crash: int | None) -> None:
        if crash is not None:
            with suppress(CrashError):
                self.loop.run_until_complete(self.store.write(crashing, crash, ours))
        while self.loop.run_until_complete(self.store.write(ours)):
            pass

    @rule(one=who, other=who, crash=crash)
    def merge(self, one: int, other: int, crash: int | None) -> None:
        """Two customers become one; a new one comes in the place of who went."""
        if one == other:
            return
        gone, stays = self.names[one], self.names[other]
        self.model.merge(gone, stays)
        self.run(merge_points, self.ids[gone], self.ids[stays], self.shop, crash=crash)
        self.orders = [(stays if name == gone else name, *rest) for name, *rest in self.orders]  # type: ignore[misc]
        self.names[one] = f"{gone}{self.number}x"
        self.number += 1
        self.add(self.names[one])

    @rule(back=st.integers(0, 20))
    def again(self, back: int) -> None:
        """An earlier call comes once more, long after: it changes nothing."""
        if not self.log:
            return
        what, args, values = self.log[-1 - back % len(self.log)]
        if what is merge_points:
            return
        with suppress(*REFUSALS):
            self.loop.run_until_complete(self.store.write(what, *args, **values))
        # A hold whose time was over may have been let go by the look at it.
        if what in {holds.post, holds.void}:
            key = next(key for key, number in self.held.items() if number == args[0])
            hold = self.model.holds[key]
            if hold.state == "placed" and hold.lapses <= self.model.time:
                self.model.end_hold(key, 0, "lapsed")

    # ── What must be true ───────────────────────────────────────────────────────────────────────────

    @invariant()
    def the_books_are_the_models(self) -> None:
        if self.ids:
            self.compare(self.model)
            self.before = self.model.copy()

    def compare(self, model: Ledger) -> None:
        def look(session: Session) -> tuple[Any, ...]:
            held = {}
            for name in self.names:
                rows = session.execute(
                    sa.text(
                        "SELECT expires_at, sum(remaining) FROM lots WHERE customer_id = :who AND remaining > 0 AND "
                        "pending_until IS NULL GROUP BY expires_at"
                    ),
                    {"who": self.ids[name]},
                )
                available, pending, _ = points.balances(session, self.ids[name])
                held[name] = (available, pending, {row[0]: int(row[1]) for row in rows})
            return held, ledger.balances(session, "shop", self.shop), [one for prove in BOOKS for one in prove(session)]

        held, shop, faults = self.loop.run_until_complete(self.looked(look))
        assert faults == []
        for name in self.names:
            person = model.people[name]
            lots: dict[int | None, int] = {}
            for lot in person.open:
                ends = None if lot.expires == NEVER else to_micros(self.at(lot.expires))
                lots[ends] = lots.get(ends, 0) + lot.left
            assert held[name] == (person.available, person.pending, lots), name
        assert (shop["wallet"], shop.get("redeemed", 0), shop.get("expired", 0)) == (
            model.wallet, model.redeemed, model.expired,
        )  # fmt: skip


def drive(new_url: Callable[[], str], examples: int) -> None:
    loop = asyncio.new_event_loop()
    machine = type("Driven", (Books,), {"new_url": staticmethod(new_url), "loop": loop})
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples, stateful_step_count=40, deadline=None, database=None,
                suppress_health_check=list(HealthCheck), print_blob=False,
            ),
        )  # fmt: skip
    finally:
        loop.close()


@pytest.mark.parametrize("examples", [8, pytest.param(300, marks=pytest.mark.torture)])
def test_the_ledger_is_its_model_on_sqlite(sqlite_template: Path, examples: int) -> None:
    with tempfile.TemporaryDirectory() as folder:

        def fresh() -> str:
            path = Path(folder) / f"{uuid.uuid4().hex}.db"
            shutil.copy(sqlite_template, path)
            return f"sqlite+aiosqlite:///{path}"

        drive(fresh, examples)


@pytest.mark.parametrize("examples", [3, pytest.param(60, marks=pytest.mark.torture)])
def test_the_ledger_is_its_model_on_postgresql(postgres_server: sa.URL, postgres_template: str, examples: int) -> None:
    made: list[str] = []

    def fresh() -> str:
        name = f"regulars_{uuid.uuid4().hex[:12]}"
        asyncio.run(_admin(postgres_server, copy_of(postgres_template, name)))
        made.append(name)
        return _dsn(postgres_server.set(database=name)).replace("postgresql://", "postgresql+asyncpg://", 1)

    try:
        drive(fresh, examples)
    finally:
        for name in made:
            asyncio.run(_admin(postgres_server, f'DROP DATABASE "{name}" WITH (FORCE)'))
