"""What tiers are measured by, in words."""

from handlers.words import Words
from loyalty.tiers.tier_rule import Measure, Window


def measured(said: Words, measure: Measure, amount: int) -> str:
    """So much of what tiers are measured by: “50 tier points”, “1.000.000 ₫”, “3 visits”."""
    if measure is Measure.SPEND:
        return said.money(amount)
    return {
        Measure.TIER_POINTS: said.plural("{n} tier point", "{n} tier points", amount),
        Measure.VISITS: said.plural("{n} visit", "{n} visits", amount),
        Measure.ORDERS: said.plural("{n} paid order", "{n} paid orders", amount),
    }[measure]


def within(said: Words, window: Window) -> str:
    """Over which time it counts, as a sentence for customers."""
    return {
        Window.LIFETIME: said("What you reach is yours for good."),
        Window.ROLLING: said("The last 12 months count."),
        Window.YEAR: said("Each calendar year counts; what you reach stays until the end of the next."),
    }[window]
