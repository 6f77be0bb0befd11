"""The proof of the whole store finds one wrong row of each kind, and names it first.

A store with something of every kind in it is made once for each database. Each line of `WRONG` spoils one row in a savepoint
that is rolled back; the triggers that keep the books append-only are out of the way for it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from loyalty import programme, shifts
from loyalty.customers import claims, customers
from loyalty.orders import orders, sales, sheets
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import adjustments, gifts, holds, ledger, points, proof
from loyalty.recognition import drafts, draws, entries, prizes, surprises, wins
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, EntryBy, Mode
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.surprises import When
from loyalty.recognition.wins import Cause
from loyalty.referrals import referral_terms, referrals
from loyalty.referrals.referral_terms import Reward, RewardKind
from loyalty.vouchers import (
    batches,
    redemptions,
    reservations,
    rewards,
    shared_codes,
    voucher_gifts,
    voucher_programs,
    vouchers,
)
from loyalty.vouchers.voucher_programs import Kind
from store import shops, staff
from store.base import Base
from store.clock import SetClock
from store.engine import Store
from store.staff import Role

FRIEND = "+84903999999"
TABLES = Base.metadata.tables
ORDER = OrderInput(total=85_000, currency="VND", placed_at=None, status=Status.COMPLETED)  # type: ignore[arg-type]


@dataclass
class World:
    """The rows that are to be spoiled, by what they are."""

    session: Session
    rows: dict[str, int]

    def __getattr__(self, name: str) -> int:
        return self.rows[name]


def made(session: Session, clock: SetClock) -> dict[str, int]:
    """Something of every kind; the numbers of the rows."""
    rows = _points(session, clock)
    rows |= _offers(session, rows)
    rows |= _games(session, rows, clock)
    return rows


def _points(session: Session, clock: SetClock) -> dict[str, int]:
    shop = programme.open_shop(session, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    owner = staff.add(session, "Hà", Role.OWNER, None)
    manager = staff.add(session, "Hoa", Role.MANAGER, shop)
    programme.change(session, adjust_manager=50, second_approval=True)
    lan = customers.create(session, phone="+84903123456", name="Lan", home_shop_id=shop)
    minh = customers.create(session, phone=FRIEND, name="Minh", home_shop_id=shop)
    order = replace(ORDER, customer_id=lan, placed_at=clock.now())
    first = orders.put(session, shop, "A1", order).id
    orders.put(session, shop, "A1", replace(order, refunded=40_000))
    shops.change(session, shop, return_days=7)
    orders.put(session, shop, "A2", order)
    shops.change(session, shop, return_days=0)
    for key, days in (("e1", 30), ("e2", 60)):
        points.earn(
            session, key, "earn", customer_id=lan, shop_id=shop, points=500, expires_at=clock.now() + timedelta(days)
        )
    spent = points.spend(session, "s1", "pay", customer_id=lan, shop_id=shop, points=80)
    points.give_back(session, "s1:back", "pay_back", spent.transfer_id, customer_id=lan, points=30)
    available, redeemed = (
        ledger.account(session, "customer", lan, "available"),
        ledger.account(session, "shop", shop, "redeemed"),
    )
    placed = [
        holds.place(session, key, kind="pay", source=available, target=redeemed, amount=amount).id
        for key, amount in (("h1", 300), ("h2", 20), ("h3", 20))
    ]
    holds.post(session, placed[0], 290)
    holds.void(session, placed[1])
    asked = [
        adjustments.ask(session, f"j{n}", staff_id=manager, shop_id=shop, customer_id=lan, points=amount, reason="x").id
        for n, amount in enumerate((40, -60, 70))
    ]
    adjustments.approve(session, asked[2], staff_id=owner)
    given = gifts.give(session, "g1", giver_id=lan, points=10, phone=FRIEND).id
    waits = gifts.give(session, "g2", giver_id=lan, points=11).id
    token = gifts.give(session, "g3", giver_id=lan, points=12).token
    assert token is not None
    return {
        "shop": shop, "owner": owner, "cashier": manager, "lan": lan, "minh": minh, "order": first, "available": available,
        "posted": placed[0], "voided": placed[1], "placed": placed[2], "done": asked[0], "asked": asked[1],
        "approved": asked[2], "given": given, "waits": waits, "taken": gifts.take(session, token, minh).id,
        "spent": spent.transfer_id,
    }  # fmt: skip


def _offers(session: Session, rows: dict[str, int]) -> dict[str, int]:
    shop, lan, minh = rows["shop"], rows["lan"], rows["minh"]

    def offer(kind: Kind = Kind.AMOUNT, **values: Any) -> int:
        return voucher_programs.add(session, name="Giảm", kind=kind, value=20_000, **values).id

    def reserve(code: str, order: str) -> int:
        held = reservations.reserve(session, code, shop_id=shop, order=order, order_total=90_000, actor="key:1")
        assert isinstance(held, redemptions.Redemption)
        return held.id

    budget, plain, shared = offer(budget=100_000), offer(price_points=15), offer(shared=True, stock=5)
    codes = vouchers.issue_many(session, budget, 3)
    used, reserved = reserve(codes[0], "B1"), reserve(codes[1], "B2")
    redemptions.confirm(session, used, shop_id=shop)
    everybodys = shared_codes.add(session, shared, "TET-2027")
    redemptions.confirm(session, reserve("TET2027", "B3"), shop_id=shop)
    bought = rewards.buy(session, lan, plain, price=15, key="b1").voucher.id
    offered = vouchers.issue(session, plain, lan).id
    voucher_gifts.offer(session, offered, lan)
    batch = batches.keep_list(session, plain, b"code\nABCDEF12\n!\n", 2, actor="staff:1").id
    list(batches.take(session, batch, [sheets.Row(2, ["ABCDEF12"]), sheets.Row(3, ["!"])], 0))
    sold = sales.sell(
        session, shop_id=shop, staff_id=rows["cashier"], key="k1", amount=90_000, customer_id=lan, voucher_codes=[codes[2]],
        points_to_use=5,
    )  # fmt: skip
    assert isinstance(sold, sales.Sale)
    shift = shifts.close(session, shop, rows["cashier"], last_sale_id=sold.id).id
    referral_terms.change(
        session, referrer=Reward(RewardKind.POINTS, points=50), friend=Reward(RewardKind.VOUCHER, program_id=plain),
        daily_limit=20, actor="staff:1",
    )  # fmt: skip
    friend = customers.create(session, name="Huy", home_shop_id=shop)
    referrals.open_link(session, referrals.code_of(session, minh), friend)
    orders.put(session, shop, "F1", replace(ORDER, customer_id=friend, placed_at=session.info["clock"].now()))
    sides = TABLES["referral_rewards"].c
    paid = {row.side: row.id for row in session.execute(sa.select(sides.side, sides.id))}
    return {
        "budget": budget, "plain": plain, "shared": shared, "used": used, "reserved": reserved, "everybodys": everybodys.id,
        "bought": bought, "offered": offered, "batch": batch, "sale": sold.id, "shift": shift,
        "brought": paid["referrer"], "welcome": paid["friend"],
    }  # fmt: skip


def _games(session: Session, rows: dict[str, int], clock: SetClock) -> dict[str, int]:
    shop, lan = rows["shop"], rows["lan"]
    fifty, cup = PrizeInput("50 điểm", PrizeKind.POINTS, points=50, stock=9), PrizeInput("Ly", PrizeKind.THING, stock=4)
    prize = prizes.add(session, shop, fifty)
    win = wins.give(session, "w1", prize, lan, cause=Cause.QUEST, cause_id=1).id
    waiting = wins.give(session, "w2", prizes.add(session, shop, cup), lan, cause=Cause.QUEST, cause_id=1).id
    draw = drafts.add(
        session, shop,
        DrawInput(
            name="Lì xì", mode=Mode.ODDS, entry_by=EntryBy.ORDER, entry_per=0, ends_at=clock.now() + timedelta(days=7),
            prizes=((cup, 10_000),),
        ),
    ).id  # fmt: skip
    draws.open_draw(session, draw, shop, "staff:1", ASSURANCES)
    surprise = surprises.add(session, shop, "Bất ngờ", When.CHANCE, 2, fifty).id
    for number in range(2):
        orders.put(session, shop, f"G{number}", replace(ORDER, customer_id=lan, placed_at=clock.now()))
    entry, other = entries.open_of(session, draw, lan)
    entries.draw(session, entry, lan)
    return {
        "prize": prize.id, "win": win, "waiting": waiting, "draw": draw, "surprise": surprise, "entry": entry, "other": other
    }  # fmt: skip


# ── What is spoiled, and what the proof says of it first ───────────────────────────────────────────


def change(table: str, row: str, **values: Any) -> Callable[[World], None]:
    """Write other values into the row of that name; a function is given what stands there."""

    def spoil(world: World) -> None:
        columns = TABLES[table].c
        new = {name: value(columns[name]) if callable(value) else value for name, value in values.items()}
        done = world.session.execute(sa.update(TABLES[table]).where(columns.id == world.rows[row]).values(**new))
        assert done.rowcount == 1  # type: ignore[attr-defined]

    return spoil


def run(sql: str) -> Callable[[World], None]:
    """Run SQL with the rows' names as its marks."""

    def spoil(world: World) -> None:
        named = {name: value for name, value in world.rows.items() if f":{name}" in sql}
        done = world.session.execute(sa.text(sql), named)
        assert done.rowcount == 1  # type: ignore[attr-defined]

    return spoil


