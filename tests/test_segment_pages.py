"""Segments where people meet them: the console's builder over real HTTP, lists from files, the till and the API."""

import re
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter
from aiohttp import FormData
from sqlalchemy import update

from handlers.web.shop.segments import composing, naming
from handlers.words import words
from loyalty import programme
from loyalty.customers import claims, customers, facts
from loyalty.orders import imports, orders
from loyalty.orders.imports import CustomerLine
from loyalty.orders.orders import OrderInput, Status
from loyalty.outreach.segments import criteria, lists, saved, treatment
from loyalty.outreach.segments.fields import FIELDS
from loyalty.outreach.segments.ready import READY
from loyalty.outreach.segments.saved import Policy, Segment
from store.engine import Store
from store.errors import NotFoundError
from store.staff import Role
from tests.test_console import ZONE, Browser, Console, Page, console

__all__ = ["console"]
LAN, HOA = "+84903123456", "+84903999888"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    return sqlite_url


async def people(console: Console) -> tuple[int, int]:
    """Lan with two orders, one of them coffee, and Hoa with none."""
    lan = await console.store.write(customers.create, phone=LAN, name="Lan", home_shop_id=console.shop)
    hoa = await console.store.write(customers.create, phone=HOA, name="Hoa", home_shop_id=console.shop)
    for number, items in enumerate(([{"name": "Cà phê sữa"}], [])):
        order = OrderInput(
            total=80_000, currency="VND", placed_at=console.store.clock.now(), status=Status.COMPLETED, customer_id=lan,
            items=items,
        )  # fmt: skip
        await console.store.write(orders.put, console.shop, f"A{number}", order)
    return lan, hoa


def condition(at: str, field: str, op: str, value: str, days: str = "") -> dict[str, str]:
    return {f"f.{at}": field, f"o.{at}": op, f"v.{at}": value, **({f"d.{at}": days} if days else {})}


COFFEE = {"k.0": "all", **condition("0-0", "orders_count", ">=", "2"), "k.0-1": "any",
          **condition("0-1-0", "item", "=", "ca phe sua", "30"), **condition("0-1-1", "points", ">", "1000")}  # fmt: skip


async def segments_of(console: Console) -> list[Segment]:
    return await console.store.read(saved.of_shop, console.shop)


async def made(console: Console, manager: Browser, **more: str) -> Segment:
    await manager.get("/shop/segments/new")
    page = await manager.post("/shop/segments", {"name": "Khách cà phê", **COFFEE, **more})
    assert (page.status, page.path) == (200, "/shop/segments"), page.text
    return next(one for one in await segments_of(console) if one.key is None)


async def test_ready_made_segments_are_there_counted_and_lead_to_a_campaign(console: Console) -> None:
    await people(console)
    manager = await console.as_(Role.MANAGER, console.shop)
    page = await manager.get("/shop/segments")
    every = await segments_of(console)
    assert [one.key for one in every] == list(READY)
    assert await segments_of(console) == every, "a second look makes nothing twice"
    for one in every:
        assert f"/shop/campaigns/new?segment={one.id}" in page.html
        shown = await manager.get(f"/shop/segments/{one.id}/count")
        assert shown.text.strip() == {"new": "1", "lost": "0", "champions": "0"}.get(one.key or "", shown.text.strip())
    lost = next(one for one in every if one.key == "lost")
    await manager.get(f"/shop/segments/{lost.id}")
    await manager.post(f"/shop/segments/{lost.id}/remove")
    await manager.get("/shop/segments")
    assert lost.key not in {one.key for one in await segments_of(console)}, "what was taken out stays out"
    assert (await manager.get(f"/shop/segments/{lost.id}")).status == 404


@pytest.mark.parametrize("page", ["campaigns/new", "journeys/new", "insights"])
async def test_every_page_that_offers_groups_has_the_ready_made_ones(console: Console, page: str) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    for _ in range(2):
        assert "Khách chưa hài lòng" in (await manager.get(f"/shop/{page}")).text
    assert [one.key for one in await segments_of(console)] == list(READY)


