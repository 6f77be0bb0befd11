"""A customer's page and today's list over real HTTP: who may, what is shown, what forms do and refuse."""

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import Status
from loyalty.points import points
from loyalty.recognition import badges
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.visits import Measure
from store import inbox, shops, staff
from store.clock import SetClock
from store.staff import Role
from support import messages, tickets
from tests.test_console import HOA, LAN, Browser, Console, Page, console, offer, second

__all__ = ["console"]
NEW = "0905 111 222"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Pages stand on rules, which test_corrections tests on both databases."""
    return sqlite_url


async def lan_of(console: Console) -> int:
    found = (await console.order("A1")).customer_id
    assert found is not None
    return found


async def acts(browser: Browser, customer: int, other: int) -> dict[str, Page]:
    """Every act on a customer, as somebody sends it who knows the addresses."""
    home = f"/shop/customers/{customer}"
    return {
        "phone": await browser.post(f"{home}/phone", {"phone": NEW}),
        "attach": await browser.post(f"{home}/orders", {"external_id": "NOBODY"}),
        "enter": await browser.post(f"{home}/orders/new", {"total": "10000", "placed_at": "2026-11-20", "key": "k"}),
        "merge": await browser.post(f"{home}/merge", {"other": str(other), "sure": "on"}),
    }


async def untouched(console: Console, customer: int, other: int) -> bool:
    one = await console.store.read(customers.get, customer)
    nobody = await console.store.read(orders.find, console.shop, "NOBODY")
    assert nobody is not None
    return (one.phone, one.orders_count, nobody.customer_id) == (LAN, 1, None) and (
        await console.store.read(customers.get, other)
    ).id == other


async def test_only_who_runs_the_shop_may_put_a_customer_right(console: Console) -> None:
    lan, hoa = await lan_of(console), (await console.order("B", phone=HOA, name="Hoa")).customer_id or 0
    await console.order("NOBODY", phone=None, name="")
    other = await second(console)
    for role, shop, status in (
        (Role.CASHIER, console.shop, 403), (Role.AGENT, console.shop, 403), (Role.SUPERVISOR, console.shop, 403),
        (Role.MANAGER, other, 404), (Role.OWNER, other, 404),
    ):  # fmt: skip
        browser = await console.as_(role, shop)
        browser.csrf = browser.csrf or (
            await browser.get(f"/login/{await console.store.write(staff.make_link, 1, 'login')}")
        ).hidden("csrf")
        assert {page.status for page in (await acts(browser, lan, hoa)).values()} == {status}, role
        for path in (f"/shop/customers/{lan}", f"/shop/customers/{lan}/story", f"/shop/customers/{lan}/merge"):
            assert (await browser.get(path)).status == status, (role, path)
    manager = await console.as_(Role.MANAGER, console.shop)
    manager.csrf = "stolen"
    assert {page.status for page in (await acts(manager, lan, hoa)).values()} == {403}
    assert await untouched(console, lan, hoa)


async def test_the_page_shows_one_life_and_its_chips_narrow_it(console: Console, clock: SetClock) -> None:
    lan = await lan_of(console)
    joined = await console.store.write(tickets.open_or_join, lan, console.shop)
    await console.store.write(messages.customer_says, joined.ticket.id, text="Ly <b>vỡ</b> rồi")
    clock.advance(timedelta(minutes=5))
    await console.order("A1", refunded=85_000, status=Status.REFUNDED)
    browser = await console.as_(Role.MANAGER, console.shop)
    page = await browser.get(f"/shop/customers/{lan}")
    for words in ("Order A1", "Earned", "Taken back after a refund", "Asked for help, request #1001", "Ly <b>vỡ</b> rồi",
                  "+85 points for order A1 at Phố Cafe", "₫85,000 refunded"):  # fmt: skip
        assert words in page.text, words
    assert "<b>vỡ" not in page.html
    kinds = set(re.findall(r'data-kind="(\w+)"', page.html))
    assert kinds == {"orders", "points", "messages", "tickets"}
    for kind in kinds:
        narrowed = await browser.get(f"/shop/customers/{lan}?show={kind}")
        assert set(re.findall(r'data-kind="(\w+)"', narrowed.html)) == {kind}
        part = await browser.get(f"/shop/customers/{lan}/story?show={kind}", **{"HX-Request": "true"})
        assert "<html" not in part.html
        assert set(re.findall(r'data-kind="(\w+)"', part.html)) == {kind}
    glance = await browser.get(f"/shop/customers/{lan}", **{"HX-Request": "true"})
    assert f'href="/shop/customers/{lan}"' in glance.html
    assert "<html" not in glance.html


async def test_the_timeline_is_walked_without_a_script(console: Console) -> None:
    for number in range(40):
        await console.order(f"A{number}", total=1_000 * (number + 1))
    lan = (await console.order("A0")).customer_id
    browser = await console.as_(Role.OWNER)
    seen: list[str] = []
    path = f"/shop/customers/{lan}?show=orders"
    for _ in range(3):
        page = await browser.get(path)
        seen += re.findall(r"<b>Order (A\d+)</b>", page.html)
        further = re.search(r'href="([^"#]*after=[^"#]*)#story"', page.html)
        if further is None:
            break
        path = further[1].replace("&amp;", "&")
        assert "show=orders" in path
    assert sorted(seen) == sorted(f"A{number}" for number in range(40))
    assert "Newest" in page.text


async def test_two_become_one_after_a_look_at_both(console: Console) -> None:
    lan = await lan_of(console)
    hoa = (await console.order("B", phone=HOA, name="Trần Hoa", total=200_000)).customer_id
    browser = await console.as_(Role.MANAGER, console.shop)
    home = f"/shop/customers/{lan}/merge"
    assert (await browser.get(f"{home}?who=0911111111")).error_at("who")
    assert "same customer" in (await browser.get(f"{home}?who=0903123456")).error_at("who")
    looked = await browser.get(f"{home}?who=0903 999 888")
    for words in ("Trần Hoa", "₫200,000", "has 285 points", "Which number stays"):
        assert words in looked.text, words
    form = {"other": looked.hidden("other"), "who": "0903999888", "keep_phone": "gone"}
    refused = await browser.post(home, form)
    assert (refused.status, bool(refused.error_at("sure"))) == (422, True)
    assert (await console.store.read(customers.get, hoa or 0)).id == hoa
    done = await browser.post(home, form | {"sure": "on"})
    assert (done.status, done.path) == (200, f"/shop/customers/{lan}")
    assert "They are one customer now." in done.text
    one = await console.store.read(customers.get, hoa or 0)
    assert (one.id, one.phone, one.orders_count) == (lan, HOA, 2)
    assert (await browser.get(f"/shop/customers/{hoa}")).status == 200, "old links lead to who they became"
    assert (await browser.post(home, form | {"sure": "on"})).status in (409, 422)
    (row,) = await console.rows("customers_merged")
    assert (row.shop_id, row.data["customer"], row.data["gone"]) == (console.shop, lan, hoa)


async def test_a_merge_across_shops_needs_both(console: Console) -> None:
    other = await second(console)
    lan = await lan_of(console)
    hoa = (await console.order("B", phone=HOA, name="Hoa")).customer_id
    await console.order("C", other, phone=HOA)
    form = {"other": str(hoa), "who": HOA, "sure": "on"}
    manager = await console.as_(Role.MANAGER, console.shop)
    page = await manager.post(f"/shop/customers/{lan}/merge", form)
    assert (page.status, "isn't yours" in page.error_at("sure")) == (403, True)
    owner = await console.as_(Role.OWNER)
    assert (await owner.post(f"/shop/customers/{lan}/merge?shop={console.shop}", form)).status == 200
    assert (await console.store.read(customers.get, hoa or 0)).id == lan


async def test_a_number_is_changed_with_what_it_costs_said(console: Console) -> None:
    lan = await lan_of(console)
    await console.order("B", phone=HOA, name="Hoa")
    await console.store.write(claims.prove_phone, lan, LAN)
    browser = await console.as_(Role.MANAGER, console.shop)
    home = f"/shop/customers/{lan}"
    assert "they proved on" in (await browser.get(home)).text
    for form, field in (({"phone": "123"}, "phone"), ({"phone": LAN}, "phone"), ({"phone": NEW}, "sure")):
        page = await browser.post(f"{home}/phone", form)
        assert (page.status, bool(page.error_at(field))) == (422, True), form
        assert '<details class="fold" open><summary>' in page.html, "the form with the error is open"
    taken = await browser.post(f"{home}/phone", {"phone": "0903999888", "sure": "on"})
    assert "merge" in taken.error_at("phone")
    assert re.findall(r'<input[^>]* name="(\w+)"[^>]* autofocus', taken.html) == ["phone"], "on a phone it is far down"
    assert f"{home}/merge?who=0903999888" in taken.html
    done = await browser.post(f"{home}/phone", {"phone": NEW, "sure": "on"})
    assert "The number is 0905 111 222 now." in done.text
    assert "not confirmed yet" in done.text
    (row,) = await console.rows("phone_changed")
    assert (row.data["before"], row.data["after"], row.shop_id) == ("+8490•••456", "+8490•••222", console.shop)


async def test_a_missing_order_is_attached_or_entered(console: Console, clock: SetClock) -> None:
    lan = await lan_of(console)
    await console.order("NOBODY", phone=None, name="", total=40_000)
    await console.order("B", phone=HOA, name="Hoa")
    browser = await console.as_(Role.MANAGER, console.shop)
    home = f"/shop/customers/{lan}"
    for number in ("", "NONE", "A1", "B"):
        page = await browser.post(f"{home}/orders", {"external_id": number})
        assert (page.status, bool(page.error_at("external_id"))) == (422, True), number
    assert (
        "Order NOBODY is theirs now: +40 points."
        in (await browser.post(f"{home}/orders", {"external_id": "NOBODY"})).text
    )
    form = {"total": "1.000.000 ₫", "placed_at": "2026-11-20", "hour": "18:30", "key": "one"}
    wrong = [({"total": ""}, "total"), ({"total": "1,5"}, "total"), ({"placed_at": ""}, "placed_at"),
             ({"placed_at": "2027-01-01"}, "placed_at"), ({"placed_at": "soon"}, "placed_at"), ({"hour": "99"}, "hour"),
             ({"new_id": "A1"}, "new_id"), ({"new_id": "x" * 101}, "new_id")]  # fmt: skip
    for change, field in wrong:
        page = await browser.post(f"{home}/orders/new", form | change)
        assert (page.status, bool(page.error_at(field))) == (422, True), change
    for _ in range(2):
        assert "+1,000 points" in (await browser.post(f"{home}/orders/new", form)).text
    assert (await console.store.read(points.balances, lan))[0] == 85 + 40 + 1_000
    story = (await browser.get(f"{home}?show=orders")).text
    assert "entered by hand" in story
    assert "18:30" in story
    assert [row.data["total"] for row in await console.rows("order_entered")] == [1_000_000]


# ── Today ──────────────────────────────────────────────────────────────────────────────────────────


def listed(page: Page) -> list[tuple[str, str]]:
    """(tone, where it leads) of what today's list shows, in order."""
    return re.findall(r'<a class="card need" href="([^"]*)">\s*<span class="need-icon (\w+)"', page.html)


