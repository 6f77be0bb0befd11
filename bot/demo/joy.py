"""What the demo's customers collect for: rewards, badges, a quest, a lucky draw, a surprise, a thank-you card."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.demo.past import as_of
from loyalty.points import gifts, points
from loyalty.recognition import badges, drafts, draws, entries, quests, streaks, surprises, thanks
from loyalty.recognition.badges import BadgeInput
from loyalty.recognition.drafts import DrawInput
from loyalty.recognition.draws import ASSURANCES, EntryBy, Mode
from loyalty.recognition.prizes import PrizeInput, PrizeKind
from loyalty.recognition.quests import Every, QuestInput
from loyalty.recognition.surprises import When
from loyalty.recognition.visits import Measure
from loyalty.referrals import referrals
from loyalty.vouchers import rewards, shared_codes, voucher_programs
from loyalty.vouchers.voucher_programs import Kind, Program
from store.clock import now
from store.errors import RuleError

OFFERED = timedelta(days=200)
PLAYS = timedelta(days=21)
"""So long the shop has had its games: orders of that time count for them."""
DRAWN = 6
CODE = "PHOCAFE20"


@dataclass(frozen=True, slots=True)
class Offers:
    """What is offered that the rest of the demo speaks of."""

    coffee: Program
    off: Program


def offer(session: Session) -> Offers:
    """The catalogue, and a code for everybody."""
    began = now(session) - OFFERED

    def add(**values: Any) -> Program:
        return as_of(session, began, voucher_programs.add, **values)

    coffee = add(name="Một ly cà phê sữa đá", kind=Kind.GIFT, value=35_000, price_points=150, valid_days=30)
    off = add(
        name="Giảm 30.000đ cho đơn từ 100.000đ", kind=Kind.AMOUNT, value=30_000, min_order=100_000, price_points=200,
        valid_days=45, per_customer=3,
    )  # fmt: skip
    add(name="Giảm 15%, tối đa 50.000đ", kind=Kind.PERCENT, value=15, cap=50_000, price_points=250, valid_days=30)
    add(name="Bánh croissant mời bạn mới", kind=Kind.GIFT, value=42_000, price_points=180, stock=100, valid_days=30)
    everybody = voucher_programs.add(
        session, name="Giảm 20.000đ mừng quán 5 tuổi", kind=Kind.AMOUNT, value=20_000, min_order=80_000, stock=200,
        per_customer=1, hidden=True, shared=True, ends_at=now(session) + timedelta(days=30),
    )  # fmt: skip
    shared_codes.add(session, everybody.id, CODE)
    return Offers(coffee, off)


def open_games(session: Session, shop_id: int, owner_id: int, offers: Offers) -> None:
    """What the shop set up when it began with games."""
    streaks.set_unit(session, shop_id, streaks.Unit.WEEK)
    for badge in (
        BadgeInput("Khách ruột", "☕", Measure.ORDERS, 10, "Ghé quán đủ 10 lần"),
        BadgeInput("Nhà thám hiểm", "🧭", Measure.DISHES, 6, "Đã thử 6 món khác nhau trong thực đơn"),
    ):
        badges.add(session, shop_id, badge)
    quests.add(
        session, shop_id,
        QuestInput(
            "Ba món mới mỗi tháng", Measure.NEW_DISHES, 3, PrizeInput("50 điểm", PrizeKind.POINTS, points=50),
            about="Gọi ba món chưa từng thử, mỗi tháng một lần.", every=Every.MONTH,
        ),
    )  # fmt: skip
    draw = drafts.add(
        session, shop_id,
        DrawInput(
            "Vòng quay sinh nhật quán", Mode.ODDS, EntryBy.ORDER, 50_000, now(session) + PLAYS + timedelta(days=14),
            [
                (PrizeInput("Bình giữ nhiệt Phố Cafe", PrizeKind.THING, stock=3, value=250_000), 200),
                (PrizeInput("Một ly cà phê sữa đá", PrizeKind.VOUCHER, program_id=offers.coffee.id, stock=40,
                            value=35_000), 2_000),
                (PrizeInput("20 điểm", PrizeKind.POINTS, points=20, stock=200), 4_000),
            ],
            about="Mỗi đơn từ 50.000đ được quay một lần.", per_day=3,
        ),
    )  # fmt: skip
    draws.open_draw(session, draw.id, shop_id, f"staff:{owner_id}", ASSURANCES)
    surprises.add(
        session, shop_id, "Lâu rồi mới gặp", When.RETURN, 30, PrizeInput("30 điểm", PrizeKind.POINTS, points=30),
    )  # fmt: skip
    thanks.add_rule(session, shop_id, thanks.Why.ORDERS, 20, "Hai mươi lần ghé quán: nhắc món họ hay gọi.")


def play(session: Session, shop_id: int, regular: int) -> None:
    """Some of those who may draw do, and a note for a regular waits to be written."""
    waiting = session.execute(
        select(entries.entries.c.id, entries.entries.c.customer_id, entries.entries.c.at)
        .where(entries.entries.c.state == entries.EntryState.OPEN.value)
        .order_by(entries.entries.c.id)
        .limit(DRAWN)
    ).all()
    for entry in waiting:
        as_of(session, entry.at + timedelta(minutes=10), entries.draw, entry.id, entry.customer_id)
    at = now(session) - timedelta(hours=20)
    hint = "Chị hỏi thăm cả quán hôm mưa bão. Viết tay vài dòng nhé."
    as_of(session, at, thanks.add, shop_id, regular, hint, key="demo")


def spend(session: Session, richest: Sequence[int], offers: Offers) -> None:
    """Some have swapped points for rewards, and one has sent points to a friend who hasn't come for them yet."""
    for number, person in enumerate(richest[:6]):
        program = offers.coffee if number % 2 else offers.off
        assert program.price_points is not None
        try:
            with session.begin_nested():
                at = now(session) - timedelta(days=3 + number)
                as_of(
                    session, at, rewards.buy, person, program.id, price=program.price_points, key=f"demo:{person}"
                )  # fmt: skip
        except RuleError:
            # The points of a customer who comes rarely may not reach.
            continue
    at = now(session) - timedelta(days=1)
    as_of(session, at, gifts.give, "demo", giver_id=richest[0], points=30)


def doubt(session: Session, host: int, friend: int) -> None:
    """A link that somebody opened who bought here before: the shop is asked."""
    at = now(session) - timedelta(hours=18)
    as_of(session, at, referrals.open_link, referrals.code_of(session, host), friend)


def by_points(session: Session, people: Sequence[int]) -> list[int]:
    """Customers, who has the most points first."""
    return sorted(people, key=lambda each: -points.balances(session, each)[0])