async def test_the_count_the_sample_and_the_verdict_follow_what_is_composed(console: Console) -> None:
    lan, hoa = await people(console)
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/segments/new")
    shown = await manager.post("/shop/segments/effect", COFFEE)
    assert re.search(r"\b1 customer fits now Lan 2 orders", shown.text), shown.text
    nobody = await manager.post("/shop/segments/effect", {**COFFEE, "v.0-1-0": "trà"})
    assert "0 customers fit now" in nobody.text
    everybody = await manager.post("/shop/segments/effect", {"k.0": "all"})
    assert "2 customers fit now" in everybody.text
    half = await manager.post("/shop/segments/effect", {**COFFEE, "v.0-0": ""})
    assert "Fill in the conditions" in half.text
    inside = await manager.post("/shop/segments/why", {**COFFEE, "who": str(lan)})
    assert "Lan is in" in inside.text
    assert "Number of orders: at least 2 · 2" in inside.text
    assert "does not hold Points: more than 1,000 · 160" in " ".join(re.findall(r"[^<>]+", aria(inside))).replace(
        "  ", " "
    )
    outside = await manager.post("/shop/segments/why", {**COFFEE, "sought": "hoa"})
    assert "Hoa is not in" in outside.text
    assert "Bought the item: ca phe sua, in the last 30 days" in outside.text
    assert "Nobody is found" in (await manager.post("/shop/segments/why", {**COFFEE, "sought": "nobody"})).text
    other = await console.store.write(programme.open_shop, "Phố Trà", timezone=ZONE, language="vi")
    stranger = await console.store.write(customers.create, phone="+84911222333", name="Mai", home_shop_id=other)
    refused = await manager.post("/shop/segments/why", {**COFFEE, "who": str(stranger)})
    assert (refused.status, "Mai" in refused.text) == (404, False), "another shop's customer is nobody here"
    assert hoa