async def test_five_things_at_first_the_worst_above(console: Console, clock: SetClock) -> None:
    lan = await lan_of(console)
    for number in range(2, 5):
        await console.order(f"A{number}")
    await console.store.write(
        points.adjust, "k", customer_id=lan, shop_id=console.shop, points=9_000, reason="x",
        expires_at=clock.now() + timedelta(days=61 + 5), actor="cli",
    )  # fmt: skip
    await offer(console, name="Nearly", stock=10)
    await offer(console, name="Out", stock=0)
    clock.advance(timedelta(days=61))
    await console.store.write(inbox.record_dead, "telegram:1", "7", 1, "{}", "boom")
    await console.store.write(tickets.open_or_join, lan, console.shop)
    clock.advance(timedelta(hours=5))
    owner = await console.as_(Role.OWNER)
    page = await owner.get("/shop")
    found = listed(page)
    tones = [tone for _, tone in found]
    assert [path for path, _ in found[:3]] == ["/desk/dead-letters", "/desk", "/shop/offers/2"]
    assert [unquote(path) for path, tone in found[3:5]] == [
        "/shop/customers?only=expiring",
        "/shop/customers?only=asleep",
    ]
    assert sorted(tones, key=["bad", "warn", "brand", "good"].index) == tones
    assert "1 customer is about to lose many points 9,000 points expire within 7 days" in page.text
    assert "Nothing needs you right now" not in page.text
    manager = await console.as_(Role.MANAGER, console.shop)
    assert "/desk/dead-letters" not in (await manager.get("/shop")).html, "they may be any shop's"


