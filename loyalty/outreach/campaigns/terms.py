"""Terms: what the owner has set for all campaigns."""

from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from store import audit, options
from store.errors import InvalidError

OPTION = "campaigns"


@dataclass(frozen=True, slots=True)
class Terms:
    """Over how many people a second person has to approve (None: one is enough); how many per cent of a price are left once
    the goods are paid for (None: not said).
    """

    second_over: int | None = None
    margin: int | None = None


def of(session: Session) -> Terms:
    """What is set."""
    return Terms(**(options.get(session, OPTION) or {}))


def change(session: Session, new: Terms, shop_id: int, actor: str) -> None:
    """Set them, for all shops. Raises InvalidError."""
    if new.second_over is not None and new.second_over < 0:
        raise InvalidError("second_over", "range", new.second_over)
    if new.margin is not None and not 1 <= new.margin <= 100:
        raise InvalidError("margin", "range", new.margin)
    before, after = asdict(of(session)), asdict(new)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if changed:
        options.put(session, OPTION, after)
        audit.record(session, actor, "campaigns_changed", shop_id, changed=changed)
