"""What a complaint's level, its reasons, stages and end are called, for chat, desk and console."""

from handlers.words import Words
from support.complaints.complaints import Outcome, Remedy, Stage
from support.complaints.severity import Fact, Why


def remedies(said: Words) -> dict[str, str]:
    """What can make a complaint good."""
    return {
        Remedy.REPLACE: said("A replacement"), Remedy.REFUND: said("A refund"),
        Remedy.GOODWILL: said("Points or a voucher"), Remedy.APOLOGY: said("An explanation"),
        Remedy.OTHER: said("Something else"),
    }  # fmt: skip


def levels(said: Words) -> dict[int, str]:
    """Each level with what it means."""
    return {
        1: said("S1 · danger or law"), 2: said("S2 · grave"), 3: said("S3 · something went wrong"), 4: said("S4 · small"),
    }  # fmt: skip


def stages(said: Words) -> dict[str, str]:
    """The stages of ISO 10002, in their order."""
    return {
        Stage.RECEIVED: said("Received"), Stage.ACKNOWLEDGED: said("Acknowledged"), Stage.ASSESSED: said("Assessed"),
        Stage.INVESTIGATED: said("Cause found"), Stage.RESPONDED: said("Answered"), Stage.CLOSED: said("Closed"),
    }  # fmt: skip


def outcomes(said: Words) -> dict[str, str]:
    return {
        Outcome.SATISFIED: said("The customer is content"), Outcome.UNANSWERED: said("No answer after all tries"),
        Outcome.MISTAKE: said("It was no complaint"), Outcome.MERGED: said("Part of another complaint"),
    }  # fmt: skip


def causes(said: Words) -> list[str]:
    """Root causes to begin with, where the shop has no list of its own."""
    return [
        said("Careless packing"), said("Wrong or missing item"), said("Quality of the product"), said("Slow delivery"),
        said("How a colleague behaved"), said("Wrong bill"), said("Hygiene"), said("Points or voucher went wrong"),
    ]  # fmt: skip


def fact(said: Words, one: Fact) -> str:
    """Why the level is what it is, with what was read: “Something is broken or wrong: ‘bị vỡ’”."""
    if one.why is Why.ORDER:
        return said("Large order: {amount}", amount=said.money(int(one.said)))
    if one.why is Why.TIER:
        return said("Customer of tier {tier}", tier=one.said)
    if one.why is Why.REPEAT:
        return said("Complained before: #{number}", number=one.said)
    if one.why is Why.RATING:
        return said("Rated {stars} ★", stars=one.said)
    name = {
        Why.HEALTH: said("Somebody fell ill or was hurt"), Why.UNSAFE: said("Unsafe food or goods"),
        Why.HARM: said("Harassed or threatened"), Why.LAW: said("Police, law or authorities"),
        Why.DATA: said("Personal data got out"), Why.MONEY: said("Money"), Why.CONDUCT: said("How staff behaved"),
        Why.HYGIENE: said("Not clean"), Why.PUBLIC: said("May go public"), Why.POINTS: said("Points or vouchers"),
        Why.PROMISE: said("A broken promise"), Why.FAULT: said("Broken, wrong or missing"), Why.LATE: said("Too late"),
        Why.TONE: said("Angry words"), Why.LEAVING: said("Wants to leave us"), Why.STILL: said("Still not right after our answer"),
    }[one.why]  # fmt: skip
    return f"{name}: “{one.said}”" if one.said else name
