"""What bringing a friend gives, in words: for the chat and for the console."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from handlers.words import Words
from loyalty.referrals import referral_terms
from loyalty.referrals.referral_terms import Reward, RewardKind, Terms
from loyalty.vouchers import voucher_programs


@dataclass(frozen=True, slots=True)
class Promise:
    """What both sides get, with the names of the vouchers among it."""

    terms: Terms
    vouchers: dict[int, str]

    @property
    def points_each(self) -> int:
        """Points, where both sides get the same number of them; else 0."""
        mine, theirs = self.terms.referrer, self.terms.friend
        return mine.points if mine == theirs and mine.kind is RewardKind.POINTS else 0

    def of(self, said: Words, side: str) -> str:
        """“50 points”, “5% of the first 3 orders as points”, “the voucher Free tea”; empty where a side gets nothing."""
        reward = self.terms.of(side)
        name = self.vouchers.get(reward.program_id or 0, "")
        return worth(said, reward, name)


def promise(session: Session) -> Promise:
    """What a link that is opened now promises."""
    terms = referral_terms.current(session)
    numbers = {reward.program_id for reward in (terms.referrer, terms.friend) if reward.kind is RewardKind.VOUCHER}
    return Promise(terms, {number: voucher_programs.get(session, number).name for number in numbers if number})


def worth(said: Words, reward: Reward, voucher: str) -> str:
    """A reward in a few words; `voucher` is the name of its programme."""
    if reward.kind is RewardKind.VOUCHER:
        return said("the voucher “{name}”", name=voucher)
    if reward.kind is RewardKind.POINTS:
        return said.plural("{n} point", "{n} points", reward.points) if reward.points else ""
    if reward.orders == 1:
        return said("{percent}% of the first order as points", percent=reward.percent)
    return said("{percent}% of the first {orders} orders as points", percent=reward.percent, orders=reward.orders)
