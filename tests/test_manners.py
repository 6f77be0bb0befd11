"""Hours, caps and the do-not-call list: what holds care and advertising back, whichever way they come, and the shop's page."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio
from sqlalchemy import insert
from sqlalchemy.orm import Session

from loyalty import programme
from loyalty.customers import customers
from loyalty.outreach import consents, deliveries, do_not_call, manners
from loyalty.outreach.manners import Reach, Reason, Rules
from store import notices
from store.clock import SetClock, now
from store.engine import Store
from store.outbox import Purpose
from store.staff import Role
from support.feedback import planning, surveys
from tests.chatting import customer_of, open_shop, quiet, settled_person
from tests.running import Running
from tests.test_campaign_pages import Reader, session

HCMC = ZoneInfo("Asia/Ho_Chi_Minh")
TOLD = {"points": 50, "on": "2026-12-31", "days": 30, "shop": "Phố Cafe"}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest_asyncio.fixture
async def shop(sqlite_template: Path, tmp_path: Path, clock: SetClock) -> AsyncIterator[Running]:
    async with open_shop(sqlite_template, tmp_path, clock) as found:
        yield found


async def remind(shop: Running, customer: int, points: int) -> None:
    about = {"customer_id": customer, "purpose": Purpose.CARE, **TOLD, "points": points}
    await shop.store.write(notices.tell, "points_expiring", **about)
    await quiet(shop)


async def test_care_by_itself_waits_for_the_morning_and_for_tomorrow(shop: Running, clock: SetClock) -> None:
    lan = await settled_person(shop, first_name="Lan")
    number = (await customer_of(shop, lan)).id
    clock.set(datetime(2026, 11, 21, 22, 30, tzinfo=HCMC))
    await remind(shop, number, 41)
    assert not [text for text in lan.texts if "41" in text]
    clock.set(datetime(2026, 11, 22, 6, 59, tzinfo=HCMC))
    await quiet(shop)
    assert not [text for text in lan.texts if "41" in text]
    clock.set(datetime(2026, 11, 22, 7, 0, tzinfo=HCMC))
    await until_heard(shop, lan, "41")
    # Three in 24 hours: the fourth comes when the first is a day old.
    for points in (42, 43, 44):
        await remind(shop, number, points)
    assert [points for points in (42, 43, 44) if any(str(points) in text for text in lan.texts)] == [42, 43]
    clock.set(datetime(2026, 11, 23, 7, 30, tzinfo=HCMC))
    await until_heard(shop, lan, "44")


async def until_heard(shop: Running, person: object, words: str) -> None:
    for _ in range(50):
        await quiet(shop)
        if any(words in text for text in person.texts):  # type: ignore[attr-defined]
            return
    raise AssertionError(f"{words} never came")


async def judged(store: Store, number: int, purpose: Purpose, account: str = "telegram:42") -> Reach | Reason:
    def look(session: Session) -> Reach | Reason:
        return manners.judge(session, [number], purpose, [account], manners.rules(session))[number]

    return await store.read(look)


def met(session: Session, account: str) -> int:
    """A customer who agreed to offers."""
    number = customers.create(session, phone="+84903000001", name="Lan", language="vi", home_shop_id=None)
    session.execute(
        insert(customers.identities).values(
            customer_id=number, account=account, user_id=7, chat_id=7, joined_at=now(session), last_seen_at=now(session)
        )
    )
    consents.record(session, number, Purpose.ADVERTISING, agreed=True, proof={"way": "test"})
    return number


@ON_SQLITE
async def test_campaigns_journeys_and_notices_count_together_by_the_week(store: Store, clock: SetClock) -> None:
    number = await store.write(met, "telegram:42")
    await store.write(manners.put, Rules(week_cap=3, care_cap=9))

    def heard(session: Session, source: str, step: int, purpose: Purpose) -> None:
        session.execute(
            insert(deliveries.deliveries).values(
                source=source, source_id=1, step=step, occurrence="", customer_id=number, purpose=int(purpose), variant="",
                state="sent", due_at=now(session), left_at=now(session),
            )
        )  # fmt: skip

    await store.write(heard, "campaign", 0, Purpose.ADVERTISING)
    clock.advance(timedelta(days=2))
    await store.write(heard, "journey", 1, Purpose.CARE)
    await store.write(notices.tell, "points_expiring", customer_id=number, purpose=Purpose.CARE, **TOLD)
    assert isinstance(await judged(store, number, Purpose.CARE), Reach)
    await store.write(notices.settle, [1], "queued")
    for purpose in manners.BOTH:
        assert await judged(store, number, purpose) is Reason.CAP
    clock.advance(timedelta(days=5, seconds=1))
    assert isinstance(await judged(store, number, Purpose.CARE), Reach)


@ON_SQLITE
async def test_a_question_waits_for_who_has_heard_enough(store: Store, clock: SetClock) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    number = await store.write(met, "telegram:42")
    await store.write(manners.put, Rules(care_cap=1))
    await store.write(notices.tell, "points_expiring", customer_id=number, purpose=Purpose.CARE, **TOLD)
    await store.write(notices.settle, [1], "queued")
    clock.advance(timedelta(hours=23, minutes=30))
    due = {"due_at": clock.now(), "ticket_id": None}
    await store.write(surveys.add, surveys.Kind.NPS, number, shop, surveys.State.WAITING, **due)
    states = []
    for minutes in (0, 59, 1):
        clock.advance(timedelta(minutes=minutes))
        await store.write(planning.ask_due)
        states += [one.state for one in await store.read(surveys.of_customer, number)]
    assert states == ["waiting", "waiting", "asked"]


@ON_SQLITE
async def test_who_is_on_the_list_hears_no_advertising_by_their_number(store: Store, clock: SetClock) -> None:
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    number = await store.write(met, "sms:1")
    assert isinstance(await judged(store, number, Purpose.ADVERTISING, "sms:1"), Reach)
    for phones, reason in (["+84903000002", "+84903000001"], Reason.DO_NOT_CALL), (["+84903000002"], None):
        clock.advance(timedelta(days=30))
        async for _ in store.stream(do_not_call.replace, phones, shop, "test"):
            pass
        found = await judged(store, number, Purpose.ADVERTISING, "sms:1")
        assert found is reason if reason else isinstance(found, Reach)
    async for _ in store.stream(do_not_call.replace, ["+84903000001"], shop, "test"):
        pass
    assert isinstance(await judged(store, number, Purpose.CARE, "sms:1"), Reach)
    await store.write(met_again, number)
    assert isinstance(await judged(store, number, Purpose.ADVERTISING), Reach)


def met_again(session: Session, number: int) -> None:
    """They wrote on Telegram too: there it isn't their number that is reached."""
    session.execute(
        insert(customers.identities).values(
            customer_id=number,
            account="telegram:42",
            user_id=7,
            chat_id=7,
            joined_at=now(session),
            last_seen_at=now(session),
        )
    )


