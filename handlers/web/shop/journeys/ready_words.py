"""The ready-made journeys in a word each: name, and what they are good for."""

from collections.abc import Mapping

from handlers.words import Words


def ready_words(said: Words) -> Mapping[str, tuple[str, str, str]]:
    """Picture, name and use of each, by its key."""
    return {
        "welcome": ("chat", said("Welcome"), said("Says hello and how points work; three days later a word to who hasn't bought yet.")),
        "account_offer": ("card", said("After the first order"), said("Offers the member card two hours after somebody's first order.")),
        "thank_you": ("check", said("Thanks for regulars"), said("The day after a visit, from the third order on.")),
        "second_order": ("ticket", said("Second-order reward"), said("A voucher for who bought once and hasn't come again within ten days.")),
        "birthday": ("gift", said("Birthday gift"), said("A hidden voucher three days before, good wishes on the day.")),
        "win_back": ("moon", said("Win-back in three steps"), said("Asks after who hasn't come for 45 days, then a voucher, then for their honest word.")),
        "points_expiring": ("clock", said("Points about to expire"), said("Two weeks ahead, with the way to the rewards.")),
        "tier_at_risk": ("star", said("Tier at risk"), said("Tells who is about to lose their tier that little is missing.")),
        "review": ("edit", said("Ask for a word"), said("The evening after the second order: how was it?")),
        "recovery": ("phone", said("After a low rating"), said("A call as a task; a week later, once it is put right, an apology.")),
        "referral": ("users", said("Bring a friend along"), said("Two days after the fourth order, the way to invite somebody.")),
        "handwritten": ("note", said("Handwritten card for the best"), said("A task when a regular of ten orders or more reaches a higher tier.")),
    }  # fmt: skip
