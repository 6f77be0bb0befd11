"""Complaints from their first word to the customer's last: stages, level, the loop, recovery and goodwill."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from loyalty import programme
from loyalty.customers import claims, customers
from loyalty.points import points, proof
from loyalty.points.ledger import KeyConflictError
from loyalty.vouchers import voucher_programs, vouchers
from loyalty.vouchers.voucher_programs import Kind as Gives
from store import staff
from store.audit import AuditRow
from store.base import table
from store.clock import SetClock
from store.engine import Store
from store.errors import ForbiddenError, InvalidError, NotFoundError
from store.notices import NoticeRow
from store.staff import Member, Role
from support import handling, linking, messages, ratings, tickets
from support.complaints import complaints, findings, goodwill, goodwill_book, grading, loop, opening, recovery, terms
from support.complaints.complaints import Complaint, ComplaintOverError, Outcome, Remedy, Stage
from support.complaints.goodwill_book import (
    DecidedError,
    Goodwill,
    MeanwhileError,
    OverLimitError,
    SpentError,
    State,
)
from support.complaints.terms import Limit, Terms

ZONE = "Asia/Ho_Chi_Minh"


@pytest.fixture
async def shop(store: Store) -> int:
    return await store.write(programme.open_shop, "Phố Cafe", timezone=ZONE, language="vi")


@pytest.fixture
async def lan(store: Store, shop: int) -> int:
    return await store.write(customers.create, phone="+84903123456", name="Lan", home_shop_id=shop)


@pytest.fixture
async def team(store: Store, shop: int) -> dict[str, Member]:
    made = {}
    for name, role in (
        ("minh", Role.AGENT), ("hoa", Role.AGENT), ("sup", Role.SUPERVISOR), ("sup2", Role.SUPERVISOR),
        ("boss", Role.OWNER), ("manager", Role.MANAGER),
    ):  # fmt: skip
        made[name] = await store.read(staff.get, await store.write(staff.add, name, role, shop))
    return made


async def complain(store: Store, who: int, text: str = "Ly bị vỡ", topic: str = "complaint") -> int:
    joined = await store.write(tickets.open_or_join, who, 1, topic=topic)
    await store.write(messages.customer_says, joined.ticket.id, text=text)
    return joined.ticket.id


async def of(store: Store, ticket: int) -> Complaint:
    return await store.read(complaints.get, ticket)


async def told(store: Store, kind: str, **to: int) -> list[dict[str, Any]]:
    n = table(NoticeRow).c
    where = [n.kind == kind, n.state == "waiting", *(n[name] == number for name, number in to.items())]
    return [row.params for row in await store.read(lambda s: s.execute(select(n.params).where(*where)).all())]


async def stages(store: Store, ticket: int) -> list[str]:
    e = tickets.ticket_events.c
    rows = await store.read(
        lambda s: s.execute(
            select(e.data).where(e.ticket_id == ticket, e.kind == "complaint_stage").order_by(e.seq)
        ).all()
    )
    return [row.data["stage"] for row in rows]


async def solved(store: Store, ticket: int, member: Member) -> None:
    await store.write(handling.resolve, ticket, member)


async def due(store: Store) -> int:
    return await store.write(loop.ask_due)


# ── It begins ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_complaint_is_received_acknowledged_and_assessed_at_once(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan, "Bánh có tóc, tôi rất bực mình")
    found = await of(store, ticket)
    assert (found.level, [fact.why for fact in found.facts]) == (2, ["hygiene", "tone"])
    assert await stages(store, ticket) == ["received", "acknowledged", "assessed"]
    kept = await store.read(tickets.get, ticket)
    assert (kept.severity, kept.priority) == (2, "high")
    assert len(await told(store, "complaint_received", customer_id=lan)) == 1
    for name in ("sup", "sup2"):
        assert [one["level"] for one in await told(store, "complaint_grave", staff_id=team[name].id)] == [2]
    assert await told(store, "complaint_grave", staff_id=team["minh"].id) == []


async def test_the_gravest_has_a_supervisor_for_its_owner_at_once(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    kept = await store.read(tickets.get, await complain(store, lan, "Uống xong bị ngộ độc"))
    assert (kept.severity, kept.priority, kept.assignee_id) == (1, "urgent", team["sup"].id)


async def test_grave_words_make_a_complaint_of_another_topic_and_lesser_ones_do_not(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan, "Ly bị vỡ", topic="order")
    assert await store.read(complaints.find, ticket) is None
    await store.write(messages.customer_says, ticket, text="mà nhân viên thái độ quá")
    assert (await of(store, ticket)).origin == "words"
    # A colleague says so, of any.
    hung = await store.write(customers.create, phone="+84903123457", name="Hùng", home_shop_id=1)
    other = await complain(store, hung, "Ly bị vỡ", topic="order")
    assert (await store.write(opening.mark, other, team["minh"])).level == 3
    with pytest.raises(InvalidError):
        await store.write(opening.unmark, other, team["minh"], " ")
    await store.write(opening.unmark, other, team["minh"], "Khách hỏi thôi")
    assert (await of(store, other)).outcome == Outcome.MISTAKE
    assert (await store.read(tickets.get, other)).severity is None


async def test_more_words_raise_the_level_but_never_one_that_somebody_set(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan, "Trà hơi nhạt")
    assert (await of(store, ticket)).level == 4
    await store.write(messages.customer_says, ticket, text="với lại giao thiếu một món")
    assert (await of(store, ticket)).level == 3
    with pytest.raises(InvalidError):
        await store.write(grading.relevel, ticket, team["minh"], 4, "")
    await store.write(grading.relevel, ticket, team["minh"], 4, "Món kia khách đã nhận")
    await store.write(messages.customer_says, ticket, text="nhân viên chửi khách")
    found = await of(store, ticket)
    assert (found.level, found.set_by, found.set_reason) == (4, team["minh"].id, "Món kia khách đã nhận")
    row = await store.read(lambda s: s.execute(select(AuditRow.data).where(AuditRow.action == "complaint_level")).one())
    assert (row.data["before"], row.data["after"]) == (3, 4)


async def test_a_second_complaint_within_the_shops_days_begins_one_level_higher(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    first = await complain(store, lan)
    await store.write(handling.close, first, team["minh"])
    clock.advance(timedelta(days=89))
    second = await complain(store, lan)
    found = await of(store, second)
    assert (found.level, found.repeats) == (2, first)
    await store.write(handling.close, second, team["minh"])
    clock.advance(timedelta(days=91))
    assert (await of(store, await complain(store, lan))).level == 3


async def test_what_is_asked_for_and_what_caused_it(store: Store, lan: int, team: dict[str, Member]) -> None:
    ticket = await complain(store, lan, "Ly bị vỡ, đổi ly khác cho mình nhé")
    assert (await of(store, ticket)).remedy == Remedy.REPLACE
    await store.write(findings.seeks, ticket, lan, "refund")
    await store.write(findings.explain, ticket, team["minh"], "Đóng gói sơ sài")
    found = await of(store, ticket)
    assert (found.remedy, found.cause, found.stage) == (Remedy.REFUND, "Đóng gói sơ sài", Stage.INVESTIGATED)
    hung = await store.write(customers.create, phone="+84903123457", name="Hùng", home_shop_id=1)
    with pytest.raises(NotFoundError):
        await store.write(findings.seeks, ticket, hung, "refund")


# ── The loop ────────────────────────────────────────────────────────────────────────────────────────


async def test_after_the_answer_the_customer_is_asked_and_their_word_closes_it(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    ticket = await complain(store, lan)
    await solved(store, ticket, team["minh"])
    assert (await of(store, ticket)).stage == Stage.RESPONDED
    clock.advance(timedelta(days=4, seconds=-1))
    assert await due(store) == 0
    clock.advance(timedelta(seconds=1))
    assert [await due(store), await due(store)] == [1, 0]
    assert len(await told(store, "complaint_check", customer_id=lan)) == 1
    assert (await store.read(loop.awaited, lan)) is not None
    for _ in range(2):  # a double tap
        await store.write(loop.answer, ticket, lan, good=True)
    found = await of(store, ticket)
    assert (found.stage, found.outcome, found.check_at) == (Stage.CLOSED, Outcome.SATISFIED, None)
    assert [one.said for one in await store.read(loop.tries_of, ticket)] == ["asked", "good"]
    clock.advance(timedelta(days=30))
    assert await due(store) == 0


async def test_a_bad_answer_opens_it_again_one_level_higher_and_once(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    ticket = await complain(store, lan)
    await solved(store, ticket, team["minh"])
    clock.advance(timedelta(days=40))  # the ticket itself may be closed by now
    await due(store)
    for _ in range(2):
        await store.write(loop.answer, ticket, lan, good=False)
    found, kept = await of(store, ticket), await store.read(tickets.get, ticket)
    assert (found.level, found.outcome, found.stage, kept.state) == (2, None, Stage.ASSESSED, "open")
    assert len(await told(store, "complaint_again", staff_id=team["minh"].id)) == 1
    # After the next answer everything begins anew.
    await solved(store, ticket, team["minh"])
    clock.advance(timedelta(days=5))
    await due(store)
    await store.write(loop.answer, ticket, lan, good=True)
    assert (await of(store, ticket)).outcome == Outcome.SATISFIED


async def test_it_ends_without_an_answer_only_after_the_shops_tries_each_of_them_logged(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    ticket = await complain(store, lan)
    await solved(store, ticket, team["minh"])
    clock.advance(timedelta(days=4))
    await due(store)
    await store.write(loop.tried, ticket, team["minh"], "call", "nobody", "Chuông reo, không ai nghe")
    for _ in range(2):
        assert (await of(store, ticket)).outcome is None
        clock.advance(timedelta(days=2))
        await due(store)
    assert (await of(store, ticket)).outcome == Outcome.UNANSWERED
    assert [(one.way, one.said) for one in await store.read(loop.tries_of, ticket)] == [
        ("message", "asked"), ("call", "nobody"), ("message", "asked"),
    ]  # fmt: skip
    # Their word counts even then.
    await store.write(loop.answer, ticket, lan, good=False)
    assert (await of(store, ticket)).outcome is None


async def test_a_colleague_may_hear_the_customers_word_by_phone(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan)
    await solved(store, ticket, team["minh"])
    await store.write(loop.tried, ticket, team["hoa"], "call", "good", "Chị ấy rất vui")
    assert (await of(store, ticket)).outcome == Outcome.SATISFIED
    with pytest.raises(ComplaintOverError):
        await store.write(loop.tried, ticket, team["hoa"], "call", "nobody")


async def test_nobody_is_asked_at_night(store: Store, lan: int, team: dict[str, Member], clock: SetClock) -> None:
    clock.advance(timedelta(hours=9, minutes=30))  # 21:30 in Hồ Chí Minh City
    ticket = await complain(store, lan)
    await solved(store, ticket, team["minh"])
    check_at = (await of(store, ticket)).check_at
    assert check_at is not None
    assert (check_at.hour, check_at.minute) == (2, 0)


# ── Recovery ────────────────────────────────────────────────────────────────────────────────────────


async def test_a_low_rating_opens_a_recovery_case_for_a_supervisor_once(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan, "Quán mở cửa mấy giờ?", topic="other")
    await solved(store, ticket, team["minh"])
    await store.write(ratings.rate, ticket, lan, 1)
    await store.write(ratings.comment, ticket, lan, "Hỏi một đằng trả lời một nẻo")
    found = await store.read(recovery.of_ticket, ticket)
    assert found is not None
    assert (found.level, found.facts[0].why, found.origin) == (2, "rating", "rating")
    case = await store.read(tickets.get, found.ticket_id)
    assert (case.assignee_id, case.state, case.topic) == (team["sup"].id, "new", "complaint")
    assert (await store.read(tickets.get, ticket)).assignee_id == team["minh"].id
    assert [one["rated"] for one in await told(store, "recovery_opened", staff_id=team["sup"].id)] == [ticket]
    assert len(await told(store, "complaint_recovery", customer_id=lan)) == 1
    # Its own low rating opens no case upon the case.
    await solved(store, case.id, team["sup"])
    await store.write(ratings.rate, case.id, lan, 1)
    assert await store.read(recovery.of_ticket, case.id) is None


async def test_a_good_rating_opens_none_and_the_shop_says_what_is_low(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    await store.write(terms.change, 1, Terms(recovery_stars=1), "staff:1")
    ticket = await complain(store, lan, "Quán mở cửa mấy giờ?", topic="other")
    await solved(store, ticket, team["minh"])
    await store.write(ratings.rate, ticket, lan, 2)
    assert await store.read(recovery.of_ticket, ticket) is None


# ── Goodwill ────────────────────────────────────────────────────────────────────────────────────────


async def give(store: Store, ticket: int, who: Member, amount: int = 100, key: str = "k", **more: Any) -> Goodwill:
    return await store.write(goodwill.give, key, ticket, who, amount=amount, reason="Ly vỡ", **more)


async def balance(store: Store, who: int) -> int:
    return (await store.read(points.balances, who))[0]


async def test_points_within_the_limits_are_given_at_once_and_once(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan)
    done = await asyncio.gather(*(give(store, ticket, team["minh"]) for _ in range(4)))
    assert {one.id for one in done} == {done[0].id}
    assert (done[0].state, await balance(store, lan)) == (State.DONE, 100)
    with pytest.raises(KeyConflictError):
        await give(store, ticket, team["minh"], 101)
    kinds = await store.read(lambda s: s.execute(select(points.ledger.transfers.c.kind)).scalars().all())
    assert "goodwill" in kinds
    assert [one["points"] for one in await told(store, "goodwill_given", customer_id=lan)] == [100]
    assert await store.read(goodwill_book.check) == []
    assert await store.read(proof.faults) == []


async def test_of_two_agents_at_once_one_gives_and_the_other_is_shown_it(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan)
    ended = await asyncio.gather(
        give(store, ticket, team["minh"], key="a"), give(store, ticket, team["hoa"], key="b"), return_exceptions=True
    )
    (given,) = [one for one in ended if isinstance(one, Goodwill)]
    (refused,) = [one for one in ended if isinstance(one, MeanwhileError)]
    assert (refused.last, await balance(store, lan)) == (given.id, 100)
    # Who has seen it may add to it.
    await give(store, ticket, team["hoa"], 50, key="c", after=given.id)
    assert await balance(store, lan) == 150


async def test_limits_hold_by_case_and_by_day_and_count_what_points_pay(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    await store.write(terms.change, 1, Terms(limits={**terms.DEFAULT_LIMITS, Role.AGENT: Limit(4_000, 5_000)}), "x")
    ticket = await complain(store, lan)
    one = await give(store, ticket, team["minh"], 150)  # 3.000 đ of 4.000
    two = await give(store, ticket, team["minh"], 60, key="k2", after=one.id)
    assert (one.state, two.state) == (State.DONE, State.WAITING)
    hung = await store.write(customers.create, phone="+84903123457", name="Hùng", home_shop_id=1)
    other = await complain(store, hung)
    assert (await give(store, other, team["minh"], 101, key="k3")).state == State.WAITING  # 2.000 left of the day
    hoa = await store.write(customers.create, phone="+84903123458", name="Hoa", home_shop_id=1)
    third = await complain(store, hoa)
    assert (await give(store, third, team["minh"], 100, key="k4")).state == State.DONE
    clock.advance(timedelta(days=1))
    binh = await store.write(customers.create, phone="+84903123459", name="Bình", home_shop_id=1)
    assert (await give(store, await complain(store, binh), team["minh"], 200, key="k5")).state == State.DONE


async def test_above_the_limit_a_second_person_decides_once(store: Store, lan: int, team: dict[str, Member]) -> None:
    ticket = await complain(store, lan)
    asked = await give(store, ticket, team["minh"], 5_000)  # 100.000 đ
    assert (asked.state, await balance(store, lan)) == (State.WAITING, 0)
    for name in ("sup", "sup2", "boss", "manager"):
        assert [one["goodwill"] for one in await told(store, "goodwill_asked", staff_id=team[name].id)] == [asked.id]
    assert await told(store, "goodwill_asked", staff_id=team["hoa"].id) == []
    for name in ("minh", "hoa"):
        with pytest.raises(ForbiddenError):
            await store.write(goodwill.approve, asked.id, team[name])

    async def ended(call: Awaitable[Goodwill]) -> Any:
        try:
            return (await call).decided_by
        except DecidedError as error:
            return error.state

    results = await asyncio.gather(
        ended(store.write(goodwill.approve, asked.id, team["sup"])),
        ended(store.write(goodwill.approve, asked.id, team["sup2"])),
        ended(store.write(goodwill.refuse, asked.id, team["boss"])),
    )
    found = await store.read(goodwill_book.get, asked.id)
    if found.state == State.DONE:
        assert results[0] == results[1] == found.decided_by
        assert results[2] == State.DONE
        assert await balance(store, lan) == 5_000
    else:
        assert results[:2] == [State.REFUSED, State.REFUSED]
        assert await balance(store, lan) == 0
    assert await store.read(goodwill_book.check) == []


async def test_an_approver_answers_for_it_within_their_own_limit(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    ticket = await complain(store, lan)
    asked = await give(store, ticket, team["minh"], 15_000)  # 300.000 đ: above a supervisor's case
    assert await told(store, "goodwill_asked", staff_id=team["sup"].id) == []
    with pytest.raises(OverLimitError):
        await store.write(goodwill.approve, asked.id, team["sup"])
    await store.write(goodwill.approve, asked.id, team["manager"])
    assert await balance(store, lan) == 15_000
    assert (await store.read(goodwill_book.room, await store.read(tickets.get, ticket), team["minh"])).day == 200_000
    assert len(await told(store, "goodwill_approved", staff_id=team["minh"].id)) == 1


async def test_it_is_taken_back_while_it_is_unspent(store: Store, lan: int, team: dict[str, Member]) -> None:
    ticket = await complain(store, lan)
    given = await give(store, ticket, team["minh"])
    with pytest.raises(ForbiddenError):
        await store.write(goodwill.take_back, given.id, team["hoa"])
    for _ in range(2):
        assert (await store.write(goodwill.take_back, given.id, team["minh"])).state == State.TAKEN_BACK
    assert await balance(store, lan) == 0
    again = await give(store, ticket, team["minh"], 80, key="k2", after=given.id)
    spent = {"customer_id": lan, "shop_id": 1, "points": 50}
    await store.write(points.spend, "pay", "pay", **spent)
    with pytest.raises(SpentError):
        await store.write(goodwill.take_back, again.id, team["sup"])
    assert await balance(store, lan) == 30
    assert await store.read(goodwill_book.check) == []
    assert await store.read(proof.faults) == []


async def test_a_voucher_is_given_counted_at_its_most_and_taken_back(
    store: Store, lan: int, team: dict[str, Member]
) -> None:
    small = await store.write(voucher_programs.add, name="Ly xin lỗi", kind=Gives.AMOUNT, value=30_000, shop_id=1)
    half = await store.write(voucher_programs.add, name="Giảm nửa giá", kind=Gives.PERCENT, value=50, shop_id=1)
    ticket = await complain(store, lan)
    given = await give(store, ticket, team["minh"], 0, program_id=small.id)
    (held,) = await store.read(vouchers.wallet, lan)
    assert (given.state, given.worth, held.voucher.id) == (State.DONE, 30_000, given.voucher_id)
    # Nobody knows what half of an order comes to: it waits, for the owner.
    asked = await give(store, ticket, team["minh"], 0, key="k2", program_id=half.id, after=given.id)
    assert asked.state == State.WAITING
    assert [one.name for one in await store.read(goodwill_book.approvers, asked)] == ["boss"]
    await store.write(goodwill.refuse, asked.id, team["minh"])  # who asked may take it back
    await store.write(goodwill.take_back, given.id, team["minh"])
    assert await store.read(vouchers.wallet, lan) == []


async def test_goodwill_and_complaints_go_along_in_a_merge(store: Store, lan: int, team: dict[str, Member]) -> None:
    ticket = await complain(store, lan)
    given = await give(store, ticket, team["minh"])
    other = await store.write(customers.create, phone="+84903123457", name="Lan Anh", home_shop_id=1)
    await store.write(claims.merge, other, lan)
    await store.write(goodwill.take_back, given.id, team["minh"])
    assert await balance(store, other) == 0
    assert (await store.read(goodwill_book.get, given.id)).customer_id == other


async def test_of_two_tickets_that_become_one_there_is_one_complaint_and_one_case(
    store: Store, lan: int, team: dict[str, Member], clock: SetClock
) -> None:
    first = await complain(store, lan, "Giao thiếu một món")
    given = await give(store, first, team["minh"])
    await solved(store, first, team["minh"])
    clock.advance(timedelta(days=60))
    second = await complain(store, lan, "Cho hỏi giờ mở cửa", topic="other")
    await store.write(linking.merge, first, team["sup"], second)
    assert await store.read(complaints.find, first) is None
    assert (await of(store, second)).level == 3
    assert (await store.read(tickets.get, second)).severity == 3
    assert [one.id for one in await store.read(goodwill_book.of_ticket, second)] == [given.id]
    third = await complain(store, lan, "Ly bị vỡ")
    assert third == second
    await store.write(handling.close, second, team["minh"])
    fourth = await complain(store, lan, "Nhân viên chửi khách")
    await store.write(linking.merge, second, team["sup"], fourth)
    assert (await of(store, second)).outcome == Outcome.MERGED
    clock.advance(timedelta(days=90))
    assert await due(store) == 0


async def test_terms_are_checked_and_audited(store: Store, shop: int) -> None:
    for wrong in (
        Terms(check_days=2),
        Terms(check_days=8),
        Terms(tries=0),
        Terms(recovery_stars=4),
        Terms(causes=("x" * 61,)),
    ):
        with pytest.raises(InvalidError):
            await store.write(terms.change, shop, wrong, "staff:1")
    for days in (3, 7):
        await store.write(
            terms.change, shop, Terms(check_days=days, causes=(" Đóng gói ", "Đóng gói", "Giao trễ")), "staff:1"
        )
    assert (await store.read(terms.of, shop)).causes == ("Đóng gói", "Giao trễ")
    row = await store.read(
        lambda s: s.execute(
            select(AuditRow.data).where(AuditRow.action == "complaint_terms").order_by(AuditRow.id.desc())
        ).first()
    )
    assert row is not None
    assert (row.data["before"]["check_days"], row.data["after"]["check_days"]) == (3, 7)
