"""Finding: everything at the desk by its words, kept in step by the database itself, and nothing of another shop's."""

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from store import schema, staff
from store.engine import Store
from store.staff import Member, Role
from support import changes, messages, privacy, queue, tickets
from support.answers import articles, finding
from support.answers.articles import Wording
from support.answers.finding import Everything
from support.messages import Source
from support.queue import View


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await store.read(staff.get, await store.write(staff.add, "Minh", Role.AGENT, shop))


async def says(store: Store, person: int, shop: int, text: str, source: Source | None = None) -> int:
    joined = await store.write(tickets.open_or_join, person, shop)
    await store.write(messages.customer_says, joined.ticket.id, text=text, source=source)
    return joined.ticket.id


async def find(store: Store, member: Member, words: str) -> Everything:
    return await store.read(finding.everything, member, words)


async def numbers(store: Store, member: Member, words: str) -> list[int]:
    return [line.ticket.id for line in await store.read(queue.page, member, View.MINE, search=words)]


@pytest.mark.parametrize(
    "words", ["đơn giao trễ", "don giao tre", "GIAO TRỄ", "tre giao", "giao tr", "DH-1042", "dh 1042", "0903 123", "0903123456"]
)  # fmt: skip
async def test_words_are_found_with_marks_or_none(store: Store, shop: int, minh: Member, words: str) -> None:
    lan = await store.write(customers.create, name="Lan Nguyễn", phone="+84903123456")
    other = await store.write(customers.create, name="Bình")
    ticket = await says(store, lan, shop, "Đơn DH-1042 giao trễ quá")
    await says(store, other, shop, "cho hỏi giờ mở cửa")
    assert await numbers(store, minh, words) == [ticket]


async def test_of_each_kind_is_found(store: Store, shop: int, minh: Member) -> None:
    owner = await store.read(staff.get, await store.write(staff.add, "Chủ", Role.OWNER, None))
    lan = await store.write(customers.create, name="Lan Hương", phone="+84903123456")
    ticket = await says(store, lan, shop, "Ly hương thảo bị vỡ khi giao")
    await store.write(messages.note, ticket, minh, "Kho còn ly Hương Thảo, gửi lại", key="n-1")
    wording = Wording({"vi": "Nến hương thảo"}, {"vi": "Đốt mỗi lần **hai giờ**."})
    await store.write(articles.create, shop, wording, owner, publish=True)
    await store.write(articles.create, shop, Wording({"vi": "Hương nháp"}, {"vi": "chưa xong"}), owner)
    found = await find(store, minh, "huong")
    assert [(hit.ticket_id, hit.customer) for hit in found.tickets] == [(ticket, "Lan Hương")]
    assert [(hit.who, hit.excerpt) for hit in found.said] == [
        ("note", "Kho còn ly Hương Thảo, gửi lại"), ("customer", "Ly hương thảo bị vỡ khi giao"),
    ]  # fmt: skip
    assert [(hit.name, hit.ticket_id) for hit in found.people] == [("Lan Hương", ticket)]
    assert [(hit.title, hit.excerpt) for hit in found.articles] == [("Nến hương thảo", "Đốt mỗi lần hai giờ.")]
    assert [hit.name for hit in (await find(store, minh, "0903 123")).people] == ["Lan Hương"]
    assert (await find(store, minh, "thảo")).people == []
    assert await find(store, minh, " #! ") == Everything([], [], [], [])


async def test_another_shop_is_not_found(store: Store, shop: int, minh: Member) -> None:
    far = await store.write(programme.open_shop, "Xa", timezone="Asia/Ho_Chi_Minh", language="vi")
    owner = await store.read(staff.get, await store.write(staff.add, "Chủ", Role.OWNER, None))
    stranger = await store.read(staff.get, await store.write(staff.add, "Xa", Role.AGENT, far))
    lan = await store.write(customers.create, name="Lan Bí", phone="+84903123456")
    ticket = await says(store, lan, shop, "bí mật")
    await store.write(articles.create, shop, Wording({"vi": "Bí"}, {"vi": "bí"}), owner, publish=True)
    for words in ("bí", f"#{ticket}", str(ticket), "0903123456"):
        assert await find(store, stranger, words) == Everything([], [], [], [])
        assert await numbers(store, stranger, words) == []
        assert await numbers(store, owner, words) == [ticket]
    assert (await find(store, owner, "bí")).articles != []


