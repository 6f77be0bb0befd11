"""Campaigns from outside: written and let go over the API, sent by the running program, read off the Bot API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from bot.broadcaster import LEASE, TICK_SECONDS, of_campaign
from loyalty import programme
from loyalty.customers import customers, facts
from loyalty.outreach import consents, manners, templates
from loyalty.outreach.campaigns import campaigns, costs
from loyalty.outreach.campaigns.costs import Costs
from loyalty.outreach.manners import Rules
from loyalty.outreach.templates import TemplateError
from loyalty.vouchers import voucher_programs
from loyalty.vouchers.voucher_programs import Kind
from store import leases, notices, staff
from store.clock import SetClock
from store.outbox import Purpose
from tests.botapi.pace import Pace
from tests.botapi.people import Person
from tests.chatting import customer_of, give_points, last_with_buttons, put_order, quiet, settled_person
from tests.conftest import NOON
from tests.running import Running, running, until
from tests.test_campaign_faults import meet

EVERYBODY: dict[str, Any] = {"all": []}
HCMC = ZoneInfo("Asia/Ho_Chi_Minh")


class Shop:
    """A shop's own system: calls the API of the program that runs."""

    def __init__(self, shop: Running, http: aiohttp.ClientSession, key: str) -> None:
        self.shop, self.http, self.key = shop, http, key

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.shop.url}/api/v1{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def write(self, text: str = "Chào {{ name }}!", **more: Any) -> int:
        body = {"name": "Thử", "criteria": EVERYBODY, "purpose": "care", "messages": {"vi": text}} | more
        status, made = await self.call("POST", "/campaigns", body)
        assert (status, made["state"]) == (201, "draft"), made
        return int(made["id"])

    async def let_go(self, number: int) -> None:
        status, answer = await self.call("POST", f"/campaigns/{number}/approve")
        assert status == 200, answer

    async def read(self, number: int) -> Any:
        return (await self.call("GET", f"/campaigns/{number}"))[1]

    async def through(self, number: int) -> Any:
        """How it stands once it is done; the figures must add up."""
        async with asyncio.timeout(20):
            while (found := await self.read(number))["state"] != "done":
                await asyncio.sleep(0.02)
        report = found["report"]
        parts = ("held_out", "sent", "failed", "unknown")
        assert report["planned"] == sum(report[part] for part in parts) + sum(report["skipped"].values())
        return report


@asynccontextmanager
async def serving(url: str, clock: SetClock | None = None, **more: Any) -> AsyncIterator[Shop]:
    async with running(url, webhook=True, clock=clock, **more) as shop, aiohttp.ClientSession() as http:
        key = await shop.store.write(staff.add_api_key, shop.shop_id)
        yield Shop(shop, http, key)


@pytest.fixture
async def api(database_url: str, clock: SetClock) -> AsyncIterator[Shop]:
    async with serving(database_url, clock) as found:
        yield found


async def people(shop: Running, *names: str) -> list[Person]:
    return [await settled_person(shop, first_name=name) for name in names]


async def agree(shop: Running, *those: Person) -> None:
    for person in those:
        customer = await customer_of(shop, person)
        await shop.store.write(
            consents.record, customer.id, Purpose.ADVERTISING, agreed=True, proof={"way": "test"}
        )  # fmt: skip


def heard(person: Person, words: str) -> int:
    return sum(words in text for text in person.texts)


async def test_each_hears_once_or_is_accounted_for(api: Shop) -> None:
    shop = api.shop
    lan, huy, minh, thu = await people(shop, "Lan", "Huy", "Minh", "Thu")
    await agree(shop, lan, minh, thu)
    await minh.block()
    await quiet(shop)
    await shop.store.write(facts.put, (await customer_of(shop, thu)).id, facts.OPEN_COMPLAINTS, 1)
    await shop.store.write(customers.create, name="Khách lẻ", language="vi", home_shop_id=None)
    await give_points(shop, lan, 1_234)
    number = await api.write("{{ name }} có {{ points }} điểm, hạng {{ tier }} ở {{ shop }}", purpose="advertising")
    assert heard(lan, "1.234 điểm, hạng") == 0
    await api.let_go(number)
    report = await api.through(number)
    assert report["planned"] == 5
    assert report["sent"] == 1
    assert report["skipped"] == {"no_consent": 1, "blocked": 1, "complaint_open": 1, "no_messenger": 1}
    assert [text for text in lan.texts if "1.234 điểm" in text][-1] == "[QC] Lan có 1.234 điểm, hạng Bạc ở Phố Cafe"
    assert not any("[QC]" in text for person in (huy, minh, thu) for text in person.texts)
    # Twice approved is approved once.
    await api.let_go(number)
    assert (await api.through(number))["sent"] == 1
    assert heard(lan, "[QC]") == 1


async def test_a_voucher_goes_along_and_what_it_earns_is_counted(api: Shop) -> None:
    shop = api.shop
    lan, huy, minh = await people(shop, "Lan", "Huy", "Minh")
    program = await shop.store.write(
        voucher_programs.add,
        name="Sinh nhật",
        kind=Kind.AMOUNT,
        value=20_000,
        stock=2,
        hidden=True,
        shop_id=shop.shop_id,
    )
    number = await api.write("Quà của {{ you }} đây", voucher_program=program.id)
    await api.let_go(number)
    report = await api.through(number)
    assert (report["sent"], report["skipped"]) == (2, {"no_voucher": 1})
    codes = [text.rsplit(" ", 1)[1] for person in (lan, huy, minh) for text in person.texts if "Quà của bạn" in text]
    assert len(set(codes)) == 2
    status, held = await api.call("POST", f"/vouchers/{codes[0]}/redemptions", {"order": "HD-1", "order_total": 85_000})
    assert status == 201, held
    await api.call("POST", f"/redemptions/{held['id']}/confirm")
    await put_order(shop, "HD-1", 65_000, customer_id=(await customer_of(shop, lan)).id)
    await put_order(shop, "HD-2", 30_000, customer_id=(await customer_of(shop, minh)).id)
    report = (await api.read(number))["report"]
    assert (report["redeemed"], report["orders"], report["revenue"]) == (1, 1, 65_000)


async def test_one_tap_stops_it_for_good(api: Shop) -> None:
    (lan,) = await people(api.shop, "Lan")
    number = await api.write()
    await api.let_go(number)
    assert (await api.through(number))["sent"] == 1
    message = last_with_buttons(lan)
    await lan.tap(message, "Không nhận tin này nữa")
    await quiet(api.shop)
    number = await api.write("Lần hai")
    await api.let_go(number)
    assert (await api.through(number))["skipped"] == {"opted_out": 1}
    assert heard(lan, "Lần hai") == 0
    told = await api.shop.store.read(consents.of, (await customer_of(api.shop, lan)).id)
    assert [(one.purpose, one.agreed, one.proof["way"]) for one in told] == [(Purpose.CARE, False, "button")]


async def test_care_of_any_kind_stops_with_the_tap(api: Shop) -> None:
    lan, huy = await people(api.shop, "Lan", "Huy")
    first, second = [(await customer_of(api.shop, person)).id for person in (lan, huy)]
    await api.shop.store.write(consents.record, first, Purpose.CARE, agreed=False, proof={"way": "test"})
    told = {"points": 50, "on": "2026-12-31", "days": 30, "shop": "Phố Cafe"}
    for customer_id in (first, second):
        await api.shop.store.write(
            notices.tell, "points_expiring", customer_id=customer_id, purpose=Purpose.CARE, **told
        )
    await quiet(api.shop)
    assert (heard(lan, "31/12"), heard(huy, "31/12")) == (0, 1)


async def test_who_is_held_out_hears_nothing(api: Shop) -> None:
    everybody = await people(api.shop, *(f"Khách{number}" for number in range(12)))
    number = await api.write("Thử nhé", hold_out=50)
    await api.let_go(number)
    report = await api.through(number)
    assert 0 < report["held_out"] < 12
    assert report["sent"] == sum(heard(person, "Thử nhé") for person in everybody) == 12 - report["held_out"]


async def test_links_are_counted_once_for_each_person(api: Shop) -> None:
    lan, huy = await people(api.shop, "Lan", "Huy")
    number = await api.write("Xem https://pho.example/thuc-don?a=1&b=2. Nhé!")
    await api.let_go(number)
    await api.through(number)
    links = [text.split()[1].rstrip(".") for person in (lan, huy) for text in person.texts if text.startswith("Xem")]
    assert len(set(links)) == 2
    for _ in range(2):
        async with api.http.get(links[0], allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "https://pho.example/thuc-don?a=1&b=2")
    assert (await api.read(number))["report"]["clicks"] == 1
    async with api.http.get(f"{api.shop.url}/l/ABCDEFGHJK", allow_redirects=False) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_advertising_waits_for_the_morning_and_stops_at_three_a_day(api: Shop, clock: SetClock) -> None:
    (lan,) = await people(api.shop, "Lan")
    await agree(api.shop, lan)
    clock.set(datetime(2026, 11, 21, 23, 0, tzinfo=HCMC))
    numbers = [await api.write(f"Tin {nth}", purpose="advertising") for nth in range(4)]
    for number in numbers:
        await api.let_go(number)
    async with asyncio.timeout(10):
        while (await api.read(numbers[-1]))["state"] != "sending":
            await asyncio.sleep(0.02)
    await quiet(api.shop)
    assert heard(lan, "[QC]") == 0
    clock.set(datetime(2026, 11, 22, 7, 0, tzinfo=HCMC))
    reports = [await api.through(number) for number in numbers]
    # Which of them comes too late hangs on where a look at all of them stood when morning came.
    assert sorted(report["sent"] for report in reports) == [0, 1, 1, 1]
    assert [report["skipped"] for report in reports if not report["sent"]] == [{"frequency_cap": 1}]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_schedule_is_kept_and_a_late_one_refused(api: Shop, clock: SetClock) -> None:
    (lan,) = await people(api.shop, "Lan")
    body = {"name": "Muộn", "criteria": EVERYBODY, "purpose": "care", "messages": {"vi": "x"}}
    status, refused = await api.call("POST", "/campaigns", body | {"send_at": "2026-11-21T08:00:00+07:00"})
    assert (status, refused["errors"][0]["field"]) == (422, "send_at")
    number = await api.write("Đúng giờ", send_at="2026-11-21T14:00:00+07:00")
    late = await api.write("Quá giờ", send_at="2026-11-21T12:30:00+07:00")
    await api.let_go(number)
    await quiet(api.shop)
    assert (await api.read(number))["state"] == "approved"
    # While all there is lies ahead the broadcaster writes nothing.
    await api.shop.store.write(leases.let_go, LEASE, api.shop.app.owner)
    await asyncio.sleep(2 * TICK_SECONDS)
    assert await api.shop.store.write(leases.hold, LEASE, "somebody else") is not None
    await api.shop.store.write(leases.let_go, LEASE, "somebody else")
    clock.advance(timedelta(hours=2))
    assert (await api.through(number))["sent"] == 1
    assert heard(lan, "Đúng giờ") == 1
    status, refused = await api.call("POST", f"/campaigns/{late}/approve")
    assert (status, refused["code"]) == (409, "campaign_late")


async def test_who_pays_telegram_leaves_faster_and_the_report_says_what_it_cost(
    sqlite_url: str, clock: SetClock
) -> None:
    async with serving(sqlite_url, clock) as api:
        shop, pace = api.shop, Pace()
        shop.api.world.pace = pace
        met = [shop.api.user(first_name="Lan").id for _ in range(90)]
        await shop.store.write(meet, met, "telegram:42")

        async def put(price: int, *, paid: bool) -> None:
            await shop.store.write(costs.change, shop.shop_id, Costs({"telegram": price}, paid=paid), "test")

        await put(50, paid=True)
        number = await api.write("Mau lên")
        await api.let_go(number)
        # What it cost was settled with the approval.
        await put(900, paid=True)
        report = await api.through(number)
        sent = shop.api.calls_of("sendMessage")
        assert (report["sent"], report["cost"], report["stars"]) == (90, 4_500, 6)
        assert all(call.params.get("allow_paid_broadcast") for call in sent)
        # For nothing, 90 take two seconds and more.
        assert max(call.at for call in sent) - min(call.at for call in sent) < 1.9
        assert 0 < pace.charged <= 60
        # Switched off it ends at once, also for what was approved before.
        await put(50, paid=False)
        campaign = await shop.store.read(campaigns.get, number)
        assert campaign.paid
        assert not (await shop.store.read(of_campaign, campaign)).paid
        number = await api.write("Từ từ")
        await api.let_go(number)
        await shop.api.wait_calls(95, method="sendMessage")
        await api.call("POST", f"/campaigns/{number}/stop")
        assert not [one for one in shop.api.calls_of("sendMessage")[90:] if one.params.get("allow_paid_broadcast")]
        assert shop.api.refused == []


async def test_pause_and_stop_act_at_once_and_a_withdrawn_yes_counts(database_url: str) -> None:
    async with serving(database_url, telegram_rate=5) as api:
        await api.shop.store.write(manners.put, Rules(care_from=NOON.time(), care_until=NOON.time()))
        everybody = await people(api.shop, *(f"Khách{number}" for number in range(24)))
        number = await api.write("Thử nhé")
        await api.let_go(number)
        await until(lambda: sum(heard(person, "Thử nhé") for person in everybody) >= 2)
        status, paused = await api.call("POST", f"/campaigns/{number}/pause")
        assert (status, paused["state"]) == (200, "paused")
        await quiet(api.shop)
        reached = sum(heard(person, "Thử nhé") for person in everybody)
        assert reached < 12
        # One says stop while it is held: their message is never written.
        left = next(person for person in reversed(everybody) if not heard(person, "Thử nhé"))
        await api.shop.store.write(
            consents.record, (await customer_of(api.shop, left)).id, Purpose.CARE, agreed=False, proof={"way": "test"}
        )
        assert sum(heard(person, "Thử nhé") for person in everybody) == reached
        await api.call("POST", f"/campaigns/{number}/resume")
        await until(lambda: sum(heard(person, "Thử nhé") for person in everybody) >= 12)
        status, stopped = await api.call("POST", f"/campaigns/{number}/stop")
        assert (status, stopped["state"]) == (200, "stopped")
        await quiet(api.shop)
        reached = sum(heard(person, "Thử nhé") for person in everybody)
        async with asyncio.timeout(10):
            while (report := (await api.read(number))["report"])["sent"] + sum(report["skipped"].values()) < 24:
                await asyncio.sleep(0.02)
        assert report["sent"] == reached
        assert 12 <= reached < 24
        assert report["skipped"].get("opted_out", 0) + report["skipped"]["stopped"] == 24 - reached
        assert max(heard(person, "Thử nhé") for person in everybody) == 1
        assert heard(left, "Thử nhé") == 0
        assert (await api.call("POST", f"/campaigns/{number}/resume"))[0] == 409


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "required"),
        ("x" * 4_000, "length"),
        ("{{ name", "syntax"),
        ("{{ nmae }}", "unknown"),
        ("{{ name|pprint }}", "unknown"),
        ("{% for x in name %}{{ x }}{% endfor %}", "unsupported"),
        ("{{ 'x' * 10**9 }}", "unsupported"),
        ("{{ name.__class__ }}", "unsupported"),
        ("{{ range(9) }}", "unsupported"),
        ("{% include 'x' %}", "unsupported"),
        ("{% set x = 1 %}", "unsupported"),
    ],
)
def test_a_template_that_cannot_be_sent_is_refused_before(words: str, problem: str) -> None:
    with pytest.raises(TemplateError) as refused:
        templates.check(words)
    assert refused.value.problem == problem