def more(column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
    return column + 1


UNUSED = "(SELECT min(id) FROM accounts WHERE owner = 'prize' AND name = 'stock_used' AND balance = 0)"
FIRST_POSTING = "(SELECT min(id) FROM postings WHERE target_id = :available)"
SPENT_LEG = "(SELECT id FROM postings WHERE transfer_id = :spent)"
OWN_LOT = "(SELECT {} FROM lots WHERE customer_id = :lan AND remaining > 100 AND pending_until IS NULL)"
SPENT_MOVE = "(SELECT id FROM lot_moves WHERE transfer_id = :spent)"
BACK_MOVE = "(SELECT id FROM lot_moves WHERE undoes = :spent)"
OF_KIND = "(SELECT min(id) FROM transfers WHERE kind = '{}')"
HIGHER = sa.select(sa.func.max(TABLES["tiers"].c.id)).scalar_subquery()
LOG = "draw_log SET {} WHERE draw_id = :draw AND number = 1"

WRONG: list[tuple[Callable[[World], None], str, str | None]] = [
    # The books: accounts, transfers, postings.
    (change("accounts", "available", balance=more), "balance", "available"),
    (change("accounts", "available", unit="tier"), "units", None),
    (
        run(f"UPDATE accounts SET unit = 'dong' WHERE id = {UNUSED}"),
        "stock_used in dong",
        None,
    ),
    (run(f"UPDATE postings SET amount = amount + 1 WHERE id = {FIRST_POSTING}"), "balance", None),
    (run(f"DELETE FROM postings WHERE id = {SPENT_LEG}"), "balance", None),
    (change("transfers", "spent", legs=2), "legs", "spent"),
    (
        run(f"UPDATE postings SET source_id = (SELECT id FROM accounts WHERE name = 'budget') WHERE id = {SPENT_LEG}"),
        "balance",
        None,
    ),
    # Lots and what was moved in them.
    (run(f"UPDATE lots SET remaining = remaining + 1 WHERE id = {OWN_LOT.format('max(id)')}"), "available lots", "lan"),
    (run(f"UPDATE lots SET pending_until = 1 WHERE id = {OWN_LOT.format('max(id)')}"), "available lots", "lan"),
    (run("UPDATE lots SET remaining = remaining - 1 WHERE pending_until IS NOT NULL"), "pending lots", "lan"),
    (run(f"UPDATE lots SET amount = amount + 1 WHERE id = {OWN_LOT.format('max(id)')}"), "lots of a transfer", None),
    (run(f"UPDATE lot_moves SET amount = amount - 1 WHERE id = {SPENT_MOVE}"), "lot", None),
    (run(f"UPDATE lot_moves SET amount = amount + 1 WHERE id = {SPENT_MOVE}"), "lot", None),
    (run(f"DELETE FROM lot_moves WHERE id = {SPENT_MOVE}"), "lot", None),
    (run(f"UPDATE lot_moves SET lot_id = {OWN_LOT.format('max(id)')} WHERE id = {SPENT_MOVE}"), "lot", None),
    (run(f"UPDATE lot_moves SET undoes = 1 WHERE id = {BACK_MOVE}"), "lot given back to", None),
    # Holds.
    (change("holds", "posted", posted=more), "hold", "posted"),
    (change("holds", "posted", amount=more), "hold", "posted"),
    (change("holds", "voided", amount=more), "hold", "voided"),
    (change("holds", "voided", state="placed"), "held account", None),
    (change("holds", "placed", state="voided"), "held account", None),
    (change("holds", "placed", amount=more), "held account", None),
    (change("holds", "placed", key="other"), "hold", "placed"),
    # Orders, and what a customer's tier is judged by.
    (change("orders", "order", standing=more), "order's standing", "order"),
    (change("orders", "order", standing_tier=more), "order's standing_tier", "order"),
    (change("orders", "order", counted=more), "spent", "lan"),
    (change("customers", "lan", spend_total=more), "spent", "lan"),
    (change("customers", "lan", orders_count=more), "orders counted", "lan"),
    # Seals: what a transfer says of itself, and what it was asked for.
    (change("transfers", "spent", hash="0" * 64), "hash", "spent"),
    (change("transfers", "spent", kind="redeem"), "hash", "spent"),
    (run(f"UPDATE transfers SET shop_id = NULL WHERE id = {OF_KIND.format('refund')}"), "hash", None),
    (run(f"UPDATE transfers SET reason = 'more' WHERE id = {OF_KIND.format('adjust')}"), "hash", None),
    (run(f"UPDATE transfers SET hash = '{'0' * 64}' WHERE id = {OF_KIND.format('pay_back')}"), "hash", None),
    (run(f"UPDATE transfers SET hash = '{'0' * 64}' WHERE id = {OF_KIND.format('hold')}"), "hash", None),
    (change("holds", "placed", kind="draw"), "hash", None),
    # Tiers.
    (change("customers", "lan", tier_id=HIGHER), "tier", "lan"),
    # Gifts and points by hand.
    (change("point_gifts", "waits", points=more), "gift's hold", "waits"),
    (change("point_gifts", "waits", state="returned"), "gift returned, hold placed", "waits"),
    (change("point_gifts", "waits", hold_id=None), "gift waiting, hold None", "waits"),
    (change("point_gifts", "given", points=more), "gift taken", "given"),
    (change("point_gifts", "taken", state="waiting"), "gift waiting", "taken"),
    (change("adjustments", "done", points=more), "adjustment done", "done"),
    (change("adjustments", "asked", state="done"), "adjustment done", "asked"),
    (change("adjustments", "asked", points=more), "adjustment waiting, hold placed", "asked"),
    (change("adjustments", "approved", state="waiting"), "adjustment waiting", "approved"),
    # Offers, vouchers and their use.
    (change("voucher_programs", "plain", issued=more), "vouchers issued", "plain"),
    (change("vouchers", "bought", program_id=1), "vouchers issued", None),
    (change("vouchers", "bought", key="buy:b2"), "voucher not paid for", "bought"),
    (change("vouchers", "bought", key=None), "paid for no voucher", None),
    (change("vouchers", "bought", state="used"), "voucher used, redemption None", "bought"),
    (change("vouchers", "bought", state="gift"), "voucher gift, no link to a friend", "bought"),
    (change("vouchers", "offered", state="open"), "voucher open, a link to a friend", "offered"),
    (change("vouchers", "everybodys", shared=False), "vouchers issued", "shared"),
    (change("redemptions", "used", state="cancelled"), "voucher used, redemption None", None),
    (change("redemptions", "reserved", state="confirmed"), "voucher held, redemption confirmed", None),
    (change("redemptions", "used", discount=more), "redemption's discount", "used"),
    (change("redemptions", "used", budget_hold=None), "programme's budget_used", "budget"),
    (run("UPDATE redemptions SET stock_hold = NULL WHERE stock_hold IS NOT NULL"), "programme's stock_used", "shared"),
    (run("UPDATE redemptions SET state = 'lapsed' WHERE shared"), "programme's stock_used", "shared"),
    (run("UPDATE redemptions SET state = 'reserved' WHERE shared"), "redemption reserved, stock posted", None),
    (change("voucher_programs", "budget", budget=more), "offer's budget", "budget"),
    (change("voucher_programs", "shared", stock=more), "offer's stock", "shared"),
    (change("code_batches", "batch", made=more), "codes of a batch", "batch"),
    (change("code_batches", "batch", rejected=more), "rows a batch refused", "batch"),
    (run("DELETE FROM voucher_gifts WHERE voucher_id = :offered"), "voucher gift, no link to a friend", "offered"),
    # The till.
    (change("sales", "sale", points_used=more), "sale's points", "sale"),
    (change("sales", "sale", discount=more), "sale's discount", "sale"),
    (change("sales", "sale", amount=more), "shift's amount", "shift"),
    (change("shifts", "shift", paid=more), "shift's paid", "shift"),
    # Invitations.
    (change("referral_rewards", "brought", standing=more), "referral reward", "brought"),
    (change("referral_rewards", "welcome", standing=0), "referral reward", "welcome"),
    (change("referral_rewards", "welcome", version=more), "referral reward", "welcome"),
    # Prizes, draws, surprises.
    (change("prizes", "prize", stock=more), "prize stock", "prize"),
    (change("prizes", "prize", points=more), "win given", "win"),
    (change("wins", "win", state="withdrawn"), "win withdrawn", "win"),
    (change("wins", "waiting", state="handed"), "win handed, stock placed", "waiting"),
    (run(f"UPDATE {LOG.format('customer = customer + 1')}"), "draw {draw}, digest of its line", None),
    (run(f"UPDATE {LOG.format('place = 0')}"), "draw {draw}, prize of its line", None),
    (run("DELETE FROM draw_log WHERE draw_id = :draw AND number = 1"), "draw {draw}, count of its line", None),
    (change("draws", "draw", drawn=more), "draw {draw}, count of its line", None),
    (change("draws", "draw", seed="5eed" * 16), "draw {draw}, seed of its line", None),
    (change("draw_entries", "entry", number=None, state="open"), "draw without its entry", "draw"),
    (change("draw_entries", "other", number=2, state="drawn"), "entry drawn", "other"),
    (change("surprises", "surprise", seed="5eed" * 16), "surprise look", None),
    (
        run("UPDATE surprise_looks SET won = NOT won WHERE id = (SELECT min(id) FROM surprise_looks)"),
        "surprise look",
        None,
    ),
    (
        run("UPDATE surprise_looks SET digest = 'x' WHERE id = (SELECT min(id) FROM surprise_looks)"),
        "surprise look",
        None,
    ),
]


@contextmanager
def rolled_back(session: Session) -> Iterator[None]:
    held = session.begin_nested()
    try:
        yield
    finally:
        held.rollback()


async def without_triggers(store: Store) -> None:
    def drop(connection: sa.Connection) -> None:
        for name in ("transfers", "postings", "draw_log"):
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text(f"ALTER TABLE {name} DISABLE TRIGGER USER"))
                continue
            for action in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER {name}_no_{action}"))

    await store.run_on_connection(drop)


