"""A customer's timeline and what is put right on them: everything is there once, in order, page by page; nothing is lost in a
merge; what can't be right changes nothing.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, corrections, customers, directory
from loyalty.customers.corrections import OrderExistsError, OrderTakenError, PhoneTakenError
from loyalty.orders import order_book, orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from loyalty.tiers import qualification
from loyalty.vouchers import voucher_programs as programs
from loyalty.vouchers import vouchers
from loyalty.vouchers.voucher_programs import Kind as Gives
from store import audit, events, notices, staff
from store.clock import SetClock
from store.engine import Store
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RuleError
from store.paging import Place
from store.staff import Member, Role
from support import messages, tickets, timeline
from support.timeline import Kind

ZONE = "Asia/Ho_Chi_Minh"
LAN, HOA, NEW = "+84903123456", "+84903999888", "+84905111222"
AT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


async def member(store: Store, role: Role = Role.OWNER, shop_id: int | None = None) -> Member:
    return await store.read(staff.get, await store.write(staff.add, "Minh", role, shop_id))


async def bought(store: Store, shop: int, number: str, **values: Any) -> int:
    base = OrderInput(85_000, "VND", AT, Status.COMPLETED, phone=LAN, name="Lan")
    state = await store.write(orders.put, shop, number, replace(base, **values))
    return state.customer_id or 0


async def all_of(store: Store, customer: int, who: Member, shop: int, size: int, **more: Any) -> list[timeline.Line]:
    """Every page, one after the other."""
    lines: list[timeline.Line] = []
    after: str | None = ""
    while after is not None:
        page = await store.read(timeline.page, customer, who, shop, size=size, after=after, **more)
        assert 0 < len(page.lines) <= size or not lines
        lines, after = lines + page.lines, page.after
    return lines


async def full_life(store: Store, shop: int, clock: SetClock) -> int:
    """A customer to whom one of everything happened, much of it at one instant."""
    lan = await bought(store, shop, "A1")
    await bought(store, shop, "A2", placed_at=clock.now(), total=2_000_000)
    offer = await store.write(lambda s: programs.add(s, name="Trà", kind=Gives.GIFT, shop_id=shop))
    await store.write(vouchers.issue, offer.id, lan, tell=True)
    joined = await store.write(tickets.open_or_join, lan, shop)
    await store.write(messages.customer_says, joined.ticket.id, text="Ly bị vỡ")
    clock.advance(timedelta(hours=1))
    await bought(store, shop, "A1", refunded=85_000, status=Status.REFUNDED)
    await store.write(events.happened, "offers_agreed", customer_id=lan, account="web")
    return lan


# ── The timeline ───────────────────────────────────────────────────────────────────────────────────


async def test_the_timeline_has_everything_once_newest_first_however_it_is_paged(
    store: Store, shop: int, clock: SetClock
) -> None:
    lan, boss = await full_life(store, shop, clock), await member(store)
    whole = await all_of(store, lan, boss, shop, 500)
    said = {(line.kind, line.what) for line in whole}
    assert {
        (Kind.ORDERS, "completed"), (Kind.ORDERS, "refunded"), (Kind.POINTS, "earn"), (Kind.POINTS, "refund"),
        (Kind.VOUCHERS, "given"), (Kind.MESSAGES, "notice"), (Kind.MESSAGES, "customer"), (Kind.TICKETS, "opened"),
        (Kind.EVENTS, "tier_up"), (Kind.EVENTS, "offers_agreed"),
    } <= said  # fmt: skip
    assert [line.at for line in whole] == sorted((line.at for line in whole), reverse=True)
    keys = [(line.kind, line.what, line.id) for line in whole]
    assert len(keys) == len(set(keys))
    # Most of it happened at one instant: small pages must neither skip nor repeat a line.
    for size in (1, 2, 3, 7):
        assert await all_of(store, lan, boss, shop, size) == whole, size
    parts = [line for kind in Kind for line in await all_of(store, lan, boss, shop, 2, kinds=[kind])]
    assert sorted((line.kind, line.what, line.id) for line in parts) == sorted(keys)


async def test_points_of_the_timeline_add_up_to_the_balance(store: Store, shop: int, clock: SetClock) -> None:
    lan, boss = await full_life(store, shop, clock), await member(store)
    lines = await all_of(store, lan, boss, shop, 500, kinds=[Kind.POINTS])
    available, pending, _ = await store.read(points.balances, lan)
    assert sum(line.facts["points"] for line in lines) == available + pending == 2_000


async def test_another_shop_shows_as_points_without_a_story(store: Store, shop: int, clock: SetClock) -> None:
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    lan = await full_life(store, shop, clock)
    await bought(store, other, "B1")
    seen = await all_of(store, lan, await member(store, Role.MANAGER, other), other, 500)
    assert {line.kind for line in seen if line.ours} <= {Kind.ORDERS, Kind.POINTS, Kind.MESSAGES, Kind.EVENTS}
    assert [line.facts["order"] for line in seen if line.kind is Kind.ORDERS] == ["B1"]
    foreign = [line.facts for line in seen if not line.ours]
    assert foreign
    assert all(set(facts) == {"points"} for facts in foreign)
    assert "Ly bị vỡ" not in repr(seen)
    assert {"offers_agreed"} == {line.what for line in seen if line.kind is Kind.EVENTS}, "their tier_up was elsewhere"


async def test_words_of_tickets_are_for_who_has_the_desk(store: Store, shop: int, clock: SetClock) -> None:
    lan = await full_life(store, shop, clock)
    cashier = await member(store, Role.CASHIER, shop)
    seen = await all_of(store, lan, cashier, shop, 500)
    assert not [line for line in seen if line.kind is Kind.TICKETS or line.what == "customer"]


async def test_a_made_up_place_is_the_beginning(store: Store, shop: int, clock: SetClock) -> None:
    lan, boss = await full_life(store, shop, clock), await member(store)
    first = await store.read(timeline.page, lan, boss, shop)
    for odd in ("x", "1.2", "-1.2.3", "9" * 18 + ".0.0", "1.1.1.1", "１.1.1", "9" * 99 + ".1.1"):
        assert await store.read(timeline.page, lan, boss, shop, after=odd) == first, odd


# ── Two who are one ────────────────────────────────────────────────────────────────────────────────


async def merge(store: Store, shop: int, into: int, gone: int, **more: Any) -> None:
    wanted = {"shop_id": shop, "allowed": [shop], "actor": "staff:1", **more}
    await store.write(lambda session: corrections.merge(session, into, gone, **wanted))


async def test_a_merge_moves_all_and_the_preview_says_it_before(store: Store, shop: int, clock: SetClock) -> None:
    hoa = await bought(store, shop, "B1", phone=HOA, name="Hoa", total=1_000_000)
    lan, boss = await full_life(store, shop, clock), await member(store)
    lines = len(await all_of(store, lan, boss, shop, 500)) + len(await all_of(store, hoa, boss, shop, 500))
    told = await store.read(corrections.merging, shop, hoa, lan)
    assert (told.into.orders, told.gone.orders, told.points) == (1, 1, 3_000), "a refunded order is none"
    await merge(store, shop, hoa, lan)
    one = await store.read(customers.get, lan)
    assert (one.id, one.name, one.phone, one.orders_count, one.spend_total) == (hoa, "Hoa", HOA, 2, 3_000_000)
    assert sum((await store.read(points.balances, hoa))[:2]) == told.points
    after = await all_of(store, hoa, boss, shop, 500)
    assert {line.facts.get("order") for line in after if line.kind is Kind.ORDERS} == {"A1", "A2", "B1"}
    assert next(line.what for line in after if line.kind is Kind.EVENTS) == "merged"
    assert len(after) >= lines + 1, "nothing of either life is lost, and the merge is told"
    assert sum(line.facts["points"] for line in after if line.kind is Kind.POINTS) == told.points
    assert await store.read(ledger.check) == []
    (row,) = await _audit(store, "customers_merged")
    assert (row["before"]["points"], row["before_gone"]["points"], row["after"]["points"]) == (1_000, 2_000, 3_000)
    assert LAN not in repr(row)


async def test_the_preview_names_the_tier_that_both_reach_together(store: Store, shop: int) -> None:
    lan, hoa = await bought(store, shop, "A", total=600_000), await bought(store, shop, "B", phone=HOA, total=600_000)
    assert (await store.read(qualification.of, lan)).tier.name == "Thành viên"
    assert (await store.read(corrections.merging, shop, lan, hoa)).tier == "Bạc"
    await merge(store, shop, lan, hoa)
    assert (await store.read(qualification.of, lan)).tier.name == "Bạc"


async def test_the_other_number_may_stay(store: Store, shop: int) -> None:
    lan, hoa = await bought(store, shop, "A"), await bought(store, shop, "B", phone=HOA, name="Hoa")
    await store.write(claims.prove_phone, hoa, HOA)
    await merge(store, shop, lan, hoa, keep_phone="gone")
    one = await store.read(customers.get, lan)
    assert (one.phone, one.phone_verified_at is not None) == (HOA, True)
    assert await store.read(customers.by_phone, LAN) is None


async def test_a_merge_is_refused_where_it_may_not_be(store: Store, shop: int) -> None:
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    lan, hoa = await bought(store, shop, "A"), await bought(store, shop, "B", phone=HOA, name="Hoa")
    stranger = await bought(store, other, "C", phone=NEW, name="Xa")
    cases: list[tuple[type[RuleError], int, int, dict[str, Any]]] = [
        (InvalidError, lan, lan, {}),
        (NotFoundError, lan, stranger, {}),
        (NotFoundError, lan, 999, {}),
        (InvalidError, lan, hoa, {"keep_phone": "both"}),
    ]
    for error, into, gone, more in cases:
        with pytest.raises(error):
            await merge(store, shop, into, gone, **more)
    await bought(store, other, "D", phone=HOA)
    with pytest.raises(ForbiddenError):
        await merge(store, shop, lan, hoa)
    assert (await store.read(customers.get, hoa)).id == hoa
    await merge(store, shop, lan, hoa, allowed=[shop, other])
    with pytest.raises(ConflictError):
        await merge(store, shop, lan, hoa, allowed=[shop, other])
    assert len(await _audit(store, "customers_merged")) == 1


# ── The number ─────────────────────────────────────────────────────────────────────────────────────


async def change(store: Store, shop: int, customer: int, number: str, **more: Any) -> str:
    return await store.write(
        lambda s: corrections.change_phone(s, customer, number, shop_id=shop, actor="staff:1", **more)
    )


async def test_a_changed_number_is_unproven_and_told(store: Store, shop: int) -> None:
    lan = await bought(store, shop, "A")
    await store.write(claims.prove_phone, lan, LAN)
    with pytest.raises(InvalidError, match="sure"):
        await change(store, shop, lan, "0905 111 222")
    assert await change(store, shop, lan, "0905 111 222", sure=True) == NEW
    one = await store.read(customers.get, lan)
    assert (one.phone, one.phone_verified_at) == (NEW, None)
    (row,) = await _audit(store, "phone_changed")
    assert row == {"customer": lan, "before": "+8490•••456", "was_verified": True, "after": "+8490•••222"}
    told = await store.read(lambda s: [notice for notice in notices.due(s) if notice.kind == "phone_changed"])
    assert [(notice.customer_id, notice.params["phone"]) for notice in told] == [(lan, "+8490•••222")]


async def test_a_number_that_cannot_be_is_refused(store: Store, shop: int) -> None:
    other = await store.write(programme.open_shop, "Quán Hai", timezone=ZONE, language="vi")
    lan, hoa = await bought(store, shop, "A"), await bought(store, shop, "B", phone=HOA, name="Hoa")
    await bought(store, other, "C", phone=NEW, name="Xa")
    for number in ("", "12", "chào", LAN):
        with pytest.raises(InvalidError, match="phone"):
            await change(store, shop, lan, number)
    with pytest.raises(PhoneTakenError) as taken:
        await change(store, shop, lan, HOA)
    assert taken.value.holder == hoa
    with pytest.raises(PhoneTakenError) as taken:
        await change(store, shop, lan, NEW)
    assert taken.value.holder is None, "who else has it is another shop's to know"
    assert (await store.read(customers.get, lan)).phone == LAN
    assert await _audit(store, "phone_changed") == []


# ── A missing order ────────────────────────────────────────────────────────────────────────────────


async def test_an_order_of_nobody_becomes_theirs_once(store: Store, shop: int) -> None:
    lan, hoa = await bought(store, shop, "A"), await bought(store, shop, "B", phone=HOA, name="Hoa")
    await bought(store, shop, "NOBODY", phone=None, name="", total=500_000)
    attach: Callable[..., Any] = lambda session, customer, number: corrections.attach_order(  # noqa: E731
        session, customer, number, shop_id=shop, actor="staff:1"
    )
    state = await store.write(attach, lan, " NOBODY ")
    assert (state.customer_id, state.earned) == (lan, 500)
    assert (await store.read(points.balances, lan))[0] == 585
    assert (await store.read(customers.get, lan)).spend_total == 585_000
    with pytest.raises(OrderTakenError) as taken:
        await store.write(attach, lan, "NOBODY")
    assert taken.value.own
    with pytest.raises(OrderTakenError) as taken:
        await store.write(attach, lan, "B")
    assert (taken.value.own, taken.value.customer_id) == (False, hoa)
    await bought(store, shop, "GONE", phone=None, name="", status=Status.CANCELLED)
    for number, problem in (("", "empty"), ("NONE", "unknown"), ("GONE", "cancelled")):
        with pytest.raises(InvalidError, match=problem):
            await store.write(attach, lan, number)
    assert (await store.read(points.balances, lan))[0] == 585
    (row,) = await _audit(store, "order_attached")
    assert (row["order"], row["before"], row["after"]["customer"]) == ("NOBODY", {"customer": None}, lan)
    assert await store.read(ledger.check) == []


async def test_an_order_that_never_came_is_entered_once(store: Store, shop: int, clock: SetClock) -> None:
    lan = await bought(store, shop, "A")

    def enter(session: Any, **values: Any) -> orders.OrderState:
        base = {"key": "console:abc", "total": 120_000, "placed_at": AT, "limit": 1_000}
        return corrections.add_order(session, lan, shop_id=shop, actor="staff:1", **(base | values))

    first = await store.write(enter)
    assert re.fullmatch(r"M-[0-9A-F]{8}", first.external_id)
    assert await store.write(enter) == first, "the same form twice is one order"
    assert (await store.read(points.balances, lan))[0] == 85 + 120
    moment = clock.now()
    for values, problem in (
        ({"total": 0}, "total"), ({"total": -5}, "total"), ({"total": 10**13}, "total"), ({"total": 1_001_000}, "total"),
        ({"placed_at": moment + timedelta(minutes=1)}, "placed_at"),
        ({"placed_at": moment - timedelta(days=367)}, "placed_at"), ({"external_id": "x" * 101}, "external_id"),
    ):  # fmt: skip
        with pytest.raises(InvalidError, match=problem):
            await store.write(lambda s, values=values: enter(s, key="console:other", **values))
    for values in ({"external_id": "A"}, {"total": 5}):
        with pytest.raises(OrderExistsError):
            await store.write(lambda s, values=values: enter(s, **values))
    assert (await store.read(points.balances, lan))[0] == 85 + 120
    assert len(await _audit(store, "order_entered")) == 1


# ── Lists page by key ──────────────────────────────────────────────────────────────────────────────


async def test_a_list_pages_there_and_back_whatever_it_is_sorted_by(
    store: Store, shop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "PAGE", 3)
    monkeypatch.setattr(order_book, "PAGE", 3)
    for number in range(8):
        # Ties in every column: names, totals, moments; two without a name, one who never bought.
        await bought(
            store, shop, f"{number}", phone=f"+8490300000{number}", name=["", "An", "Bình"][number % 3],
            total=1_000 * (number % 2 + 1), placed_at=AT + timedelta(hours=number // 3),
        )  # fmt: skip
    await bought(store, shop, "nobody", phone=None, name="")
    await store.write(customers.create, name="Mới", home_shop_id=shop)
    for look, sorts in ((directory.page, directory.Sort), (order_book.page, order_book.Sort)):
        for sort in sorts:
            for down in (True, False):
                pages = [await store.read(look, shop, sort=sort, descending=down)]
                while pages[-1].after:
                    place = Place(after=pages[-1].after)
                    pages.append(await store.read(look, shop, sort=sort, descending=down, place=place))
                seen = [line.id for page in pages for line in page.lines]
                assert (len(seen), len(set(seen)), len(pages)) == (9, 9, 3), (sort, down)
                assert {page.total for page in pages} == {9}
                assert pages[0].before is None
                while pages:
                    last = pages.pop()
                    if last.before:
                        place = Place(before=last.before)
                        back = await store.read(look, shop, sort=sort, descending=down, place=place)
                        assert back.lines == pages[-1].lines, (sort, down)


async def test_who_has_no_name_or_never_came_is_last_either_way(store: Store, shop: int) -> None:
    await bought(store, shop, "1", name="An")
    await bought(store, shop, "2", phone=HOA, name="")
    await store.write(customers.create, name="Mới", home_shop_id=shop)
    for down in (True, False):
        found = await store.read(directory.page, shop, sort=directory.Sort.NAME, descending=down)
        assert found.lines[-1].name == "", down
        found = await store.read(directory.page, shop, sort=directory.Sort.LAST, descending=down)
        assert found.lines[-1].last_at is None, down


async def _audit(store: Store, action: str) -> list[dict[str, Any]]:
    rows = sa.select(audit.AuditRow.data).where(audit.AuditRow.action == action).order_by(audit.AuditRow.id)
    return await store.read(lambda session: list(session.execute(rows).scalars()))
