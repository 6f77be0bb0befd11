"""What complaints ask of the owner today: grave ones that are open, goodwill that waits for a yes."""

from sqlalchemy.orm import Session

from handlers.web.shop.needs import Ask, Need, Severity
from support.complaints import complaints, goodwill_book
from support.complaints.goodwill_book import State
from support.complaints.severity import Level


def grave(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    count = sum(one.level <= Level.S2 for one in complaints.of_shop(session, here.shop.id))
    if not count:
        return None
    return Need(
        Severity.HARM, "warn", said.plural("{n} grave complaint is open", "{n} grave complaints are open", count),
        said("Look who sees to it, and whether the customer has an answer."), said("Look at them"), here.url("/shop/complaints"),
    )  # fmt: skip


def goodwill(session: Session, ask: Ask) -> Need | None:
    here, said = ask.here, ask.said
    waiting = [one for one in goodwill_book.of_shop(session, here.shop.id) if one.state == State.WAITING]
    count = sum(any(able.id == here.member.id for able in goodwill_book.approvers(session, one)) for one in waiting)
    if not count:
        return None
    return Need(
        Severity.SOON, "gift", said.plural("{n} gift to make good waits for your yes", "{n} gifts to make good wait for your yes", count),
        said("Above the limit of who asked for it."), said("Decide"), here.url("/shop/complaints"),
    )  # fmt: skip