@pytest.fixture
async def rows(store: Store, clock: SetClock) -> dict[str, int]:
    found = await store.write(made, clock)
    await without_triggers(store)
    return found


async def test_one_wrong_row_of_each_kind_is_found_and_named_first(store: Store, rows: dict[str, int]) -> None:
    assert await store.read(proof.faults) == []

    def spoil_each(session: Session) -> list[str]:
        missed = []
        for number, (spoil, what, who) in enumerate(WRONG):
            with rolled_back(session):
                spoil(World(session, rows))
                found = proof.faults(session)
            told = [(fault.what, fault.subject) for fault in found]
            wanted = what.format(**rows)
            named = told and told[0][0] == wanted and (who is None or told[0][1] == rows[who])
            if not named or found[0].expected == found[0].found:
                missed.append(f"{number}: wanted {wanted} {who and rows[who]}, told {told[:3]}")
        return missed

    missed = await store.write(spoil_each)
    assert not missed, "\n".join(missed)
    assert await store.read(proof.faults) == []


async def test_an_account_that_may_not_is_below_nothing(store: Store, rows: dict[str, int]) -> None:
    """Postings that add up, and yet take more than there is."""

    def overdraw(session: Session) -> list[ledger.Fault]:
        source, target = (ledger.account(session, "customer", rows["lan"], name) for name in ("held", "available"))
        with rolled_back(session):
            taken = ledger.balance(session, source) + 1
            ledger.post(session, "x", "x", [ledger.Leg(source, target, taken, covered=False)])
            return proof.faults(session)

    first = (await store.write(overdraw))[0]
    assert (first.what, first.expected, first.found) == ("held below 0", 0, -1)


