"""A customer's own copy of everything, and being forgotten: no word of them stays, and the books still stand."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.orders import orders
from loyalty.orders.orders import OrderInput, Status
from loyalty.points import ledger, points
from store import erasure, inbox, media, notices, schema, staff, webchat
from store.engine import Store
from store.errors import NotFoundError
from store.media import File
from store.outbox import Call, put
from support import messages, privacy, tickets

AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
NAME, PHONE, SAID = "Nguyễn Thị Lan", "+84903123456", "Món này dở quá"


async def a_life(store: Store) -> tuple[int, int]:
    """A shop and a customer with an order, a chat, a ticket with a picture and an answer, a guest merged in."""
    shop = await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")
    agent = await store.read(staff.get, await store.write(staff.add, "Minh Anh", staff.Role.AGENT, shop))
    await store.write(
        orders.put, shop, "A1", OrderInput(85_000, "VND", AT, Status.COMPLETED, phone=PHONE, name="Chị Lan khách")
    )
    chat = await store.write(webchat.open_chat, "vi")
    person = await store.write(customers.meet, "web", chat, chat, name=NAME, language="vi", shop_id=shop)
    claimed = await store.write(claims.prove_phone, person.customer_id, PHONE)
    number = claimed.customer_id
    await store.write(customers.change, number, birthday=date(1990, 9, 2), address="chi")
    await store.write(inbox.record_done, "web", "k1", chat, f'{{"text": "{SAID}"}}')
    await store.write(lambda session: put(session, [Call(9, "web", chat, "sendMessage", f'{{"text": "Chào {NAME}"}}')]))
    sha = await store.write(media.keep, b"a picture of a bad cake", "image/jpeg")
    shared = await store.write(media.keep, b"everybody's menu", "image/jpeg")
    await store.write(webchat.add, chat, "me", text=SAID, media=[{"kind": "photo", "sha": sha}])
    elsewhere = await store.write(webchat.open_chat, "vi")
    await store.write(webchat.add, elsewhere, "shop", text="Menu", media=[{"kind": "photo", "sha": shared}])
    await store.write(webchat.add, chat, "shop", text="Menu", media=[{"kind": "photo", "sha": shared}])
    joined = await store.write(tickets.open_or_join, number, shop)
    await store.write(messages.customer_says, joined.ticket.id, text=SAID, files=[File("photo", sha=sha)])
    await store.write(messages.agent_says, joined.ticket.id, agent, f"Dạ em xin lỗi {NAME}", key="1")
    await store.write(messages.note, joined.ticket.id, agent, f"{NAME} là khách quen", key="2")
    await store.write(notices.tell, "referral_referrer", customer_id=None, staff_id=agent.id, friend=NAME)
    return number, shop


def words_of(session: Any) -> str:
    """All that stands in the database, as one text."""
    said = []
    for table in schema.metadata().sorted_tables:
        for row in session.execute(sa.select(table)):
            said += [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(said)


async def test_the_copy_holds_everything_and_no_notes(store: Store) -> None:
    number, _ = await a_life(store)
    told = await store.read(privacy.export, number)
    assert set(told) == {
        "customer", "identities", "orders", "ledger", "vouchers", "tickets", "consents", "deliveries", "journeys",
        "recognition", "questions", "surveys", "care",
    }  # fmt: skip
    assert (told["customer"]["phone"], told["customer"]["birthday"]) == (PHONE, "1990-09-02")
    assert told["orders"][0]["external_id"] == "A1"
    assert sum(line["points"] for line in told["ledger"]) == told["customer"]["points"]["available"] == 85
    assert told["identities"][0]["account"] == "web"
    [ticket] = told["tickets"]
    assert [(line["from"], line["text"]) for line in ticket["messages"]] == [
        ("customer", SAID), ("agent", f"Dạ em xin lỗi {NAME}"),
    ]  # fmt: skip
    assert ticket["messages"][0]["media"][0]["kind"] == "photo"
    with pytest.raises(NotFoundError):
        await store.read(privacy.export, 999)


async def test_who_is_erased_leaves_no_word_and_sound_books(store: Store) -> None:
    number, shop = await a_life(store)
    before = await store.read(points.balances, number)
    await store.write(privacy.erase, number, "cli")
    everything = await store.read(words_of)
    for word in (NAME, "nguyen thi lan", "Chị Lan", PHONE, PHONE[1:], SAID, "mon nay do", "1990-09-02", "bad cake"):
        assert word not in everything, word
    assert "everybody's menu" in everything
    assert await store.read(points.balances, number) == before
    assert await store.read(ledger.check) == []
    assert await store.read(points.check) == []
    assert (await store.read(privacy.export, number))["identities"] == []
    assert "customer.erase" in everything
    # Their number is free: who buys with it from now on is somebody new.
    state = await store.write(orders.put, shop, "A2", OrderInput(20_000, "VND", AT, Status.COMPLETED, phone=PHONE))
    assert state.customer_id != number
    await store.write(privacy.erase, number, "cli")


async def test_nothing_stays_in_the_free_space_of_the_file(sqlite_url: str, tmp_path: Path) -> None:
    from store.engine import open_store

    store = open_store(sqlite_url)
    number, _ = await a_life(store)
    path = Path(sqlite_url.partition("///")[2])
    assert PHONE.encode() in b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))
    await store.write(privacy.erase, number, "cli")
    erasure.scrub(str(path))
    left = b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))
    for word in (NAME, PHONE, SAID, "bad cake"):
        assert word.encode() not in left, word
    await store.close()