async def test_what_changes_is_found_as_it_is_now(store: Store, shop: int, minh: Member) -> None:
    lan = await store.write(customers.create, name="Lan")
    where = Source("telegram:1", 7, 70)
    ticket = await says(store, lan, shop, "mua bánh", where)
    await store.write(changes.customer_edits, where, text="mua kẹo")
    assert (await find(store, minh, "bánh")).said == []
    assert [hit.excerpt for hit in (await find(store, minh, "kẹo")).said] == ["mua kẹo"]
    huong = await store.write(customers.create, name="Hường")
    await store.write(claims.merge, huong, lan)
    assert await numbers(store, minh, "hường") == [ticket]
    await store.write(privacy.erase, huong, "cli")
    for words in ("kẹo", "hường", "mua"):
        assert await find(store, minh, words) == Everything([], [], [], [])


async def test_what_is_undone_is_not_found(store: Store, shop: int, minh: Member) -> None:
    lan = await store.write(customers.create, name="Lan")
    ticket = await says(store, lan, shop, "một")

    async def undone() -> None:
        async with store.work() as work:
            await work.write(messages.customer_says, ticket, text="hai")
            assert [hit.excerpt for hit in (await work.read(finding.everything, minh, "hai")).said] == ["hai"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await undone()
    assert (await find(store, minh, "hai")).said == []


async def test_words_that_are_no_words_harm_nothing(store: Store, shop: int, minh: Member) -> None:
    lan = await store.write(customers.create, name="Lan")
    for text in (
        "😀🎉",
        "“Đắt” quá… – thật",
        "a" * 4000,
        "http://x.vn/" + "ab" * 1500,
        "ราคาเท่าไหร่",
        "NOT OR AND",
        "x:y*z",
    ):
        await says(store, lan, shop, text)
    for words in ('"', "NOT", "a*", "x:y", "(", "đắt", "😀", "near(a b)", "NULL", "' OR 1=1 --", "\x00", "ราคา" * 20):
        await find(store, minh, words)
        await numbers(store, minh, words)
    assert [hit.excerpt for hit in (await find(store, minh, "dat qua that")).said] == ["“Đắt” quá… – thật"]
    assert len((await find(store, minh, "and or no")).said) == 1


async def test_what_was_there_before_is_found_after_the_migration(database_url: str, store: Store, shop: int) -> None:
    minh = await store.read(staff.get, await store.write(staff.add, "Minh", Role.AGENT, shop))
    lan = await store.write(customers.create, name="Lan")
    await says(store, lan, shop, "từ trước")
    await schema.migrate(store, "0002")
    await schema.migrate(store)
    assert [hit.excerpt for hit in (await find(store, minh, "từ trước")).said] == ["từ trước"]


async def test_the_index_holds_each_row_once(store: Store, shop: int, minh: Member) -> None:
    lan = await store.write(customers.create, name="Lan")
    for _ in range(3):
        ticket = await says(store, lan, shop, "lặp lại")
    hits = await store.read(
        lambda s: s.execute(finding._rows(s, "search_messages", [shop], finding.wanted("lặp lại"))).scalars().all()
    )
    assert len(hits) == len(set(hits)) == 3
    about = await store.read(
        lambda s: s.execute(finding._rows(s, "search_tickets", [shop], finding.wanted("lặp"))).scalars().all()
    )
    assert about == [ticket]
    if store.shared:
        return
    # FTS5 proves its own tables.
    await store.write(
        lambda s: s.execute(sa.text("INSERT INTO search_messages (search_messages) VALUES ('integrity-check')"))
    )


def test_an_excerpt_shows_the_words() -> None:
    text = "đầu " * 60 + "chỗ Này đây " + "cuối " * 60
    part = finding.excerpt(text, ("nay",))
    assert "chỗ Này đây" in part
    assert part.startswith("…")
    assert part.endswith("…")
    assert finding.excerpt("ngắn  thôi\nnhé", ("x",)) == "ngắn thôi nhé"
