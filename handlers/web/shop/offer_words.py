"""An offer in whole sentences, as its owner would explain it over the counter."""

from collections.abc import Mapping

from handlers.chat import gives
from handlers.words import Words
from loyalty.vouchers.voucher_programs import Kind, Program, Returns, Stacks


def explained(
    said: Words, offer: Program, names: Mapping[int, str], offers: Mapping[int, str], period: str
) -> list[str]:
    """What an offer says, a sentence each: what it gives, when and where, how often, with what. `names` of shops and
    `offers` by their numbers.
    """
    lines = [
        _gives(said, offer), _when(said, offer, period), _where(said, offer, names), _how_often(said, offer),
        _money(said, offer), _beside(said, offer, offers), _back(said, offer),
    ]  # fmt: skip
    return [line for line in lines if line]


def _gives(said: Words, offer: Program) -> str:
    if offer.kind == Kind.GIFT:
        what = said("The customer gets “{name}” at the counter", name=offer.name)
    elif offer.kind == Kind.ITEM:
        what = gives.worth(said, offer)
    elif offer.items or offer.categories:
        what = said("{worth}, only for {items}", worth=gives.worth(said, offer), items=gives.items(said, offer))
    else:
        what = said("{worth} the whole order", worth=gives.worth(said, offer))
    if offer.min_order:
        what = said("{what}, on orders from {amount}", what=what, amount=said.money(offer.min_order))
    return f"{what[:1].upper()}{what[1:]}."


def _when(said: Words, offer: Program, period: str) -> str:
    hours = gives.when(said, offer)
    if hours and period:
        return said("It can be used {hours}, {period}.", hours=hours, period=period)
    return said("It can be used {hours}.", hours=hours) if hours else ""


def _where(said: Words, offer: Program, names: Mapping[int, str]) -> str:
    places = [names[branch] for branch in offer.branches or () if branch in names]
    return said("Only at {places}.", places=", ".join(places)) if places else ""


def _how_often(said: Words, offer: Program) -> str:
    parts = []
    if offer.stock is not None:
        parts.append(said("{n} in all", n=said.number(offer.stock)))
    if offer.per_customer is not None:
        parts.append(said("{n} for each customer", n=said.number(offer.per_customer)))
    if offer.per_day is not None:
        parts.append(said("{n} a day", n=said.number(offer.per_day)))
    if offer.per_customer_day is not None:
        parts.append(said("{n} a day for each customer", n=said.number(offer.per_customer_day)))
    if not parts:
        return ""
    line = ", ".join(parts)
    return f"{line[:1].upper()}{line[1:]}."


def _money(said: Words, offer: Program) -> str:
    if offer.budget is None:
        return ""
    return said("When the discounts have come to {amount}, it ends by itself.", amount=said.money(offer.budget))


def _beside(said: Words, offer: Program, offers: Mapping[int, str]) -> str:
    if offer.stacks == Stacks.NONE:
        return said("It can't be used together with other vouchers.")
    if offer.stacks == Stacks.NAMED:
        named = [offers[number] for number in offer.stacks_with or () if number in offers]
        if not named:
            return said("It can't be used together with other vouchers.")
        return said("It can be used together with {offers} only.", offers=", ".join(f"“{name}”" for name in named))
    return ""


def _back(said: Words, offer: Program) -> str:
    return {
        Returns.ANY.value: said("Whoever returns a part of the order gets it back too."),
        Returns.NEVER.value: said("Once used it never comes back, even if the order is returned."),
    }.get(offer.returns, "")
