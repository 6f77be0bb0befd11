"""The console's page of invitations: the tree, the queue, what both get; who may change it, and what is written down."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from loyalty.customers import customers
from loyalty.orders.orders import Status
from loyalty.referrals import referral_terms, referral_tree, referrals
from loyalty.referrals.referral_terms import RewardKind
from loyalty.referrals.referral_tree import Sort
from loyalty.vouchers import vouchers
from store.clock import SetClock
from store.staff import Role
from tests import test_console
from tests.test_console import Console, offer, second

console, database_url = test_console.console, test_console.database_url

FORM = {
    "referrer_kind": "percent", "referrer_percent": "5", "referrer_orders": "3", "referrer_points": "",
    "friend_kind": "points", "friend_points": "1.000", "friend_percent": "", "friend_orders": "", "daily_limit": "7",
}  # fmt: skip


async def met(console: Console, name: str, shop_id: int | None = None) -> int:
    return await console.store.write(customers.create, name=name, home_shop_id=shop_id or console.shop)


async def brings(console: Console, host: int, friend: int, **how: Any) -> int:
    await console.store.write(referrals.open_link, await console.store.write(referrals.code_of, host), friend, **how)
    query = sa.select(referrals.referrals.c.id).where(referrals.referrals.c.friend_id == friend)
    return await console.store.read(lambda session: session.execute(query).scalar_one())


async def chain(console: Console) -> list[int]:
    """Lan brought Huy, Huy brought Mai and Nam; Huy, Mai and Nam bought."""
    people = [await met(console, name) for name in ("Nguyễn Lan", "Trần Huy", "Lê <b>Mai</b>", "Vũ Nam")]
    for host, friend in ((0, 1), (1, 2), (1, 3)):
        await brings(console, people[host], people[friend])
    for number, person in enumerate(people[1:]):
        await console.order(f"A{number}", customer_id=person, phone=None, placed_at=console.store.clock.now())
    return people


async def test_trees_are_sorted_by_friends_what_was_bought_and_the_newest(console: Console, clock: SetClock) -> None:
    people = await chain(console)
    tu = await met(console, "Tú")
    for number in range(2):
        clock.advance(timedelta(minutes=1))
        friend = await met(console, f"Bạn {number}")
        await brings(console, tu, friend)
    anna = await met(console, "Anna")
    clock.advance(timedelta(minutes=1))
    friend = await met(console, "Bé")
    await brings(console, anna, friend)
    await console.order("Z1", customer_id=friend, phone=None, total=90_000, placed_at=console.store.clock.now())

    async def roots(**how: Any) -> list[int]:
        found = await console.store.read(lambda session: referral_tree.page(session, console.shop, **how))
        return [node.customer_id for node in found.nodes if not node.depth]

    assert (await roots())[0] == tu
    assert await roots(sort=Sort.SPENT) == [people[0], anna, tu]
    assert await roots(sort=Sort.SPENT, descending=False) == [tu, anna, people[0]]
    assert await roots(sort=Sort.NEWEST) == [anna, tu, people[0]]
    page = await (await console.as_(Role.MANAGER, console.shop)).get("/shop/referrals?sort=spent.desc")
    assert page.html.index("Nguyễn Lan") < page.html.index("Anna") < page.html.index("Tú")
    assert "sort=spent.asc" in page.html


async def test_the_tree_shows_depth_what_was_paid_and_what_they_bought(console: Console) -> None:
    people = await chain(console)
    found = await console.store.read(referral_tree.page, console.shop)
    rows = [
        (node.customer_id, node.depth, node.friends, node.below, node.paid.points, node.revenue) for node in found.nodes
    ]
    lan, huy, mai, nam = people
    assert rows == [
        (lan, 0, 1, 3, 300, 255_000), (huy, 1, 2, 2, 200, 170_000), (mai, 2, 0, 0, 0, 0), (nam, 2, 0, 0, 0, 0),
    ]  # fmt: skip
    around = await console.store.read(lambda session: referral_tree.page(session, console.shop, of=mai))
    assert [node.customer_id for node in around.nodes] == [huy, mai, nam]
    sums = await console.store.read(referral_tree.sums, console.shop)
    assert (sums.friends, sums.rewarded, sums.paid.points, sums.revenue) == (3, 3, 300, 255_000)
    page = await (await console.as_(Role.MANAGER, console.shop)).get("/shop/referrals")
    assert page.status == 200
    assert "Lê &lt;b&gt;Mai&lt;/b&gt;" in page.html
    assert "₫255,000" in page.text
    assert 'data-depth="2"' in page.html


async def test_what_another_shop_paid_is_in_its_own_tree(console: Console) -> None:
    elsewhere = await second(console)
    lan, huy, mai = [await met(console, name) for name in ("Lan", "Huy", "Mai")]
    for friend, at in ((huy, console.shop), (mai, elsewhere)):
        await brings(console, lan, friend)
        await console.order("A", at, customer_id=friend, phone=None, placed_at=console.store.clock.now())
    for shop in (console.shop, elsewhere):
        root = (await console.store.read(referral_tree.page, shop)).nodes[0]
        sums = await console.store.read(referral_tree.sums, shop)
        assert (root.friends, root.paid.points, root.revenue) == (2, 100, 85_000)
        assert (sums.paid.points, sums.revenue) == (100, 85_000)


async def test_a_return_goes_out_of_the_tree_again(console: Console) -> None:
    await chain(console)
    await console.order(
        "A2", customer_id=4, phone=None, status=Status.REFUNDED, placed_at=console.store.clock.now()
    )  # fmt: skip
    sums = await console.store.read(referral_tree.sums, console.shop)
    assert (sums.friends, sums.rewarded, sums.paid.points, sums.revenue) == (3, 2, 200, 170_000)


async def test_a_loop_that_was_allowed_keeps_the_tree_a_tree(console: Console) -> None:
    lan, huy, *_ = await chain(console)
    number = await brings(console, huy, lan)
    owner = await console.as_(Role.OWNER)
    await owner.post(f"/shop/referrals/{number}/allow")
    found = await console.store.read(referral_tree.page, console.shop)
    assert [node.depth for node in found.nodes] == [0, 1, 2, 2]


async def test_what_was_refused_is_shown_with_its_reason_and_decided_once(console: Console) -> None:
    host, friend = await met(console, "Lan"), await met(console, "Huy")
    number = await brings(console, host, friend, known=True)
    await console.order("A1", customer_id=friend, phone=None, placed_at=console.store.clock.now())
    manager = await console.as_(Role.MANAGER, console.shop)
    page = await manager.get("/shop/referrals")
    assert "They had written to the shop before they opened the link." in page.text
    assert (await console.store.read(referrals.tally, host)).points == 0
    for _ in range(2):
        done = await manager.post(f"/shop/referrals/{number}/allow")
        assert "Allowed." in done.text
    assert (await console.store.read(referrals.tally, host)).points == 50
    assert 'id="queue"' not in (await manager.get("/shop/referrals")).html
    await manager.post(f"/shop/referrals/{number}/refuse")
    assert (await console.store.read(referrals.tally, host)).points == 0
    (allowed,), (refused,) = await console.rows("referral_allowed"), await console.rows("referral_refused")
    assert allowed.data == {
        "referral": number,
        "reason": "known_account",
        "changed": {"state": ["refused", "rewarded"]},
    }
    assert refused.data["changed"] == {"state": ["rewarded", "refused"]}


async def test_another_shops_invitations_are_neither_seen_nor_decided(console: Console) -> None:
    other = await second(console)
    host, friend = await met(console, "Lan", other), await met(console, "Huy", other)
    number = await brings(console, host, friend, known=True)
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "Lan" not in (await manager.get("/shop/referrals")).text
    assert (await manager.post(f"/shop/referrals/{number}/allow")).status == 404
    assert (await manager.post("/shop/referrals/terms", FORM)).status == 403
    agent = await console.as_(Role.AGENT, console.shop)
    assert (await agent.get("/shop/referrals")).status == 403
    theirs = await console.as_(Role.MANAGER, other)
    assert "Lan brought Huy" in (await theirs.get("/shop/referrals")).text
    assert (await theirs.post(f"/shop/referrals/{number}/refuse", csrf="wrong")).status == 403


async def test_what_both_get_is_set_by_the_owner_and_written_down(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/referrals")
    page = await owner.post("/shop/referrals/terms", FORM)
    assert "It counts for links opened from now on." in page.text
    found = await console.store.read(referral_terms.current)
    assert (found.referrer.percent, found.referrer.orders, found.friend.points, found.daily_limit) == (5, 3, 1_000, 7)
    (row,) = await console.rows("referral_terms_changed")
    assert row.data["changed"]["daily_limit"] == [20, 7]
    assert [side["kind"] for side in row.data["changed"]["referrer"]] == ["points", "percent"]
    await owner.post("/shop/referrals/terms", FORM)
    assert len(await console.rows("referral_terms_changed")) == 1


async def test_what_cannot_be_is_said_at_its_field(console: Console) -> None:
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/referrals")
    for change, field in (
        ({"referrer_percent": "101"}, "referrer_percent"),
        ({"referrer_orders": "x"}, "referrer_orders"),
        ({"friend_points": "2.000.000"}, "friend_points"),
        ({"friend_kind": "gold"}, "friend_kind"),
        ({"friend_kind": "voucher", "friend_program": "99"}, "friend_program"),
        ({"daily_limit": "-1"}, "daily_limit"),
    ):
        page = await owner.post("/shop/referrals/terms", FORM | change)
        assert (page.status, bool(page.error_at(field))) == (422, True), change
    assert (await console.store.read(referral_terms.current)).friend.kind is RewardKind.POINTS


async def test_a_voucher_that_ran_out_is_shown_as_owed(console: Console) -> None:
    program = await offer(console, name="Free tea", stock=0)
    owner = await console.as_(Role.OWNER)
    await owner.get("/shop/referrals")
    await owner.post("/shop/referrals/terms", FORM | {"friend_kind": "voucher", "friend_program": str(program.id)})
    host, friend = await met(console, "Lan"), await met(console, "Huy")
    await brings(console, host, friend)
    await console.order("A1", customer_id=friend, phone=None, placed_at=console.store.clock.now())
    page = await owner.get("/shop/referrals")
    assert "Huy hasn't got the reward yet. The voucher has run out" in page.text
    assert await console.store.read(vouchers.wallet, friend) == []
