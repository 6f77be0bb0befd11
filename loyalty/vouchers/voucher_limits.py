"""What bounds an offer, as balances: its budget in đồng and, of a shared code, its stock of uses.

Each is an account of the programme. A reservation sets aside by a hold what it may come to, a confirmed one posts it, one
that comes to nothing gives it back, one that is rolled back too. So neither can be overrun, whatever races.
"""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from loyalty.points import holds, ledger
from loyalty.points.ledger import Leg, UncoveredError
from store.errors import ConflictError, InvalidError


class BudgetSpentError(ConflictError):
    """The offer's budget has less left than this use would take."""

    code = "budget_spent"


@dataclass(frozen=True, slots=True)
class Room:
    """What an offer has left: `budget` in đồng, `uses` of a shared code; None where nothing bounds it."""

    budget: int | None = None
    uses: int | None = None


def _account(session: Session, program_id: int, name: str) -> int:
    return ledger.account(session, "program", program_id, name)


def level(session: Session, program_id: int, name: str, wanted: int | None) -> None:
    """Fill or empty an offer's limit until all it ever had comes to `wanted`; None takes out what is left.

    The programme's row is locked by the caller. Raises InvalidError(name, "spent", what is spent or set aside).
    """
    was = ledger.balances(session, "program", program_id)
    if wanted is None and name not in was:
        return
    had = -was.get(f"{name}_source", 0)
    change = -was.get(name, 0) if wanted is None else wanted - had
    if not change:
        return
    limit, source = _account(session, program_id, name), _account(session, program_id, f"{name}_source")
    legs = ledger.postings.c
    turn = session.execute(
        select(func.count()).select_from(ledger.postings).where((legs.source_id == source) | (legs.target_id == source))
    ).scalar_one()
    key = f"limit:program:{program_id}:{name}:{turn + 1}"
    if change > 0:
        holds.fund(session, key, limit, change)
        return
    try:
        ledger.post(session, key, "unfund", [Leg(limit, source, -change)])
    except UncoveredError as error:
        raise InvalidError(name, "spent", had - error.available) from error


def room(session: Session, program_id: int, *, budget: bool, uses: bool) -> Room:
    """What is left of the limits that an offer has."""
    if not budget and not uses:
        return Room()
    held = ledger.balances(session, "program", program_id)
    return Room(held.get("budget", 0) if budget else None, held.get("stock", 0) if uses else None)


def take(session: Session, key: str, program_id: int, name: str, amount: int) -> int | None:
    """Set `amount` of a limit aside; the hold's number, None for nothing. Raises UncoveredError."""
    if not amount:
        return None
    source, target = _account(session, program_id, name), _account(session, program_id, f"{name}_used")
    return holds.place(session, key, kind=name, source=source, target=target, amount=amount).id


def give_back(session: Session, hold_id: int) -> None:
    """Give back what a use took, whether it was set aside only or spent; repeatable."""
    hold = holds.get(session, hold_id)
    if hold.state == holds.HoldState.POSTED:
        leg = Leg(hold.target_id, hold.source_id, hold.posted)
        ledger.post(session, f"unuse:{hold.key}", "unuse", [leg])
        return
    holds.void(session, hold_id)
