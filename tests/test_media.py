"""Files: fetched by the worker, kept once under their content's address, tried again where they can't be had now."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from sqlalchemy.orm import Session

from store import media
from store.base import raw
from store.clock import SetClock
from store.engine import Store, open_store
from store.media import File
from tests.botapi import Person
from tests.running import Running, running

ACCOUNT = "telegram:42"


def a_picture(colour: str = "teal", kind: str = "PNG") -> bytes:
    made = BytesIO()
    Image.new("RGB", (64, 48), colour).save(made, kind)
    return made.getvalue()


@pytest.fixture
async def shop(sqlite_url: str, clock: SetClock) -> AsyncIterator[Running]:
    async with running(sqlite_url, clock=clock) as started:
        yield started


async def opened(shop: Running) -> Person:
    """A customer about to tell what is wrong."""
    lan = shop.api.user(language_code="en")
    await lan.start()
    await lan.wait_for(lambda _message: len(lan.inbox) == 2)
    await lan.send("/support")
    await lan.wait_for(lambda message: "reply_markup" in message)
    return lan


def attachments(session: Session) -> list[tuple[Any, ...]]:
    rows = raw(session, "SELECT state, sha, mime, width, height, size, attempts FROM attachments ORDER BY id")
    return [tuple(row) for row in rows]


async def in_states(store: Store, *states: str) -> list[tuple[Any, ...]]:
    """The attachments, once they are in these states."""
    async with asyncio.timeout(5):
        while True:
            found = await store.read(attachments)
            if [row[0] for row in found] == list(states):
                return found
            await asyncio.sleep(0.01)


def wake(store: Store) -> None:
    """Have the worker look now: its own look comes each second."""
    store.hub.publish(["fetch"])


async def test_a_photo_is_fetched_and_kept_as_its_bytes_show_it(database_url: str, clock: SetClock) -> None:
    async with running(database_url, clock=clock) as shop:
        lan = await opened(shop)
        picture = a_picture()
        await lan.send_photo(picture, caption="It came like this")
        await lan.wait_for(lambda message: "#" in message["text"])
        [row] = await in_states(shop.store, "stored")
        assert row == ("stored", media.address(picture), "image/png", 64, 48, len(picture), 0)
        kept = await shop.store.read(media.load, media.address(picture))
        assert (kept.content, kept.mime) == (picture, "image/png")


async def test_the_same_bytes_are_kept_once(shop: Running) -> None:
    lan, minh = await opened(shop), await opened(shop)
    picture = a_picture()
    for person in (lan, minh):
        await person.send_photo(picture)
        await person.wait_for(lambda message: "#" in message["text"])
    await lan.send_document(a_picture("plum"), "plum.png", mime="image/png")
    rows = await in_states(shop.store, "stored", "stored", "stored")
    assert rows[0][1] == rows[1][1] != rows[2][1]
    assert (await shop.store.read(lambda session: raw(session, "SELECT count(*) FROM media")))[0][0] == 2


async def test_replicas_that_keep_the_same_bytes_at_once_keep_them_once(postgres_url: str, clock: SetClock) -> None:
    stores = [open_store(postgres_url, clock) for _ in range(3)]
    try:
        for number in range(5):
            content = f"picture {number}".encode()
            found = await asyncio.gather(*(each.write(media.keep, content, "image/png") for each in stores))
            assert set(found) == {media.address(content)}
        assert (await stores[0].read(lambda session: raw(session, "SELECT count(*) FROM media")))[0][0] == 5
    finally:
        for each in stores:
            await each.close()


async def test_bytes_that_are_no_picture_are_kept_as_they_were_told(shop: Running) -> None:
    lan = await opened(shop)
    await lan.send_document(b"\x89PNG\r\n\x1a\nbut no picture", "receipt.pdf", mime="application/pdf")
    [row] = await in_states(shop.store, "stored")
    assert row[2:5] == ("application/pdf", None, None)


async def test_a_file_said_to_be_too_big_is_not_asked_for(shop: Running) -> None:
    lan = await opened(shop)
    message = await lan.send_document(b"x", "film.mp4")
    await lan.wait_for(lambda message: "#" in message["text"])
    await in_states(shop.store, "stored")
    asked = len(shop.api.calls_of("getFile"))
    big = File("video", size=media.BYTES_MAX + 1, account=ACCOUNT, file_id=message["document"]["file_id"])
    await shop.store.write(media.attach, big)
    await in_states(shop.store, "stored", "too_big")
    assert len(shop.api.calls_of("getFile")) == asked


@pytest.mark.parametrize("told_by", ["Telegram", "its bytes"])
async def test_a_file_that_turns_out_too_big_is_given_up_at_once(
    shop: Running, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    content = b"x" * (media.BYTES_MAX + 1 if told_by == "Telegram" else 1000)
    stored = shop.api.world.files.keep("document", content)
    if told_by == "its bytes":
        monkeypatch.setattr(media, "BYTES_MAX", 999)
    await shop.store.write(media.attach, File("document", account=ACCOUNT, file_id=stored.id))
    [row] = await in_states(shop.store, "too_big")
    assert row[1] is None
    assert (await shop.store.read(lambda session: raw(session, "SELECT count(*) FROM media")))[0][0] == 0


async def test_what_cannot_be_had_now_is_tried_again_later_and_holds_up_nothing(shop: Running, clock: SetClock) -> None:
    lan = await opened(shop)
    shop.api.fault("getFile", times=2, kind="500")
    await lan.send_photo(a_picture())
    async with asyncio.timeout(5):
        while (await shop.store.read(attachments))[-1:] == [] or (await shop.store.read(attachments))[0][6] < 1:
            await asyncio.sleep(0.01)
    wake(shop.store)
    await lan.send_photo(a_picture("plum"))  # takes the second fault
    async with asyncio.timeout(5):
        while [row[6] for row in await shop.store.read(attachments)] != [1, 1]:
            await asyncio.sleep(0.01)
    await lan.send_photo(a_picture("gold"))
    await in_states(shop.store, "waiting", "waiting", "stored")
    clock.advance(timedelta(seconds=1))
    wake(shop.store)
    await in_states(shop.store, "stored", "stored", "stored")


async def test_a_file_is_asked_for_over_hours_before_it_is_given_up(store: Store, clock: SetClock) -> None:
    began = clock.now()
    number = await store.write(media.attach, File("photo", account=ACCOUNT, file_id="gone"), "desk:1")
    told = asyncio.Event()
    with store.hub.call("desk:1", told.set):
        waits = []
        step = timedelta(seconds=1)
        while (await store.read(attachments))[0][0] == "waiting":
            if await store.read(media.to_fetch, ACCOUNT):
                waits.append(clock.now() - began)
                await store.write(media.not_fetched, number)
            clock.advance(step)
            step = min(step * 2, timedelta(minutes=5))
        assert (await store.read(attachments))[0][0] == "failed"
        if not store.shared:
            assert told.is_set()
    assert waits[1] - waits[0] <= timedelta(seconds=2)
    assert timedelta(hours=1) < waits[-1] < timedelta(hours=12)


async def test_an_answer_without_a_path_holds_up_no_other_file(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    telegram = shop.app.telegram
    assert telegram is not None
    asked = telegram.call

    async def call(method: str, **params: Any) -> Any:
        return {"file_id": "odd"} if params.get("file_id") == "odd" else await asked(method, **params)

    monkeypatch.setattr(telegram, "call", call)
    good = shop.api.world.files.keep("photo", a_picture())
    await shop.store.write(media.attach, File("photo", account=ACCOUNT, file_id="odd"))
    await shop.store.write(media.attach, File("photo", account=ACCOUNT, file_id=good.id))
    await in_states(shop.store, "waiting", "stored")


async def test_two_workers_fetch_a_file_once(postgres_url: str, clock: SetClock) -> None:
    async with running(postgres_url, clock=clock) as shop:
        from bot.app import App

        store = open_store(postgres_url, clock)
        other = App(shop.settings, store)
        await other.start("worker")
        try:
            stored = shop.api.world.files.keep("photo", a_picture())
            await shop.store.write(media.attach, File("photo", account=ACCOUNT, file_id=stored.id))
            await in_states(shop.store, "stored")
            assert len(shop.api.calls_of("getFile")) == 1
        finally:
            await other.stop()
            await store.close()