def test_a_template_says_what_it_was_given() -> None:
    words = "{% if points != '0' %}{{ name|upper }}: {{ points }}{% else %}Chưa có điểm{% endif %} <b>"
    assert templates.render(words, {"name": "Lan", "points": "12"}) == "LAN: 12 <b>"
    assert templates.render(words, {"name": "Lan", "points": "0"}) == "Chưa có điểm <b>"
    # Who is called “chị Lan” in the midst of a sentence is at a message's beginning, too.
    chi = {"name": "chị Lan", "you": "chị"}
    assert templates.render("{{ name }} ơi, mời {{ you }} ghé!", chi) == "Chị Lan ơi, mời chị ghé!"
    assert templates.render("chào {{ name }}", chi) == "chào chị Lan"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"purpose": "service"}, "purpose"),
        ({"criteria": {"field": "shoe", "op": "=", "value": 1}}, "criteria.field"),
        ({"messages": {}}, "messages"),
        ({"messages": {"fr": "Bonjour"}}, "messages.fr"),
        ({"messages": {"vi": "{{ nmae }}"}}, "messages.vi"),
        ({"messages": {"vi": "{{ code }}"}}, "voucher_program"),
        ({"hold_out": 91}, "hold_out"),
        ({"send_at": "2019-01-01T00:00:00+07:00"}, "send_at"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_what_a_campaign_may_not_say_is_named(api: Shop, change: dict[str, Any], field: str) -> None:
    body = {"name": "Thử", "criteria": EVERYBODY, "purpose": "care", "messages": {"vi": "x"}}
    status, refused = await api.call("POST", "/campaigns", body | change)
    assert (status, refused["code"]) == (422, "invalid")
    assert refused["errors"][0]["field"] == field


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_another_shops_campaign_is_not_there(api: Shop) -> None:
    number = await api.write()
    other = await api.shop.store.write(programme.open_shop, "Quán Hai", timezone="Asia/Ho_Chi_Minh", language="vi")
    key, api.key = api.key, await api.shop.store.write(staff.add_api_key, other)
    for method, path in (("GET", ""), *(("POST", f"/{verb}") for verb in ("approve", "pause", "resume", "stop"))):
        assert (await api.call(method, f"/campaigns/{number}{path}"))[0] == 404
    api.key = key
    assert (await api.read(number))["state"] == "draft"


def test_care_hours_may_pass_midnight() -> None:
    rules = Rules(care_from=time(20), care_until=time(2))
    for hour, opens in ((1, None), (2, 20), (19, 20), (20, None), (23, None)):
        at = datetime(2026, 11, 21, hour, tzinfo=HCMC)
        found = manners.opens(Purpose.CARE, at, "Asia/Ho_Chi_Minh", rules)
        assert found == (None if opens is None else at.replace(hour=opens))