def aria(page: Page) -> str:
    """The page's words with what its pictures are called."""
    html = re.sub(r'<svg[^>]*aria-label="([^"]*)".*?</svg>', r"\1 ", page.html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


async def test_a_segment_is_saved_shown_again_changed_and_named_wrongly(console: Console) -> None:
    await people(console)
    manager = await console.as_(Role.MANAGER, console.shop)
    segment = await made(console, manager, discount="5", price_list="Sỉ 2026")
    assert segment.criteria == {"all": [
        {"field": "orders_count", "op": ">=", "value": 2},
        {"any": [
            {"field": "item", "op": "=", "value": "ca phe sua", "days": 30}, {"field": "points", "op": ">", "value": 1_000},
        ]},
    ]}  # fmt: skip
    assert segment.policy == Policy(discount=5, price_list="Sỉ 2026")
    assert "−5 % · Sỉ 2026" in (await manager.get("/shop/segments")).text
    page = await manager.get(f"/shop/segments/{segment.id}")
    assert 'value="ca phe sua"' in page.html
    wrong = await manager.post(f"/shop/segments/{segment.id}", {"name": " ", **COFFEE, "discount": "101"})
    assert (wrong.status, wrong.error_at("name")) == (422, "Give the group a name.")
    wrong = await manager.post(f"/shop/segments/{segment.id}", {"name": "Sỉ", **COFFEE, "discount": "101"})
    assert (wrong.status, wrong.error_at("discount")) == (422, "A discount is 0 to 100 per cent.")
    wrong = await manager.post(f"/shop/segments/{segment.id}", {"name": "Sỉ", **COFFEE, "v.0-0": "many"})
    assert wrong.status == 422
    assert "Write a whole number." in wrong.text
    await manager.post(
        f"/shop/segments/{segment.id}", {"name": "Sỉ", "k.0": "none", **condition("0-0", "tag", "=", "x")}
    )
    [changed] = [one for one in await segments_of(console) if one.key is None]
    assert (changed.name, changed.criteria) == ("Sỉ", {"not": {"any": [{"field": "tag", "op": "=", "value": "x"}]}})


async def test_buttons_add_and_drop_parts_and_another_field_brings_its_own_values(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/segments/new")
    more = await manager.post("/shop/segments/compose", {**COFFEE, "act": "add:0-1"})
    assert 'name="f.0-1-2"' in more.html
    group = await manager.post("/shop/segments/compose", {**COFFEE, "act": "group:0-1"})
    assert 'name="k.0-1-2"' in group.html
    fewer = await manager.post("/shop/segments/compose", {**COFFEE, "act": "drop:0-1"})
    assert 'name="k.0-1"' not in fewer.html
    other = await manager.post("/shop/segments/compose", {"k.0": "all", **condition("0-0", "rfm", ">=", "2")})
    assert '<option value="=" selected>is</option>' in other.html
    assert '<option value="champion" selected>' in other.html
    odd = await manager.post("/shop/segments/compose", {"k.0": "x", "f.0-9-9": "points", "f.x": "y", "act": "drop:7"})
    assert odd.status == 200


async def test_segments_are_for_who_runs_the_shop_and_of_one_shop(console: Console) -> None:
    agent = await console.as_(Role.AGENT, console.shop)
    assert (await agent.get("/shop/segments")).status == 403
    manager = await console.as_(Role.MANAGER, console.shop)
    segment = await made(console, manager)
    refused = await manager.post(f"/shop/segments/{segment.id}/remove", csrf="x")
    assert refused.status == 403
    with pytest.raises(NotFoundError):
        await console.store.read(saved.get, segment.id, console.shop + 1)


def test_every_field_has_its_words_and_every_form_is_read_back_as_it_was() -> None:
    for language in ("vi", "en"):
        assert set(naming.labels(words(language))) == set(FIELDS)
    for asked in (
        *READY.values(), {"not": {"field": "tag", "op": "=", "value": "x"}}, {"not": {"not": {"all": []}}},
        {"field": "points", "op": "in", "value": [1, 2]},
    ):  # fmt: skip
        read = criteria.parse(asked)
        again = composing.written(composing.of(read))
        assert again is not None
        assert _flat(again) == _flat(asked)


def _flat(asked: Any) -> Any:
    """A group of one thing is that thing."""
    if isinstance(asked, dict) and len(asked) == 1:
        (kind, below), *_ = asked.items()
        if kind == "not":
            return {"not": _flat(below)}
        parts = [_flat(one) for one in below]
        return parts[0] if len(parts) == 1 else {kind: parts}
    return asked


# ── Lists ──────────────────────────────────────────────────────────────────────────────────────────


def sheet(rows: list[list[Any]]) -> bytes:
    kept = BytesIO()
    with xlsxwriter.Workbook(kept) as book:
        page = book.add_worksheet()
        for at, row in enumerate(rows):
            page.write_row(at, 0, row)
    return kept.getvalue()


async def sent(manager: Browser, path: str, file: bytes, called: str, **fields: str) -> Page:
    body = FormData()
    for key, value in fields.items():
        body.add_field(key, value)
    body.add_field("file", file, filename=called)
    headers = {"X-CSRF-Token": manager.csrf}
    async with manager.http.post(manager.root + path, data=body, headers=headers) as response:
        return await manager._page(response)


async def test_a_file_makes_a_group_and_says_which_rows_are_nobody(console: Console) -> None:
    lan, hoa = await people(console)
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/segments/upload")
    rows = [["Tên", "Số điện thoại"], ["Lan", "0903 123 456"], ["Lan nữa", "0903123456"], ["Ai đó", "0911222333"],
            ["Sai", "12"], ["Không có", ""]]  # fmt: skip
    page = await sent(manager, "/shop/segments/upload", sheet(rows), "t6.xlsx", name="Sinh nhật tháng 6")
    assert "t6.xlsx: 1 of 5 rows are customers of yours." in page.text
    [segment] = [one for one in await segments_of(console) if one.listed]
    report = await console.store.read(lists.last_upload, segment.id)
    assert report is not None
    assert [(one.line, one.why) for one in report.unmatched] == [
        (3, "twice"),
        (4, "customer"),
        (5, "phone"),
        (6, "missing"),
    ]
    csv = await manager.get(f"/shop/segments/{segment.id}/unmatched.csv")
    assert "Ai đó,0911222333,4,No customer has this." in csv.html
    assert (await manager.get(f"/shop/segments/{segment.id}/count")).text.strip() == "1"
    refused = await sent(manager, f"/shop/segments/{segment.id}/upload", b"", "x.csv")
    assert (refused.status, f"/shop/segments/{segment.id}/upload" in refused.html) == (422, True), (
        "it stays this list's form"
    )
    code = (await console.store.read(customers.get, hoa)).code
    await sent(manager, f"/shop/segments/{segment.id}/upload", f"Mã thẻ\n{code.lower()}\n".encode(), "more.csv")
    assert (await manager.get(f"/shop/segments/{segment.id}/count")).text.strip() == "2"
    await sent(manager, f"/shop/segments/{segment.id}/upload", f"id\n{hoa}\n".encode(), "only.csv", replace="1")
    assert (await manager.get(f"/shop/segments/{segment.id}/count")).text.strip() == "1"
    await console.store.write(claims.merge, lan, hoa)
    assert (await manager.get(f"/shop/segments/{segment.id}/count")).text.strip() == "1", "who lives on is on the list"
    await manager.get(f"/shop/segments/{segment.id}")
    await manager.post(f"/shop/segments/{segment.id}", {"name": "Tháng 6", "discount": "3"})
    kept = await console.store.read(saved.get, segment.id, console.shop)
    assert (kept.name, kept.policy.discount, kept.criteria) == ("Tháng 6", 3, segment.criteria)


async def test_files_that_are_no_list_change_nothing(console: Console) -> None:
    manager = await console.as_(Role.MANAGER, console.shop)
    await manager.get("/shop/segments/upload")
    for file, name in ((b"\x00\x01\x02", "x.xlsx"), (b"shoe size\n42\n", "x.csv"), (b"", "x.csv")):
        page = await sent(manager, "/shop/segments/upload", file, name, name="X")
        assert page.status == 422
    page = await sent(manager, "/shop/segments/upload", b"phone\n0903123456\n", "x.csv", name="")
    assert (page.status, page.error_at("name")) == (422, "Give the group a name.")
    assert await segments_of(console) == []


# ── The till ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_groups_policy_the_debt_and_the_last_purchase_are_told_to_who_serves(console: Console) -> None:
    lan, hoa = await people(console)
    store: Store = console.store
    policy = Policy(5, "Sỉ 2026", "Trả cuối tháng", "Hay hỏi hoá đơn")
    asked = {"field": "orders_count", "op": ">=", "value": 2}
    await store.write(saved.add, console.shop, "Khách sỉ", asked, policy, "test")
    await store.write(saved.add, console.shop, "Không chính sách", asked, Policy(), "test")
    for owes in (70_000, 50_000):
        await store.write(imports.take_customers, console.shop, [CustomerLine(2, LAN, debt=owes)])
    manager = await console.as_(Role.MANAGER)
    page = await manager.get(f"/shop/customers/{lan}")
    assert "Owes ₫50,000" in page.text
    groups = await manager.get(f"/shop/customers/{lan}/groups")
    assert "Khách sỉ −5 % Sỉ 2026 · Trả cuối tháng · Hay hỏi hoá đơn" in groups.text
    assert "Number of orders: at least 2 · 2" in groups.text
    assert "Not in" not in groups.text
    assert "Not in 2 groups" in (await manager.get(f"/shop/customers/{hoa}/groups")).text
    told_of = datetime(2026, 1, 5, 3, tzinfo=UTC)
    await store.write(imports.take_customers, console.shop, [CustomerLine(3, HOA, last_bought=told_of)])
    assert (await store.read(treatment.of, hoa, console.shop)).last_order_at == told_of
    assert "Last bought 5 Jan 2026" in (await manager.get(f"/shop/customers/{hoa}")).text
    told = await store.read(treatment.of, lan, console.shop)
    assert [one.name for one in told.groups] == ["Khách sỉ"]
    assert (told.groups[0].policy, told.debt) == (policy, 50_000)
    assert told.last_order_at is not None
    assert (await store.read(treatment.of, hoa, console.shop)).groups == []
    assert (await store.read(facts.get, hoa, facts.DEBT)) is None
    gone = {"field": "tier", "op": "=", "value": "Kim cương"}
    await store.write(
        lambda session: session.execute(
            update(saved.segments).where(saved.segments.c.name == "Khách sỉ").values(criteria=gone)
        )
    )
    assert (await store.read(treatment.of, lan, console.shop)).groups == [], "a condition on what is gone fits nobody"
