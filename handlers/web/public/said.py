"""A programme in plain words: the rules as the shop set them, each with what it comes to."""

from dataclasses import dataclass

from handlers.chat import gives
from handlers.measures import measured, within
from handlers.words import Words
from loyalty.referrals.referral_terms import Reward, RewardKind
from loyalty.showcase import Showcase
from loyalty.tiers.tier_rule import Measure, Window
from loyalty.tiers.tiers import Tier
from loyalty.vouchers.voucher_programs import Program

SAMPLE_BILL = 85_000
SAMPLE_POINTS = 100


@dataclass(frozen=True, slots=True)
class Rule:
    icon: str
    title: str
    words: str


@dataclass(frozen=True, slots=True)
class Level:
    """`rank` counts from 0, the lowest."""

    name: str
    rank: int
    style: str
    needs: str
    about: str
    benefits: list[str]


@dataclass(frozen=True, slots=True)
class Prize:
    name: str
    terms: str
    price: str
    left: str


@dataclass(frozen=True, slots=True)
class Told:
    """All that the page says of a programme."""

    headline: str
    in_short: str
    rules: list[Rule]
    levels: list[Level]
    tiers_note: str
    prizes: list[Prize]


def tell(said: Words, found: Showcase) -> Told:
    """The programme in the reader's language."""
    return Told(
        headline(said), in_short(said, found), _rules(said, found),
        [_level(said, found, rank, tier) for rank, tier in enumerate(found.ladder)], _tiers_note(said, found),
        [_prize(said, program) for program in found.rewards],
    )  # fmt: skip


def headline(said: Words) -> str:
    return said("Every visit brings you points")


def in_short(said: Words, found: Showcase) -> str:
    """The programme in one line: for a link's preview and the poster."""
    return said(
        "Every {amount} brings 1 point; 1 point is worth {worth}.", amount=said.money(found.rules.earn_per),
        worth=said.money(found.point_value),
    )  # fmt: skip


def _rules(said: Words, found: Showcase) -> list[Rule]:
    shop, rules = found.shop, found.rules
    sample = SAMPLE_BILL // rules.earn_per
    example = said("A bill of {amount} brings {points}.", amount=said.money(SAMPLE_BILL), points=_points(said, sample))
    on = (
        said("Counted on what you pay.") if rules.on == "paid" else said("Counted before vouchers and points take off.")
    )
    wait = (
        said.plural("Points can be used {n} day after the purchase.", "Points can be used {n} days after the purchase.",
                    shop.return_days)
        if shop.return_days else said("Points can be used at once.")
    )  # fmt: skip
    kept = (
        said("Points you earn today can be used until {day}. We remind you before.", day=said.date(found.expires_on))
        if found.expires_on else said("Points never expire.")
    )  # fmt: skip
    told = [
        Rule("star", said("What a point is"), said(
            "A thank-you for every purchase at {shop}. You collect points when you buy and use them instead of money, or "
            "for rewards.", shop=shop.name,
        )),
        Rule("plus", said("Collect: {amount} = 1 point", amount=said.money(rules.earn_per)), f"{example} {on} {wait}"),
        Rule("gift", said("Pay: 1 point = {worth}", worth=said.money(found.point_value)), said(
            "{points} take {worth} off your bill, or you swap points for the rewards below.",
            points=_points(said, SAMPLE_POINTS), worth=said.money(SAMPLE_POINTS * found.point_value),
        )),
        Rule("clock", said("How long points live"), kept),
    ]  # fmt: skip
    told += [Rule("star", title, text) for title, text in _extras(said, found)]
    friends = _referral(said, found)
    if friends:
        told.append(Rule("users", said("Bring a friend"), friends))
    return told


