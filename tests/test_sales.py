"""The till: finding who stands there, selling once, taking it back, and that whatever happens the books stay right."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy.orm import Session

from loyalty import programme, shifts
from loyalty.attempts import TooManyError
from loyalty.customers import claims, counter, customers
from loyalty.customers.counter import Found, PhoneTakenError
from loyalty.orders import bills, orders, sales
from loyalty.orders.sales import Sale, UndoOverError
from loyalty.points import ledger, lots, points
from loyalty.points.ledger import KeyConflictError, UncoveredError
from loyalty.vouchers import redemptions, reservations, rewards, voucher_programs, vouchers
from loyalty.vouchers.reservations import NotStackableError
from loyalty.vouchers.voucher_limits import BudgetSpentError
from loyalty.vouchers.voucher_programs import Kind, Stacks
from loyalty.vouchers.vouchers import UnknownVoucherError, UnusableVoucherError
from store import schema, staff
from store.audit import AuditRow
from store.base import Base
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError, NotFoundError, RuleError
from store.ids import Ids
from store.notices import NoticeRow
from tests.conftest import NOON

LAN = "+84903123456"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def hoa(store: Store, shop: int) -> int:
    return await store.write(staff.add, "Hoa", staff.Role.CASHIER, shop)


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    """A customer with 200 points."""
    customer_id = await store.write(customers.create, phone=LAN, name="Nguyễn Thị Lan", home_shop_id=shop)
    await store.write(points.earn, "e:1", "earn", customer_id=customer_id, shop_id=shop, points=200)
    return customer_id


async def sell(store: Store, key: str = "k1", amount: int = 100_000, **values: Any) -> Sale:
    sold = await store.write(sales.sell, shop_id=1, staff_id=1, key=key, amount=amount, **values)
    assert isinstance(sold, Sale)
    return sold


async def voucher(store: Store, customer_id: int | None = None, **values: Any) -> str:
    made = await store.write(voucher_programs.add, **{"name": "Giảm", "kind": Kind.AMOUNT, "value": 20_000} | values)
    return (await store.write(vouchers.issue, made.id, customer_id)).code


async def everything(store: Store) -> dict[str, list[str]]:
    return await store.read(
        lambda session: {
            table.name: sorted(map(repr, session.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
        }
    )


async def sound(store: Store) -> None:
    for prove in (ledger.check, points.check, vouchers.check, redemptions.check_states):
        assert await store.read(prove) == []


async def test_a_customer_is_found_by_card_phone_or_voucher(store: Store, shop: int, hoa: int, lan: int) -> None:
    person = await store.read(customers.get, lan)
    own, bearer = await voucher(store, lan), await voucher(store)
    for query in (
        f"regulars:{person.code}", person.code.lower(), f" {person.code[:4]}-{person.code[4:]} ", "0903 123 456", "84903123456",
        "+84 (903) 123-456", own, f"regulars:v:{own}", vouchers.shown(own).lower(),
    ):  # fmt: skip
        found = await store.write(counter.find, query, shop_id=shop, staff_id=hoa)
        assert isinstance(found, Found), query
        assert found.card is not None
        assert (found.card.customer_id, found.card.available, len(found.card.vouchers)) == (lan, 200, 1)
        assert found.card.phone == "+8490•••456"
    free = await store.write(counter.find, bearer, shop_id=shop, staff_id=hoa)
    assert isinstance(free, Found)
    assert free.card is None
    assert free.voucher is not None
    guest = await store.write(counter.find, "0912 345 678", shop_id=shop, staff_id=hoa)
    assert guest == Found(None, phone="+84912345678")


NOBODY = ["", "regulars:", "ABCD2345", "K7MD2QXW9HPTA", "<b>", "Lan", "12", "0999 111 22", "🎁", "9" * 5000]


async def test_what_means_nobody_is_counted(store: Store, shop: int, hoa: int) -> None:
    for query in NOBODY * 2:
        assert isinstance(await store.write(counter.find, query, shop_id=shop, staff_id=hoa), NotFoundError), query
    with pytest.raises(TooManyError):
        await store.write(counter.find, LAN, shop_id=shop, staff_id=hoa)


async def test_money_voucher_and_points_pay_together(store: Store, shop: int, hoa: int, lan: int) -> None:
    code = await voucher(store, lan)
    seen = await store.write(
        bills.preview,
        shop_id=shop,
        staff_id=hoa,
        customer_id=lan,
        amount=100_000,
        voucher_codes=[code],
        points_to_use=100,
    )
    assert (seen.points_max, seen.points_paid, seen.paid, seen.earns) == (200, 2_000, 78_000, 78)
    sold = await sell(store, customer_id=lan, voucher_codes=[code], points_to_use=100)
    assert (sold.amount, sold.discount, sold.points_used, sold.points_paid) == (100_000, 20_000, 100, 2_000)
    assert (sold.paid, sold.earned, sold.balance, sold.tier) == (78_000, 78, 178, "Thành viên")
    assert sold.order.startswith("T-")
    order = await store.read(orders.get, sold.order_id)
    assert (order.total, order.status, order.source, order.external_id) == (78_000, "completed", "till", sold.order)
    assert await store.read(vouchers.wallet, lan) == []
    kinds = await store.read(lambda session: list(session.execute(sa.select(NoticeRow.kind)).scalars()))
    assert kinds == ["points_spent", "points_earned"]
    await sound(store)


@dataclass
class Proposed:
    """What the till proposes: đồng off by code, why others are not used, what is left to pay."""

    used: dict[str, int]
    refused: dict[str, str]
    paid: int


async def seen_by(store: Store, amount: int = 100_000, **values: Any) -> Proposed:
    bill = await store.write(bills.preview, **{"shop_id": 1, "staff_id": 1, "amount": amount} | values)
    return Proposed(
        {use.code: use.discount for use in bill.vouchers.uses},
        {one.code: one.reason for one in bill.vouchers.refused},
        bill.paid,
    )


async def test_the_best_of_several_vouchers_is_proposed_and_sold(store: Store, shop: int, hoa: int, lan: int) -> None:
    ten = await voucher(store, lan, kind=Kind.PERCENT, value=10)
    twenty = await voucher(store, lan)
    alone = await voucher(store, lan, value=25_000, stacks=Stacks.NONE)
    dear = await voucher(store, lan, min_order=500_000)
    shown = await voucher(store)
    seen = await seen_by(store, customer_id=lan, voucher_codes=[shown])
    assert seen == Proposed(
        {ten: 10_000, twenty: 20_000, shown: 20_000}, {alone: "not_stackable", dear: "min_order"}, 50_000
    )
    without = await seen_by(store, customer_id=lan, voucher_codes=[], without=[vouchers.shown(ten), twenty])
    assert without == Proposed({alone: 25_000}, {dear: "min_order"}, 75_000)
    sold = await sell(store, customer_id=lan, voucher_codes=list(seen.used))
    assert (sold.discount, sold.paid) == (50_000, 50_000)
    assert (await sell(store, customer_id=lan, voucher_codes=list(reversed(seen.used)))).id == sold.id
    left = {kept.voucher.code for kept in await store.read(vouchers.wallet, lan)}
    assert left == {alone, dear}
    await sound(store)
    assert await store.read(shifts.check) == []
    undone = await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=sold.id)
    assert (undone.undone, len(await store.read(vouchers.wallet, lan))) == (True, 4)
    assert (await seen_by(store, customer_id=lan, voucher_codes=[shown])).used == seen.used
    told = await store.read(lambda session: list(session.execute(sa.select(NoticeRow.params)).scalars()))
    assert told[-1]["vouchers_back"] == 3
    await sound(store)
    assert await store.read(shifts.check) == []


async def test_vouchers_that_may_not_be_together_sell_nothing(store: Store, shop: int, hoa: int, lan: int) -> None:
    one, alone = await voucher(store, lan), await voucher(store, lan, stacks=Stacks.NONE)
    before = await everything(store)
    with pytest.raises(NotStackableError):
        await sell(store, customer_id=lan, voucher_codes=[one, alone])
    assert await everything(store) == before


async def test_racing_sales_of_the_same_vouchers_use_each_once(store: Store, shop: int, hoa: int) -> None:
    codes = [await voucher(store) for _ in range(3)]
    done = await asyncio.gather(
        *(sell(store, f"k{n}", voucher_codes=codes[n % 2 :] + codes[: n % 2]) for n in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, Sale) for one in done) == 1
    assert sum(isinstance(one, UnusableVoucherError) for one in done) == 3
    await sound(store)


async def test_what_is_in_the_way_of_an_own_voucher_is_said_and_counts_as_no_guess(
    store: Store, shop: int, hoa: int, lan: int
) -> None:
    spent = await voucher(store, lan, budget=5_000)
    for _ in range(25):
        assert (await seen_by(store, customer_id=lan)).refused == {spent: "budget_spent"}
    assert (await seen_by(store, customer_id=lan, voucher_codes=["nope"])).refused == {
        "NOPE": "invalid",
        spent: "budget_spent",
    }


async def test_a_double_tap_sells_once(store: Store, shop: int, hoa: int, lan: int) -> None:
    code = await voucher(store, lan)
    done = await asyncio.gather(
        *(sell(store, customer_id=lan, voucher_codes=[code], points_to_use=50) for _ in range(8))
    )
    assert len({sold.id for sold in done}) == 1
    assert (await store.read(points.balances, lan))[0] == 200 - 50 + 79
    assert len(await store.read(orders.of_customer, lan)) == 1
    with pytest.raises(KeyConflictError):
        await sell(store, amount=100_001, customer_id=lan, voucher_codes=[code], points_to_use=50)
    await sound(store)


async def test_racing_sales_spend_no_more_points_than_there_are(store: Store, shop: int, hoa: int, lan: int) -> None:
    done = await asyncio.gather(
        *(sell(store, f"k{n}", 10_000, customer_id=lan, points_to_use=150) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Sale) for one in done) == 1
    assert sum(isinstance(one, UncoveredError) for one in done) == 4
    assert (await store.read(points.balances, lan))[0] == 200 - 150 + 7
    await sound(store)


async def test_racing_sales_use_one_voucher_once(store: Store, shop: int, hoa: int) -> None:
    code = await voucher(store)
    done = await asyncio.gather(*(sell(store, f"k{n}", voucher_codes=[code]) for n in range(6)), return_exceptions=True)
    assert sum(isinstance(one, Sale) for one in done) == 1
    assert sum(isinstance(one, UnusableVoucherError) for one in done) == 5
    await sound(store)


WRONG_SALES: list[tuple[dict[str, Any], str]] = [
    ({"amount": 0}, "amount"),
    ({"amount": -5}, "amount"),
    ({"amount": 10**12}, "amount"),
    ({"points_to_use": -1}, "points"),
    ({"amount": 1_000, "points_to_use": 51}, "points"),
    ({"customer_id": None, "points_to_use": 1}, "points"),
    ({"customer_id": None, "phone": "hello"}, "phone"),
    ({"key": ""}, "key"),
]


async def test_what_cannot_be_right_is_refused_and_nothing_is_changed(
    store: Store, shop: int, hoa: int, lan: int
) -> None:
    before = await everything(store)
    for values, field in WRONG_SALES:
        with pytest.raises(InvalidError) as refused:
            await sell(store, **{"customer_id": lan} | values)
        assert refused.value.field == field
    assert await everything(store) == before


async def test_a_refused_sale_changes_nothing(store: Store, shop: int, hoa: int, lan: int) -> None:
    code = await voucher(store, lan, min_order=200_000)
    good = await voucher(store, lan)
    before = await everything(store)
    for values in (
        {"voucher_codes": [code]},
        {"voucher_codes": [good], "points_to_use": 201},
        {"customer_id": 99, "voucher_codes": [good]},
    ):
        with pytest.raises(RuleError):
            await sell(store, **{"customer_id": lan, "amount": 100_000} | values)
    with pytest.raises(InvalidError) as refused:
        await sell(store, amount=21_000, customer_id=lan, voucher_codes=[good], points_to_use=51)
    assert refused.value.field == "points"
    assert await everything(store) == before


async def test_a_wrong_voucher_sells_nothing_and_is_counted(store: Store, shop: int, hoa: int) -> None:
    for _ in range(20):
        refused = await store.write(
            sales.sell, shop_id=shop, staff_id=hoa, key="k1", amount=1_000, phone="0912345678", voucher_codes=["no"]
        )
        assert isinstance(refused, UnknownVoucherError)
    assert await store.read(customers.by_phone, "+84912345678") is None
    assert await store.read(sales.today, shop, hoa) == []
    with pytest.raises(TooManyError):
        await sell(store, voucher_codes=[await voucher(store)])


async def test_a_phone_makes_a_guest_and_nobody_gets_a_receipt_to_claim(
    store: Store, shop: int, hoa: int, lan: int
) -> None:
    guest = await sell(store, "k1", 50_000, phone="0912 345 678")
    assert guest.customer_id == await store.read(customers.by_phone, "+84912345678")
    assert (guest.earned, guest.balance) == (50, 50)
    unknown = await sell(store, "k2", 60_000)
    assert (unknown.customer_id, unknown.balance, unknown.tier) == (None, 0, None)
    assert unknown.claim_token is not None
    await store.write(claims.claim_order, lan, unknown.claim_token)
    assert (await store.read(points.balances, lan))[0] == 260
    undone = await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=unknown.id)
    assert undone.undone
    assert (await store.read(points.balances, lan))[0] == 200
    await sound(store)


async def test_undo_gives_everything_back_once(store: Store, shop: int, hoa: int, lan: int) -> None:
    before = await store.read(lambda session: session.execute(sa.select(lots.lots)).all())
    code = await voucher(store, lan)
    sold = await sell(store, customer_id=lan, voucher_codes=[code], points_to_use=100)
    done = await asyncio.gather(
        *(store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=sold.id) for _ in range(4))
    )
    assert all(one.undone for one in done)
    assert (await store.read(points.balances, lan)) == (200, 0, 0)
    after = await store.read(lambda session: session.execute(sa.select(lots.lots)).all())
    assert [lot for lot in after if lot.remaining] == before
    assert [kept.voucher.code for kept in await store.read(vouchers.wallet, lan)] == [code]
    order = await store.read(orders.get, sold.order_id)
    assert order.status == "cancelled"
    person = await store.read(customers.get, lan)
    assert (person.spend_total, person.orders_count) == (0, 0)
    again = await sell(store, "k2", customer_id=lan, voucher_codes=[code])
    assert again.discount == 20_000
    await sound(store)


async def test_only_the_last_sale_of_this_cashier_here_can_be_undone_and_not_for_long(
    store: Store, shop: int, hoa: int, lan: int, clock: SetClock
) -> None:
    binh = await store.write(staff.add, "Bình", staff.Role.CASHIER, None)
    first, last = await sell(store, "k1", customer_id=lan), await sell(store, "k2", customer_id=lan)
    before = await everything(store)
    with pytest.raises(UndoOverError):
        await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=first.id)
    with pytest.raises(NotFoundError):
        await store.write(sales.undo, shop_id=shop, staff_id=binh, sale_id=last.id)
    clock.advance(timedelta(minutes=15))
    with pytest.raises(UndoOverError):
        await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=last.id)
    assert await everything(store) == before
    clock.set(NOON)
    await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=last.id)
    with pytest.raises(UndoOverError):
        await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=first.id)


async def test_points_come_back_to_who_the_buyer_is_by_now(store: Store, shop: int, hoa: int, lan: int) -> None:
    sold = await sell(store, customer_id=lan, points_to_use=100)
    survivor = await store.write(customers.create, name="Lan", home_shop_id=shop)
    await store.write(claims.merge, survivor, lan)
    await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=sold.id)
    assert (await store.read(points.balances, survivor))[0] == 200
    await sound(store)


async def test_today_is_the_shops_day_and_the_cashiers_own(
    store: Store, shop: int, hoa: int, lan: int, clock: SetClock
) -> None:
    clock.set(NOON - timedelta(hours=12, seconds=1))
    await sell(store, "yesterday")
    clock.set(NOON)
    first, second = await sell(store, "k1", 10_000, customer_id=lan), await sell(store, "k2", 20_000)
    await store.write(sales.undo, shop_id=shop, staff_id=hoa, sale_id=second.id)
    listed = await store.read(sales.today, shop, hoa)
    assert [(sale.id, sale.undone, sale.name) for sale in listed] == [
        (second.id, True, ""), (first.id, False, "Nguyễn Thị Lan"),
    ]  # fmt: skip
    assert await store.read(sales.today, shop, 99) == []


async def test_a_cashier_vouches_for_a_phone(store: Store, shop: int, hoa: int) -> None:
    guest = await sell(store, "k1", 50_000, phone="0912345678")
    visitor = await store.write(customers.create, name="Tí", home_shop_id=shop)
    claimed = await store.write(counter.confirm_phone, visitor, "0912 345 678", shop_id=shop, staff_id=hoa)
    assert (claimed.customer_id, claimed.points) == (guest.customer_id, 50)
    person = await store.read(customers.get, visitor)
    assert (person.id, person.phone) == (guest.customer_id, "+84912345678")
    assert person.phone_verified_at is not None
    again = await store.write(counter.confirm_phone, visitor, "0912345678", shop_id=shop, staff_id=hoa)
    assert (again.customer_id, again.points) == (guest.customer_id, 0)
    audited = await store.read(lambda session: session.execute(sa.select(AuditRow.action, AuditRow.data)).all())
    assert [(row.action, row.data["phone"]) for row in audited] == [("phone_confirmed", "+8491•••678")]
    # Nobody else gets a proven number by a slip of the tongue, nor does its owner lose it.
    other = await store.write(customers.create, name="Tèo", home_shop_id=shop)
    before = await everything(store)
    for who, phone in ((other, "0912345678"), (visitor, "0903000111")):
        with pytest.raises(PhoneTakenError):
            await store.write(counter.confirm_phone, who, phone, shop_id=shop, staff_id=hoa)
    with pytest.raises(InvalidError):
        await store.write(counter.confirm_phone, other, "12", shop_id=shop, staff_id=hoa)
    assert await everything(store) == before


# What may happen at a counter, in any order, beside a model of what must come of it.


class Model:
    """The counter in plain numbers: points of each customer, what each sale may give back, the state of each voucher."""

    def __init__(self) -> None:
        self.points: dict[int, int] = {}
        self.vouchers: dict[str, str] = {}
        self.owners: dict[str, int | None] = {}
        self.takes: dict[str, int] = {}
        """đồng that a held or used voucher takes from its offer's budget."""
        self.stock = 12
        self.sold: list[tuple[int, int, int, str | None, int]] = []
        """(sale, customer, points it changed, voucher, minute it was made)."""
        self.holds: dict[int, tuple[str, int]] = {}
        """Reserved: redemption → (code, minute it was reserved)."""


