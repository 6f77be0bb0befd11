"""Articles and macros: versions that nobody overwrites, Markdown that runs nothing, macros that do all or nothing."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import points
from store import staff
from store.audit import AuditRow
from store.clock import SetClock
from store.engine import Store
from store.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from store.staff import Member, Role
from support import handling, messages, tags, thread, tickets
from support.answers import applying, articles, asking, macros, rendering, suggesting
from support.answers.articles import ArticleChangedError, Look, Wording
from support.answers.macros import Action, Do, Draft, For
from support.routing import teams

HOURS = Wording({"vi": "Giờ mở cửa"}, {"vi": "7:00 đến 22:30."}, ("mấy giờ đóng cửa",))


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone="Asia/Ho_Chi_Minh", language="vi")


async def hired(store: Store, name: str, role: Role, shop: int | None) -> Member:
    return await store.read(staff.get, await store.write(staff.add, name, role, shop))


@pytest.fixture
async def owner(store: Store, shop: int) -> Member:
    return await hired(store, "Chủ", Role.OWNER, shop)


@pytest.fixture
async def minh(store: Store, shop: int) -> Member:
    return await hired(store, "Minh", Role.AGENT, shop)


@pytest.fixture
async def ticket(store: Store, shop: int) -> int:
    lan = await store.write(customers.create, name="Nguyễn Thị Lan")
    joined = await store.write(tickets.open_or_join, lan, shop)
    await store.write(messages.customer_says, joined.ticket.id, text="quán đóng cửa lúc mấy giờ ạ")
    return joined.ticket.id


async def said(store: Store, ticket: int, member: Member) -> list[tuple[str, str]]:
    lines = await store.read(thread.page, ticket, member)
    return [(line.who, line.text) for line in lines if isinstance(line, thread.Message)][1:]


# ── Articles ───────────────────────────────────────────────────────────────────────────────────────


async def test_customers_read_what_is_published_until_the_next_is(store: Store, shop: int, owner: Member) -> None:
    number = await store.write(articles.create, shop, HOURS, owner)
    assert await store.read(articles.published, shop) == []
    await store.write(articles.show, number, owner, 1)
    later = Wording({"vi": "Giờ mở cửa"}, {"vi": "8:00 đến 22:30."})
    saved = await store.write(articles.save, number, later, owner, based_on=1)
    assert (saved.version, saved.look) == (2, Look.CHANGED)
    assert [one.wording.bodies["vi"] for one in await store.read(articles.published, shop)] == ["7:00 đến 22:30."]
    await store.write(articles.show, number, owner, 2)
    assert [one.wording.bodies["vi"] for one in await store.read(articles.published, shop)] == ["8:00 đến 22:30."]
    # The way back: the old wording is a version of its own.
    await store.write(articles.restore, number, 1, owner)
    history = await store.read(articles.history, number, owner)
    assert [(one.number, one.by, one.wording.bodies["vi"]) for one in history] == [
        (3, "Chủ", "7:00 đến 22:30."), (2, "Chủ", "8:00 đến 22:30."), (1, "Chủ", "7:00 đến 22:30."),
    ]  # fmt: skip
    await store.write(articles.show, number, owner, None)
    assert (await store.read(articles.get, number, owner)).look is Look.DRAFT
    await store.write(articles.discard, number, owner)
    assert await store.read(articles.every, shop) == []


async def test_of_two_who_save_at_once_nobody_is_overwritten(store: Store, shop: int, owner: Member) -> None:
    number = await store.write(articles.create, shop, HOURS, owner)
    wordings = [Wording({"vi": f"Giờ {n}"}, {"vi": "x"}) for n in range(4)]
    found = await asyncio.gather(
        *(store.write(articles.save, number, one, owner, based_on=1) for one in wordings), return_exceptions=True
    )
    assert sum(isinstance(one, ArticleChangedError) for one in found) == 3
    assert [one.number for one in await store.read(articles.history, number, owner)] == [2, 1]
    # The same words again make no version.
    newest = (await store.read(articles.get, number, owner)).wording
    assert (await store.write(articles.save, number, newest, owner, based_on=1)).version == 2


async def test_what_no_article_can_be(store: Store, shop: int, owner: Member, minh: Member) -> None:
    for field, wording in {
        "title_vi": Wording(), "body_en": Wording({"en": "Hours"}), "title_en": Wording(bodies={"en": "x"}),
        "body_vi": Wording({"vi": "x"}, {"vi": "y" * 6_001}), "asked": Wording({"vi": "x"}, {"vi": "y"}, ["z" * 2_001]),
    }.items():  # fmt: skip
        with pytest.raises(InvalidError) as refused:
            await store.write(articles.create, shop, wording, owner)
        assert refused.value.field == field
    with pytest.raises(ForbiddenError):
        await store.write(articles.create, shop, HOURS, minh)
    number = await store.write(articles.create, shop, HOURS, owner, publish=True)
    with pytest.raises(ConflictError):
        await store.write(articles.discard, number, owner)
    other = await store.write(programme.open_shop, "Xa", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await hired(store, "Lạ", Role.OWNER, other)
    for rule, args in (
        (articles.save, (HOURS, stranger)),
        (articles.show, (stranger, None)),
        (articles.discard, (stranger,)),
    ):
        with pytest.raises(NotFoundError):
            await store.write(rule, number, *args, **({"based_on": 1} if rule is articles.save else {}))
    assert await store.read(
        lambda s: (
            s.execute(sa.select(AuditRow.action).where(AuditRow.action.like("article%")).order_by(AuditRow.id))
            .scalars()
            .all()
        )
    ) == ["article_created", "article_shown"]


@pytest.mark.parametrize(
    ("written", "page", "chat"),
    [
        ("**a** <script>x</script>", "<p><strong>a</strong> &lt;script&gt;x&lt;/script&gt;</p>", "<b>a</b> &lt;script&gt;x&lt;/script&gt;"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>", "[a](javascript:alert(1))"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>", "[a](data:text/html,x)"),
        ("[bản đồ](https://x.vn/?a=1&b=2)", '<p><a href="https://x.vn/?a=1&amp;b=2" rel="noopener nofollow" target="_blank">bản đồ</a></p>',
         '<a href="https://x.vn/?a=1&b=2">bản đồ</a>'),
        ("[gọi](tel:0903123456)", '<p><a href="tel:0903123456" rel="noopener nofollow" target="_blank">gọi</a></p>', "gọi (0903123456)"),
        ('[a](https://x.vn/"onclick="x)', None, '<a href="https://x.vn/%22onclick=%22x">a</a>'),
        ("# T\n\n- một\n- hai\n\n1. ba", None, "<b>T</b>\n\n• một\n• hai\n\n1. ba"),
        ("a & b < c", "<p>a &amp; b &lt; c</p>", "a &amp; b &lt; c"),
    ],
)  # fmt: skip
def test_markdown_runs_nothing(written: str, page: str | None, chat: str) -> None:
    assert rendering.chat(written) == chat
    if page is not None:
        assert str(rendering.page(written)).strip() == page


def test_a_long_article_ends_with_a_whole_paragraph() -> None:
    assert rendering.chat("một\n\nhai\n\n" + "ba " * 400, limit=60) == "một\n\nhai\n\n…"


async def test_what_found_nothing_is_listed_by_what_it_asks(
    store: Store, shop: int, owner: Member, clock: SetClock
) -> None:
    await store.write(articles.create, shop, HOURS, owner, publish=True)
    lan, binh = await store.write(customers.create, name="Lan"), await store.write(customers.create, name="Bình")
    for person, text in (
        (lan, "quán có phòng họp không"),
        (binh, "co phong hop ko?"),
        (lan, "có bán hạt cà phê không"),
    ):
        assert await store.write(asking.answer, person, shop, text, "vi") is None
    found = await store.write(asking.answer, binh, shop, "đóng cửa lúc mấy giờ vậy", "en")
    assert found is not None
    assert (found.title, found.body) == ("Giờ mở cửa", "7:00 đến 22:30.")
    assert await store.write(asking.helped, found.question_id, binh, yes=False) == "đóng cửa lúc mấy giờ vậy"
    assert await store.write(asking.helped, found.question_id, binh, yes=True) is None
    gaps = await store.read(asking.gaps, shop)
    assert [(gap.text, gap.times, gap.people, gap.unhelped) for gap in gaps] == [
        ("co phong hop ko?", 2, 2, 0), ("đóng cửa lúc mấy giờ vậy", 1, 1, 1), ("có bán hạt cà phê không", 1, 1, 0),
    ]  # fmt: skip
    assert (await store.read(asking.scores, shop))[found.article_id] == asking.Score(1, 0, 1)
    assert await store.write(asking.put_aside, shop, owner, gaps[0].key) == 2
    assert len(await store.read(asking.gaps, shop)) == 2
    await store.write(claims.merge, lan, binh)
    assert len(await store.read(asking.record, lan)) == 4
    clock.advance(timedelta(days=91))
    assert await store.read(asking.gaps, shop) == []


# ── Macros ─────────────────────────────────────────────────────────────────────────────────────────

SORRY = Draft(
    "Xin lỗi giao trễ",
    {"vi": "Dạ {name} ơi, {agent} của {shop} xin lỗi về {ticket}. {name} có {points} điểm.", "en": "Sorry, {name}!"},
    (Action(Do.RESOLVE), Action(Do.TAG, "giao trễ"), Action(Do.PRIORITY, "high"), Action(Do.TOPIC, "order"), Action(Do.ASSIGN, "me")),
)  # fmt: skip


async def test_a_macro_is_shown_before_it_is_applied_once(
    store: Store, shop: int, owner: Member, minh: Member, ticket: int, clock: SetClock
) -> None:
    lan = (await store.read(tickets.get, ticket)).customer_id
    await store.write(
        points.earn, "k", "earn", customer_id=lan, shop_id=shop, points=1234, expires_at=clock.now() + timedelta(days=9)
    )
    number = await store.write(macros.create, shop, SORRY, owner)
    shown = await store.read(applying.preview, number, ticket, minh)
    text = f"Dạ bạn Lan ơi, Minh của Phố Cafe xin lỗi về #{ticket}. bạn Lan có 1.234 điểm."
    assert shown.text == text
    assert [(action.do.value, meant) for action, meant in shown.actions] == [
        ("tag", "giao trễ"), ("topic", "order"), ("priority", "high"), ("assign", "Minh"), ("resolve", ""),
    ]  # fmt: skip
    assert await said(store, ticket, minh) == []
    first = await store.write(applying.apply, number, ticket, minh, key="key-00001")
    assert first == await store.write(applying.apply, number, ticket, minh, key="key-00001")
    assert await said(store, ticket, minh) == [("agent", text)]
    now = await store.read(tickets.get, ticket)
    assert (now.state, now.priority, now.topic, now.assignee_id) == ("resolved", "high", "order", minh.id)
    assert await store.read(tags.of, [ticket]) == {ticket: ["giao trễ"]}
    lines = await store.read(thread.page, ticket, minh)
    assert [one.data["name"] for one in lines if isinstance(one, thread.Happened) and one.kind == "macro"] == [
        "Xin lỗi giao trễ"
    ]
    assert [(one.name, used) for one, used in await store.read(macros.kept, shop, owner)] == [("Xin lỗi giao trễ", 1)]


async def test_of_a_macro_all_is_done_or_nothing(
    store: Store, shop: int, owner: Member, minh: Member, ticket: int
) -> None:
    draft = Draft("Chờ", {"vi": "Chờ em nhé"}, (Action(Do.TAG, "chờ"), Action(Do.ASSIGN, str(owner.id))))
    number = await store.write(macros.create, shop, draft, owner)
    await store.write(handling.claim, ticket, await hired(store, "Hoa", Role.AGENT, shop))
    with pytest.raises(handling.TakenError):
        await store.write(applying.apply, number, ticket, minh, key="key-00001")
    assert await said(store, ticket, minh) == []
    assert await store.read(tags.of, [ticket]) in ({}, {ticket: []})
    mute = await store.write(
        macros.create, shop, Draft("Gắn thẻ", {}, (Action(Do.TAG, "vip"), Action(Do.SNOOZE, "2d"))), owner
    )
    assert await store.write(applying.apply, mute, ticket, minh, key="key-00002") is None
    assert (await store.read(tickets.get, ticket)).state == "snoozed"


async def test_the_same_key_at_the_same_instant_applies_once(
    store: Store, shop: int, owner: Member, minh: Member, ticket: int
) -> None:
    number = await store.write(macros.create, shop, Draft("Chào", {"vi": "Chào {name}"}), owner)
    await asyncio.gather(*(store.write(applying.apply, number, ticket, minh, key="key-00001") for _ in range(5)))
    assert await said(store, ticket, minh) == [("agent", "Chào bạn Lan")]
    assert (await store.read(macros.kept, shop, owner))[0][1] == 1


async def test_who_sees_which_macro(store: Store, shop: int, owner: Member, minh: Member, ticket: int) -> None:
    hoa = await hired(store, "Hoa", Role.AGENT, shop)
    team = await store.write(teams.save, owner, shop, None, name="Giao hàng", everyone=False, listed=[hoa.id])
    for name, member, seen_by in (("Chung", owner, For.ALL), ("Đội", owner, For.TEAM), ("Riêng", minh, For.OWN)):
        team_id = team if seen_by is For.TEAM else None
        await store.write(macros.create, shop, Draft(name, {"vi": "x"}, (), seen_by, team_id), member)
    seen = {
        one: [m.name for m in await store.read(macros.visible, shop, who)]
        for one, who in (("minh", minh), ("hoa", hoa))
    }
    assert seen == {"minh": ["Chung", "Riêng"], "hoa": ["Chung", "Đội"]}
    own = next(m for m in await store.read(macros.visible, shop, minh) if m.name == "Riêng")
    for who in (hoa, owner):
        with pytest.raises(NotFoundError):
            await store.read(applying.preview, own.id, ticket, who)
        with pytest.raises(NotFoundError):
            await store.write(macros.remove, own.id, who)
    with pytest.raises(ForbiddenError):
        await store.write(macros.create, shop, Draft("Của ai", {"vi": "x"}), minh)
    assert [m.name for m, _ in await store.read(macros.kept, shop, owner)] == ["Chung", "Đội"]
    assert [m.name for m, _ in await store.read(macros.kept, shop, minh)] == ["Riêng"]
    far = await store.write(programme.open_shop, "Xa", timezone="Asia/Ho_Chi_Minh", language="vi")
    stranger = await hired(store, "Lạ", Role.AGENT, far)
    with pytest.raises(NotFoundError):
        await store.read(applying.preview, own.id, ticket, stranger)
    with pytest.raises(ForbiddenError):
        await store.read(macros.visible, shop, stranger)


@pytest.mark.parametrize(
    ("field", "draft"),
    [
        ("name", Draft(" ", {"vi": "x"})), ("name", Draft("x" * 61, {"vi": "x"})), ("text_vi", Draft("x", {})),
        ("text_vi", Draft("x", {"vi": "Chào {tên}"})), ("text_en", Draft("x", {"en": "y" * 2_001})),
        ("tag", Draft("x", {}, (Action(Do.TAG, " "),))), ("topic", Draft("x", {}, (Action(Do.TOPIC, "nope"),))),
        ("priority", Draft("x", {}, (Action(Do.PRIORITY, "panic"),))), ("snooze", Draft("x", {}, (Action(Do.SNOOZE, "never"),))),
        ("assign", Draft("x", {}, (Action(Do.ASSIGN, "999"),))), ("team", Draft("x", {"vi": "x"}, (), For.TEAM, 9)),
        ("resolve", Draft("x", {}, (Action(Do.SNOOZE, "2d"), Action(Do.RESOLVE)))),
    ],
)  # fmt: skip
async def test_what_no_macro_can_be(store: Store, shop: int, owner: Member, field: str, draft: Draft) -> None:
    with pytest.raises(InvalidError) as refused:
        await store.write(macros.create, shop, draft, owner)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("xin lỗi giao trễ", "Xin lỗi giao trễ"), ("xin loi", "Xin lỗi giao trễ"), ("chao khcah", "Chào khách"), ("ch", None), ("", None), ("chào", None)],
)  # fmt: skip
async def test_a_macro_by_its_name(
    store: Store, shop: int, owner: Member, minh: Member, ticket: int, typed: str, meant: str | None
) -> None:
    for name in ("Xin lỗi giao trễ", "Chào khách", "Chào buổi sáng"):
        await store.write(macros.create, shop, Draft(name, {"vi": "x"}), owner)
    found = await store.read(applying.named, ticket, minh, typed)
    assert (found and found.name) == meant


async def test_what_fits_the_last_words_is_suggested(
    store: Store, shop: int, owner: Member, minh: Member, ticket: int
) -> None:
    await store.write(articles.create, shop, HOURS, owner, publish=True)
    for name, text in (("Báo giờ đóng cửa", "Quán đóng cửa lúc 22:30 ạ"), ("Xin lỗi", "Em xin lỗi ạ")):
        await store.write(macros.create, shop, Draft(name, {"vi": text}), owner)
    found = await store.read(suggesting.suggest, ticket, minh)
    assert [one.name for one in found.macros] == ["Báo giờ đóng cửa"]
    assert [(one.title, one.text) for one in found.articles] == [("Giờ mở cửa", "7:00 đến 22:30.")]