def _extras(said: Words, found: Showcase) -> list[tuple[str, str]]:
    """What the plan gives beside the plain rate, in the shop's own names."""
    extras = [
        (one.name, said("×{times} points", times=_times(said, one.percent)))
        for one in found.rules.multipliers if one.percent > 100 and not one.tiers
    ]  # fmt: skip
    given = found.rules.bonuses
    known = [
        (given.join, said("For joining")), (given.profile, said("For a complete profile")),
        (given.birthday, said("For your birthday")), (given.review, said("For a review")),
    ]  # fmt: skip
    extras += [(title, said("{points} as a gift.", points=_points(said, many))) for many, title in known if many]
    if given.streak:
        extras.append((said("For coming often"), said(
            "{points} when you come {visits} times within {days} days.", points=_points(said, given.streak),
            visits=said.number(given.streak_visits), days=said.number(given.streak_days),
        )))  # fmt: skip
    return extras


def _referral(said: Words, found: Showcase) -> str:
    you, friend = _reward(said, found.referral.referrer), _reward(said, found.referral.friend)
    if you and you == friend:
        return said("You and your friend each get {reward} after their first order.", reward=you)
    parts = [
        said("You get {reward} after your friend's first order.", reward=you) if you else "",
        said("Your friend gets {reward} after their first order.", reward=friend) if friend else "",
    ]
    return " ".join(part for part in parts if part)


def _reward(said: Words, reward: Reward) -> str:
    if reward.kind is RewardKind.POINTS:
        return _points(said, reward.points) if reward.points else ""
    if reward.kind is RewardKind.PERCENT:
        return said("{percent}% of the order in points", percent=reward.percent) if reward.percent else ""
    return said("a voucher")


def _level(said: Words, found: Showcase, rank: int, tier: Tier) -> Level:
    benefits = []
    if tier.multiplier > 100:
        benefits.append(said("×{times} points on every order", times=_times(said, tier.multiplier)))
    if tier.price_cut:
        benefits.append(said("Rewards cost {percent}% fewer points", percent=tier.price_cut))
    if tier.gift_points:
        benefits.append(said("{points} as a gift when you get there", points=_points(said, tier.gift_points)))
    if tier.gift_program_id is not None:
        benefits.append(said("A voucher as a gift when you get there"))
    if tier.price_list:
        benefits.append(said("Prices of your own"))
    if tier.priority:
        benefits.append(said("Answered first when you need help"))
    needs = said("From {much}", much=measured(said, found.policy.measure, tier.threshold)) if tier.threshold else (
        said("From your first visit")
    )  # fmt: skip
    if tier.threshold and found.policy.measure is Measure.TIER_POINTS:
        worth = said.money(tier.threshold * found.rules.tier_per)
        needs = said(
            "From {much}, that is {worth} spent", much=measured(said, found.policy.measure, tier.threshold), worth=worth
        )
    if tier.keep < tier.threshold and found.policy.window is not Window.LIFETIME:
        needs += " · " + said("to stay: {much}", much=measured(said, found.policy.measure, tier.keep))
    return Level(tier.name, rank, tier.style, needs, tier.description, benefits)


def _tiers_note(said: Words, found: Showcase) -> str:
    if found.policy.measure is not Measure.TIER_POINTS:
        return within(said, found.policy.window)
    rate = said("Every {amount} brings 1 tier point; they are never spent.", amount=said.money(found.rules.tier_per))
    return f"{rate} {within(said, found.policy.window)}"


def _prize(said: Words, program: Program) -> Prize:
    left = "" if program.stock is None else said.plural("{n} left", "{n} left", program.stock - program.issued)
    return Prize(program.name, gives.terms(said, program), _points(said, program.price_points or 0), left)


def _points(said: Words, many: int) -> str:
    return said.plural("{n} point", "{n} points", many)


def _times(said: Words, percent: int) -> str:
    """1,5 for 150 per cent, 2 for 200."""
    whole, rest = divmod(percent, 100)
    if not rest:
        return str(whole)
    return f"{whole}{',' if said.language == 'vi' else '.'}{f'{rest:02}'.rstrip('0')}"