PRICE, OFF, STEP, BUDGET = 30, 20_000, 5, 90_000


class Counter(RuleBasedStateMachine):
    """Sales, undone sales, bought vouchers, reservations and orders, against the model."""

    codes: Bundle[str] = Bundle("codes")
    holds: Bundle[int] = Bundle("holds")
    who = st.integers(1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.clock = SetClock(NOON)
        self.minute = 0
        self.number = 0
        self.model = Model()
        self.engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, isolation_level="AUTOCOMMIT")
        schema.metadata().create_all(self.engine)
        self.connection = self.engine.connect()
        self.session = Session(bind=self.connection, expire_on_commit=False)
        raw = self.connection.connection.driver_connection
        self.session.info.update(clock=self.clock, ids=Ids(0), signals=[], sqlite=raw)

    def teardown(self) -> None:
        self.session.close()
        self.connection.close()
        self.engine.dispose()

    def write(self, what: Any, *args: Any, **values: Any) -> Any:
        """As the store runs a rule: a refused one leaves nothing."""
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

    def key(self) -> str:
        self.number += 1
        return f"k{self.number}"

    @initialize()
    def open(self) -> None:
        self.shop = self.write(programme.open_shop, "Phố", timezone="Asia/Ho_Chi_Minh", language="vi")
        self.staff = self.write(staff.add, "Hoa", staff.Role.CASHIER, self.shop)
        self.program = self.write(
            voucher_programs.add, name="Giảm", kind=Kind.AMOUNT, value=OFF, stock=12, price_points=PRICE, budget=BUDGET
        ).id
        for number in (1, 2):
            customer = self.write(customers.create, phone=f"+8490300000{number}", home_shop_id=self.shop)
            self.write(points.earn, f"start:{customer}", "earn", customer_id=customer, shop_id=self.shop, points=100)
            self.model.points[customer] = 100

    @rule(target=codes, who=who)
    def buy(self, who: int) -> Any:
        can = self.model.points[who] >= PRICE and self.model.stock > 0
        try:
            bought = self.write(rewards.buy, who, self.program, price=PRICE, key=self.key())
        except (UncoveredError, vouchers.SoldOutError):
            assert not can
            return multiple()
        assert can
        self.model.points[who] -= PRICE
        self.model.stock -= 1
        self.model.vouchers[bought.voucher.code] = "open"
        self.model.owners[bought.voucher.code] = who
        return bought.voucher.code

    @rule(target=codes)
    def issue(self) -> Any:
        try:
            (code,) = self.write(vouchers.issue_many, self.program, 1)
        except vouchers.SoldOutError:
            assert self.model.stock == 0
            return multiple()
        self.model.stock -= 1
        self.model.vouchers[code], self.model.owners[code] = "open", None
        return code

    @rule(who=who, amount=st.integers(1, 60) | st.integers(0, 300_000), spend=st.integers(0, 60), twice=st.booleans())
    def sell(self, who: int, amount: int, spend: int, twice: bool) -> None:
        self.sale(who, amount, spend, None, twice=twice)

    @rule(who=who, amount=st.integers(1, 200_000), spend=st.integers(0, 60), code=codes, twice=st.booleans())
    def sell_with_voucher(self, who: int, amount: int, spend: int, code: str, twice: bool) -> None:
        self.sale(who, amount, spend, code, twice=twice)

    def sale(self, who: int, amount: int, spend: int, code: str | None, *, twice: bool) -> None:
        off = min(OFF, amount) if code else 0
        usable = code is None or (
            self.state(code) == "open" and self.model.owners[code] in {None, who} and self.budget() >= off
        )
        can = amount > 0 and usable and spend * 20 <= amount - off and spend <= max(0, self.model.points[who])
        key = self.key()
        for _ in range(1 + twice):
            try:
                sold = self.write(
                    sales.sell, shop_id=self.shop, staff_id=self.staff, key=key, amount=amount, customer_id=who,
                    voucher_codes=[code] if code else [], points_to_use=spend,
                )  # fmt: skip
            except (InvalidError, UncoveredError, UnusableVoucherError, BudgetSpentError, TooManyError):
                assert not can
                return
            if isinstance(sold, UnknownVoucherError):
                assert not can
                return
        assert can
        assert sold.paid == amount - off - spend * 20
        assert sold.earned == sold.paid // 1_000
        self.model.points[who] += sold.earned - spend
        self.model.sold.append((sold.id, who, sold.earned - spend, code, self.minute))
        if code:
            self.model.vouchers[code], self.model.takes[code] = "used", off

    @rule(back=st.integers(0, 2), twice=st.booleans())
    def undo(self, back: int, twice: bool) -> None:
        if len(self.model.sold) <= back:
            return
        sale_id, who, change, code, minute = self.model.sold[-1 - back]
        done = self.session.get(sales.SaleRow, sale_id, populate_existing=True).undone_at is not None
        can = done or (back == 0 and self.minute - minute < 15)
        for _ in range(1 + twice):
            try:
                self.write(sales.undo, shop_id=self.shop, staff_id=self.staff, sale_id=sale_id)
            except UndoOverError:
                assert not can
                return
        assert can
        if not done:
            self.model.points[who] -= change
            if code:
                self.model.vouchers[code] = "open"

    @rule(target=holds, code=codes)
    def reserve(self, code: str) -> Any:
        can = self.state(code) == "open" and self.budget() >= OFF
        try:
            held = self.write(
                reservations.reserve, code, shop_id=self.shop, order=self.key(), order_total=100_000, actor="key:1"
            )
        except (UnusableVoucherError, BudgetSpentError):
            assert not can
            return multiple()
        assert can
        self.model.vouchers[code], self.model.takes[code] = "held", OFF
        self.model.holds[held.id] = (code, self.minute)
        return held.id

    @rule(hold=consumes(holds), confirm=st.booleans(), twice=st.booleans())
    def settle(self, hold: int, confirm: bool, twice: bool) -> None:
        code, _ = self.model.holds[hold]
        lapsed = self.lapsed(hold)
        settle = redemptions.confirm if confirm else redemptions.cancel
        for _ in range(1 + twice):
            try:
                self.write(settle, hold, shop_id=self.shop)
            except redemptions.SettledError:
                assert lapsed
                assert confirm
                return
        assert not (lapsed and confirm)
        if not lapsed:
            del self.model.holds[hold]
            self.model.vouchers[code] = "used" if confirm else "open"

    @rule(minutes=st.integers(1, 20), come_round=st.booleans())
    def wait(self, minutes: int, come_round: bool) -> None:
        self.minute += minutes
        self.clock.advance(timedelta(minutes=minutes))
        if come_round:
            self.write(redemptions.lapse_due)

    @rule(who=who, total=st.integers(0, 90_000), refunded=st.integers(0, 90_000))
    def order_and_refund(self, who: int, total: int, refunded: int) -> None:
        refunded = min(refunded, total)
        name = self.key()
        for back in (0, refunded, refunded):
            told = orders.OrderInput(
                total=total, refunded=back, currency="VND", placed_at=self.clock.now(), status=orders.Status.COMPLETED,
                customer_id=who,
            )  # fmt: skip
            held = orders.find(self.session, self.shop, name)
            self.write(orders.put, self.shop, name, told if held is None else _at(told, held.placed_at))
        self.model.points[who] += (total - refunded) // 1_000

    @rule(who=who, code=codes, ends=st.sampled_from(["cancelled", "refunded", "a part", "again"]))
    def order_with_voucher(self, who: int, code: str, ends: str) -> None:
        """An order uses a voucher, is undone (each step told twice), and perhaps stands again."""
        can = self.state(code) == "open" and self.budget() >= OFF
        name = self.key()
        try:
            held = self.write(
                reservations.reserve, code, shop_id=self.shop, order=name, order_total=100_000, actor=self.key()
            )
        except (UnusableVoucherError, BudgetSpentError):
            assert not can
            return
        assert can
        steps = {
            "cancelled": [("cancelled", 0)], "refunded": [("refunded", 80_000)], "a part": [("completed", 30_000)],
            "again": [("cancelled", 0), ("completed", 0)],
        }[ends]  # fmt: skip
        for status, refunded in [("completed", 0), *steps]:
            for _ in range(2):
                told = orders.OrderInput(
                    total=80_000, refunded=refunded, currency="VND", placed_at=self.clock.now(), customer_id=who,
                    status=orders.Status(status), redemptions=[held.id],
                )  # fmt: skip
                known = orders.find(self.session, self.shop, name)
                self.write(orders.put, self.shop, name, told if known is None else _at(told, known.placed_at))
        stands = {"cancelled": 0, "refunded": 0, "a part": 50, "again": 80}[ends]
        self.model.points[who] += stands
        self.model.vouchers[code], self.model.takes[code] = ("used" if stands else "open"), OFF

    def budget(self) -> int:
        """What the model's budget has left."""
        return BUDGET - sum(self.model.takes[code] for code in self.model.vouchers if self.state(code) != "open")

    def lapsed(self, hold: int) -> bool:
        return self.minute - self.model.holds[hold][1] >= 15

    def state(self, code: str) -> str:
        """The model's state of a voucher, holds whose time is over let go."""
        held = [
            hold for hold, (held_code, _) in self.model.holds.items() if held_code == code and not self.lapsed(hold)
        ]
        if self.model.vouchers[code] == "held" and not held:
            self.model.vouchers[code] = "open"
        return self.model.vouchers[code]

    @invariant()
    def the_books_are_right(self) -> None:
        if not self.model.points:
            return
        proofs = (ledger.check, points.check, vouchers.check, redemptions.check_states, redemptions.check_limits)
        for prove in proofs:
            assert prove(self.session) == []
        for who, held in self.model.points.items():
            assert points.balances(self.session, who)[0] == held
        for code in self.model.vouchers:
            checked = reservations.check(self.session, code, 50_000, shop_id=self.shop, actor=self.key())
            assert checked.valid == (self.state(code) == "open" and self.budget() >= OFF)


