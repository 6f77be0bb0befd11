"""Ready-made segments: what every shop asks for, as criteria that it may change. Their names are said by the pages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from loyalty.customers.rfm import Rfm
from loyalty.insights.prospects import LEAVING_ALIVE, LEAVING_WORTH


def _is(field: str, op: str, value: int | str, **more: int) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value, **more}


READY: Mapping[str, Any] = MappingProxyType({
    "new": {"all": [_is("joined_days_ago", "<=", 30), _is("orders_count", "<=", 1)]},
    "second_order": {"all": [
        _is("orders_count", "=", 1), _is("days_since_last_order", ">=", 14), _is("days_since_last_order", "<=", 60),
    ]},
    "regulars": {"all": [_is("orders_count", ">=", 3), _is("orders", ">=", 2, days=60)]},
    "sleeping": {"all": [
        _is("orders_count", ">=", 2), _is("days_since_last_order", ">", 60), _is("days_since_last_order", "<=", 180),
    ]},
    "lost": {"all": [_is("days_since_last_order", ">", 180)]},
    "champions": {"all": [_is("rfm", "=", Rfm.CHAMPION.value)]},
    "birthday": {"all": [_is("birthday", "=", "this_month")]},
    "points_expiring": {"all": [_is("points_expiring", ">=", 1, days=30)]},
    "tier_at_risk": {"all": [_is("tier_at_risk", "=", "yes")]},
    "leaving": {"all": [_is("p_alive", "<=", LEAVING_ALIVE), _is("worth", ">", LEAVING_WORTH)]},
    "unhappy": {"any": [_is("last_rating", "<=", 2), _is("open_complaints", ">=", 1)]},
})  # fmt: skip
"""Criteria by key."""