async def test_the_shop_sets_its_hours_within_the_law(shop: Running) -> None:
    async with session() as http:
        owner = await Reader(shop, http).signed_in("Hoa", Role.OWNER)
        form = {
            "care_from": "08:00", "care_until": "21:00", "care_cap": "2", "ads_from": "09:00", "ads_until": "20:30",
            "ads_cap": "1", "week_cap": "4",
        }  # fmt: skip
        for wrong, field in (
            ({"ads_until": "22:30"}, "ads_from"),
            ({"ads_cap": "4"}, "ads_cap"),
            ({"care_from": "x"}, "care_from"),
        ):
            status, page, _ = await owner.post("/shop/manners", **form | wrong)
            assert (status, f'id="f-{field}-said"' in page) == (422, True)
        assert await shop.store.read(manners.rules) == Rules()
        assert (await owner.post("/shop/manners", **form))[0] == 200
        assert await shop.store.read(manners.rules) == Rules(time(8), time(21), 2, time(9), time(20, 30), 1, 4)
        upload = aiohttp.FormData()
        upload.add_field("csrf", owner.csrf)
        upload.add_field(
            "file",
            "0903 000 001\n+84903000002\nkhông phải số\n84 903 000 001\n".encode(),
            filename="dnc.csv",
            content_type="text/csv",
        )
        async with http.post(
            shop.url + "/shop/manners/do-not-call", data=upload, headers={"X-CSRF-Token": owner.csrf}
        ) as sent:
            assert sent.status == 200
        assert await shop.store.read(do_not_call.size) == 2
        _, page = await owner.get("/shop/audit")
        assert re.search("đổi giờ giấc", page)
        manager = await Reader(shop, http).signed_in("Huy", Role.MANAGER)
        assert (await manager.get("/shop/manners"))[0] == 200
        assert (await manager.post("/shop/manners", **form | {"ads_cap": "3"}))[0] == 403
        assert (await shop.store.read(manners.rules)).ads_cap == 1