async def test_a_debt_that_lots_paid_is_no_fault(store: Store, clock: SetClock) -> None:
    """Points that a debt has swallowed are in no lot and no move; also where the debtor became somebody else."""
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    lan, other = [await store.write(customers.create, name=name, home_shop_id=shop) for name in ("Lan", "Lan Anh")]
    more: dict[str, Any] = {"customer_id": lan, "shop_id": shop}
    order = replace(ORDER, customer_id=lan, placed_at=clock.now())
    await store.write(orders.put, shop, "A1", order)
    await store.write(points.spend, "s", "pay", points=80, **more)
    await store.write(orders.put, shop, "A1", replace(order, refunded=85_000))
    assert (await store.read(points.balances, lan))[0] == -80
    await store.write(points.earn, "e", "earn", points=100, **more)
    assert await store.read(proof.faults) == []
    await store.write(claims.merge, other, lan)
    assert (await store.read(points.balances, other))[0] == 20
    assert await store.read(proof.faults) == []


async def test_a_gift_that_was_worth_another_amount_when_it_was_used_is_no_fault(store: Store) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    tea = await store.write(voucher_programs.add, name="Trà", kind=Kind.GIFT, value=20_000, shared=True, budget=90_000)
    await store.write(shared_codes.add, tea.id, "TET-2027")
    held = await store.write(
        reservations.reserve, "TET2027", shop_id=shop, order="A1", order_total=50_000, actor="key:1"
    )
    assert isinstance(held, redemptions.Redemption)
    await store.write(redemptions.confirm, held.id, shop_id=shop)
    await store.write(voucher_programs.change, tea.id, value=30_000)
    assert await store.read(proof.faults) == []
