"""Costs: what sending a campaign costs a shop. đồng a message by messenger, as the shop has set them, and Telegram's Stars where
the shop pays for going faster than is free. A campaign keeps those of the moment when it was approved.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy.orm import Session

from store import audit, options
from store.errors import InvalidError

MESSENGERS = ("telegram", "web")
PRICE_MAX = 10_000
"""đồng a message."""
FREE_RATE, PAID_RATE = 30, 1_000
"""Messages a second: what Telegram takes for nothing, and the most that it takes for Stars."""
PAID_PACE = 300
"""What of it a small machine is sure to keep up."""
MESSAGES_PER_STAR = 10


@dataclass(frozen=True, slots=True)
class Costs:
    """`prices`: đồng a message by messenger, those that aren't there are free. `paid`: Telegram is paid to take more than
    FREE_RATE messages a second.
    """

    prices: Mapping[str, int] = field(default_factory=dict)
    paid: bool = False


def of(session: Session, shop_id: int) -> Costs:
    """What a shop has set."""
    return Costs(**(options.get(session, _option(shop_id)) or {}))


def change(session: Session, shop_id: int, new: Costs, actor: str) -> None:
    """Set them. Raises InvalidError, `price_telegram` its field."""
    for messenger, price in new.prices.items():
        if messenger not in MESSENGERS or not 0 <= price <= PRICE_MAX:
            raise InvalidError(f"price_{messenger}", "range", price)
    before, after = _flat(of(session, shop_id)), _flat(new)
    changed = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if changed:
        options.put(session, _option(shop_id), asdict(new))
        audit.record(session, actor, "costs_changed", shop_id, changed=changed)


def stars(messages: int) -> int:
    """Telegram's Stars for so many messages beyond the free ones."""
    return -(-messages // MESSAGES_PER_STAR)


def _flat(kept: Costs) -> dict[str, int | bool]:
    return {f"price_{name}": kept.prices.get(name, 0) for name in MESSENGERS} | {"paid_speed": kept.paid}


def _option(shop_id: int) -> str:
    return f"costs:{shop_id}"