def _at(order: orders.OrderInput, moment: Any) -> orders.OrderInput:
    from dataclasses import replace

    return replace(order, placed_at=moment)


class TestCounter(Counter.TestCase):
    settings = settings(
        max_examples=8, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


async def test_the_cashier_says_what_of_the_bill_a_voucher_is_for(store: Store, shop: int, hoa: int, lan: int) -> None:
    code = await voucher(store, lan, kind=Kind.PERCENT, value=50, categories=["Trà"])
    asked = {"shop_id": shop, "staff_id": hoa, "customer_id": lan, "amount": 100_000, "voucher_codes": [code]}
    assert (await seen_by(store, **asked)).refused == {code: "items"}
    seen = await store.write(bills.preview, **asked, voucher_part=30_000)
    assert (seen.vouchers.discount, seen.paid, seen.vouchers.refused) == (15_000, 85_000, [])
    with pytest.raises(InvalidError):
        await store.write(bills.preview, **asked, voucher_part=100_001)
    sold = await sell(store, customer_id=lan, voucher_codes=[code], voucher_part=30_000)
    assert (sold.discount, sold.paid) == (15_000, 85_000)
    with pytest.raises(KeyConflictError):
        await sell(store, customer_id=lan, voucher_codes=[code], voucher_part=40_000)
    await sound(store)
