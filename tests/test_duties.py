"""Duties: a copy with its files, being forgotten in time, an end to keeping, and who looked."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa

from handlers import parcel
from handlers.words import words
from loyalty.customers import customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from store import media, staff
from store.audit import AuditRow
from store.clock import SetClock
from store.engine import Store
from store.errors import InvalidError
from store.notices import NoticeRow
from store.staff import Role
from support import handling, messages, privacy, tickets
from support.duties import accesses, copies, erasures, inactive, parcels, retention
from tests.test_privacy import AT, NAME, PHONE, SAID, a_life, words_of

ZONE = "Asia/Ho_Chi_Minh"


async def agent_of(store: Store, shop: int, role: Role = Role.OWNER, *, everywhere: bool = False) -> staff.Member:
    return await store.read(staff.get, await store.write(staff.add, "Hạnh", role, None if everywhere else shop))


async def lines(store: Store, action: str) -> list[dict[str, Any]]:
    return list(
        await store.read(
            lambda s: (
                s.execute(sa.select(AuditRow.data).where(AuditRow.action == action).order_by(AuditRow.id))
                .scalars()
                .all()
            )
        )
    )


async def open_ticket(store: Store, number: int) -> int:
    return (await store.read(tickets.tickets_of, number))[0].id


async def test_the_copy_is_a_page_a_person_can_read_with_its_pictures(store: Store) -> None:
    number, _ = await a_life(store)
    found = await store.read(parcels.of, number)
    content = parcel.pack(words("vi"), found, ZONE, AT)
    archive = zipfile.ZipFile(BytesIO(content))
    page, data = archive.read("index.html").decode(), json.loads(archive.read("data.json"))
    [picture] = [name for name in archive.namelist() if name.startswith("media/")]
    assert archive.read(picture) == b"a picture of a bad cake"
    assert f'<img src="{picture}"' in page
    for word in (NAME, SAID, "85.000", "A1"):
        assert word in page, word
    assert "khách quen" not in page
    assert data["tickets"][0]["messages"][0]["media"][0]["file"] == picture


async def test_what_does_not_fit_is_named_and_what_customers_write_is_text(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, _ = await a_life(store)
    ticket = await open_ticket(store, number)
    await store.write(messages.customer_says, ticket, text="<script>alert(1)</script>")
    monkeypatch.setattr(parcels, "BYTES_MAX", 3)
    found = await store.read(parcels.of, number)
    assert [one.content for one in found.files] == [None]
    page = parcel.page(words("en"), found, ZONE, AT)
    assert "1 file was too large" in page
    assert "<script>alert" not in page


async def test_nothing_open_forgets_in_a_minute_and_the_books_stand(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    minh = await agent_of(store, shop)
    await store.write(handling.close, await open_ticket(store, number), minh)
    asked = await store.write(erasures.ask, number, shop)
    assert not asked.held_up
    assert (await store.write(erasures.ask, number, shop)).id == asked.id
    assert await store.write(erasures.erase_due) == 0
    clock.advance(erasures.GRACE)
    assert await store.write(erasures.erase_due) == 1
    everything = await store.read(words_of)
    for word in (NAME, PHONE, SAID, "bad cake"):
        assert word not in everything, word
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []
    assert await store.write(erasures.erase_due) == 0


async def test_what_is_open_goes_first_and_the_law_s_day_comes_anyway(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    minh = await agent_of(store, shop)
    ticket = await open_ticket(store, number)
    lost = await store.read(erasures.consequences, number)
    assert (lost.points, lost.open.tickets) == (85, (ticket,))
    asked = await store.write(erasures.ask, number, shop)
    assert asked.held_up
    assert asked.done_by == asked.asked_at + timedelta(days=20)
    assert [one.id for one in await store.read(erasures.waiting, shop)] == [asked.id]
    await store.write(erasures.answer, asked.id, minh, shop)
    await store.write(erasures.answer, asked.id, minh, shop)
    told = await store.read(
        lambda s: s.execute(sa.select(NoticeRow.params).where(NoticeRow.kind == "erasure_answered")).scalars().all()
    )
    assert [one["tickets"] for one in told] == [[ticket]]
    clock.advance(timedelta(days=3))
    assert await store.write(erasures.erase_due) == 0
    await store.write(handling.close, ticket, minh)
    clock.advance(erasures.GRACE)
    assert await store.write(erasures.erase_due) == 1
    with pytest.raises(erasures.ErasureStateError):
        await store.write(erasures.carry_out, asked.id, minh, shop)


async def test_on_the_twentieth_day_it_is_done_whatever_is_open(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    await store.write(erasures.ask, number, shop)
    clock.advance(timedelta(days=20) - timedelta(seconds=1))
    assert await store.write(erasures.erase_due) == 0
    clock.advance(timedelta(seconds=1))
    assert await store.write(erasures.erase_due) == 1
    assert NAME not in await store.read(words_of)


async def test_an_order_begun_in_the_last_minute_goes_first_and_a_no_takes_it_back(
    store: Store, clock: SetClock
) -> None:
    number, shop = await a_life(store)
    minh = await agent_of(store, shop)
    await store.write(handling.close, await open_ticket(store, number), minh)
    await store.write(erasures.ask, number, shop)
    await store.write(orders.put, shop, "A2", OrderInput(20_000, "VND", AT, Status.PENDING, phone=PHONE))
    clock.advance(erasures.GRACE)
    assert await store.write(erasures.erase_due) == 1
    waiting = await store.read(erasures.of_customer, number)
    assert waiting is not None
    assert waiting.held_up
    assert await store.write(erasures.withdraw, number)
    assert not await store.write(erasures.withdraw, number)
    clock.advance(timedelta(days=30))
    assert await store.write(erasures.erase_due) == 0
    assert NAME in await store.read(words_of)


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-11-20T03:00", "2026-11-25T17:00"),  # Friday: Monday, Wednesday (24/11 is a holiday)
        ("2026-11-21T03:00", "2026-11-25T17:00"),  # Saturday
        ("2026-12-30T03:00", "2027-01-04T17:00"),  # Thursday 31, New Year, the weekend, Monday
        ("2026-11-23T17:30", "2026-11-26T17:00"),  # half past midnight on Tuesday here
    ],
)
def test_working_days_skip_weekends_and_holidays(at: str, end: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert erasures.working_days(moment, 2, ZONE) == datetime.fromisoformat(end).replace(tzinfo=UTC)


async def test_a_look_is_in_the_audit_once_a_day(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    minh, key = f"staff:{(await agent_of(store, shop)).id}", "key:1"
    assert not await store.read(accesses.noted, minh, number)
    assert await store.write(accesses.note, minh, number, shop, "desk")
    assert not await store.write(accesses.note, minh, number, shop, "console")
    assert await store.read(accesses.noted, minh, number)
    assert await store.write(accesses.note, key, number, shop, "api")
    clock.advance(timedelta(days=1))
    assert await store.write(accesses.note, minh, number, shop, "console")
    assert [line["place"] for line in await lines(store, "customer_seen")] == ["desk", "api", "console"]


async def test_a_copy_s_file_goes_after_two_days_and_none_is_made_twice(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    content = b"all of it"
    sha = await store.write(media.keep, content, "application/zip")
    await store.write(copies.hand_out, number, "customer", content, shop, sent=True)
    with pytest.raises(copies.TooSoonError):
        await store.read(copies.may, number)
    clock.advance(timedelta(days=2, seconds=1))
    await store.read(copies.may, number)
    await store.write(copies.prune)
    assert "all of it" not in await store.read(words_of)
    again = await store.write(media.keep, content, "application/zip")
    assert again == sha
    await store.write(copies.hand_out, number, "customer", content, shop, sent=True)
    await store.write(privacy.erase, number, "cli")
    assert "all of it" not in await store.read(words_of)


async def pruned(store: Store) -> None:
    while await store.write(retention.prune):
        pass


async def test_each_kind_ends_after_its_months_and_the_audit_counts(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    owner = await agent_of(store, shop, everywhere=True)
    ticket = await open_ticket(store, number)
    await pruned(store)
    assert SAID in await store.read(words_of)
    await store.write(retention.change, owner, {"words": 12, "files": 6, "chats": 18})
    clock.advance(timedelta(days=200))
    await pruned(store)
    assert "bad cake" in await store.read(words_of)
    await store.write(handling.close, ticket, owner)
    await pruned(store)
    # Once a night is enough.
    assert "bad cake" in await store.read(words_of)
    clock.advance(timedelta(days=1))
    await pruned(store)
    assert "bad cake" in await store.read(words_of), "it is in the web chat too"
    assert (await store.read(privacy.export, number))["tickets"][0]["messages"][0]["media"] == []
    assert await lines(store, "retention_pruned") == [{"files": 1}]
    clock.advance(timedelta(days=170))
    await pruned(store)
    assert (await lines(store, "retention_pruned"))[-1] == {"words": 1}
    assert (await store.read(privacy.export, number))["tickets"][0]["messages"][0]["text"] == ""
    clock.advance(timedelta(days=200))
    await pruned(store)
    assert (await lines(store, "retention_pruned"))[-1] == {"chats": 3}
    assert "bad cake" not in await store.read(words_of)


async def test_who_may_not_changes_no_period_and_nonsense_is_refused(store: Store) -> None:
    _, shop = await a_life(store)
    owner = await agent_of(store, shop, everywhere=True)
    with pytest.raises(InvalidError):
        await store.write(retention.change, owner, {"words": 0})
    manager = await agent_of(store, shop, Role.MANAGER)
    from store.errors import ForbiddenError

    with pytest.raises(ForbiddenError):
        await store.write(retention.change, manager, {"words": 12})


async def looked(store: Store) -> None:
    while await store.write(inactive.look):
        pass


async def test_who_does_not_come_is_told_and_forgotten_unless_they_do(store: Store, clock: SetClock) -> None:
    number, shop = await a_life(store)
    owner = await agent_of(store, shop, everywhere=True)
    await store.write(handling.close, await open_ticket(store, number), owner)
    back = await store.write(customers.create, name="Huệ", home_shop_id=shop)
    bought = OrderInput(50_000, "VND", clock.now(), Status.COMPLETED, customer_id=back)
    clock.advance(timedelta(days=400))
    await looked(store)
    assert (await store.read(inactive.waiting)).count == 0, "off at first"
    fresh = await store.write(customers.create, name="Mới", home_shop_id=shop)
    assert await store.read(inactive.count, 12) == 2
    with pytest.raises(InvalidError):
        await store.write(inactive.change, owner, 6)
    await store.write(inactive.change, owner, 12)
    await looked(store)
    assert (await store.read(inactive.waiting)).count == 2
    query = sa.select(NoticeRow.customer_id, NoticeRow.params).where(NoticeRow.kind == "inactive_warning")
    told = {row.customer_id: row.params for row in await store.read(lambda s: s.execute(query).all())}
    assert set(told) == {number, back}
    assert (told[number]["months"], told[number]["points"]) == (12, 85)
    # Nobody is told twice, nor forgotten before the day; who buys meanwhile stays.
    clock.advance(timedelta(days=29))
    await looked(store)
    assert not await store.write(inactive.forget_due)
    await store.write(orders.put, shop, "A9", replace(bought, placed_at=clock.now()))
    clock.advance(timedelta(days=1))
    assert await store.write(inactive.forget_due) == 2
    assert not await store.write(inactive.forget_due)
    people = [(await store.read(customers.get, one)).name for one in (number, back, fresh)]
    assert people == ["", "Huệ", "Mới"]
    assert NAME not in await store.read(words_of)
    # Longer months, or none: who was told in vain stays.
    clock.advance(timedelta(days=400))
    await looked(store)
    assert (await store.read(inactive.waiting)).count == 2
    await store.write(inactive.change, owner, 0)
    assert (await store.read(inactive.waiting)).count == 0