async def test_a_quiet_day_gives_good_news_and_next_steps_never_filler(console: Console, clock: SetClock) -> None:
    owner = await console.as_(Role.OWNER)
    page = await owner.get("/shop")
    assert "Nothing needs you right now" in page.text
    assert {path for path, _ in listed(page)} == {"/shop/offers/new", "/shop/share", "/shop/settings", "/shop/team"}
    assert {tone for _, tone in listed(page)} == {"good"}
    await offer(console)
    await console.store.write(shops.change, console.shop, address="12 Hàng Gai", phone="0903 123 456")
    await console.hire(Role.CASHIER, console.shop)
    await lan_of(console)
    page = await owner.get("/shop")
    assert [path for path, _ in listed(page)] == ["/shop/customers?sort=joined.desc"]
    assert "1 new customer this week" in page.text
    clock.advance(timedelta(days=8))
    assert [path for path, _ in listed(await (await console.as_(Role.OWNER)).get("/shop"))] == ["/shop/share"]


async def test_the_timeline_names_the_badge(console: Console) -> None:
    lan = await lan_of(console)
    await console.store.write(badges.add, console.shop, BadgeInput("Khách <quen>", "☕", Measure.ORDERS, 1))
    await console.order("A2")
    page = await (await console.as_(Role.MANAGER, console.shop)).get(f"/shop/customers/{lan}")
    assert "Earned a badge: Khách <quen>" in page.text


async def test_the_form_says_how_much_one_may_give_by_themselves(console: Console) -> None:
    await console.order("A1")
    manager, owner = await console.as_(Role.MANAGER, console.shop), await console.as_(Role.OWNER)
    for second_approval, words in ((0, "Up to 50 at once."), (1, "Up to 50 at once; more waits for a second person.")):
        await console.store.write(programme.change, second_approval=second_approval, adjust_manager=50)
        assert words in (await manager.get("/shop/customers/1")).text
    assert "at once" not in (await owner.get("/shop/customers/1")).text
