"""Rejections: why a row of an import can't be taken, for who mends it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from handlers.words import Words
from loyalty.orders import sheets
from store.errors import InvalidError, RuleError


def reason(said: Words, error: RuleError, columns: Mapping[str, str] | None = None) -> str:
    """Why a row was refused, for who mends it; `columns`: what they are called where it is read."""
    if isinstance(error, InvalidError):
        column = (columns or {}).get(error.field, error.field)
        value = shown(error.value)[:40]
        known = {
            ("phone", "missing"): said("The phone number is missing."),
            ("phone", "format"): said("“{value}” is not a phone number.", value=value),
            ("external_id", "length"): said("The order number is missing or too long."),
            ("total", "range"): said("The total can't be “{value}”.", value=value),
            ("refunded", "range"): said(
                "The refund can't be “{value}”: it is below 0 or more than the total.", value=value
            ),
            ("currency", "unsupported"): said("The shop doesn't take the currency “{value}”.", value=value),
            ("status", "unknown"): said(
                "“{value}” is not a status: take completed, pending, cancelled or refunded.", value=value
            ),
            ("placed_at", "range"): said("The date “{value}” lies in the future or before the year 2000.", value=value),
            ("birthday", "range"): said("“{value}” can't be a birthday.", value=value),
            ("language", "unknown"): said("“{value}” is not a language we speak: take vi or en.", value=value),
        }
        by_problem = {
            "number": said("“{value}” in the column {column} is not a whole number.", value=value, column=column),
            "date": said("“{value}” in the column {column} is not a date.", value=value, column=column),
            "range": said("“{value}” in the column {column} can't be right.", value=value, column=column),
            "length": said("The column {column} holds too much.", column=column),
        }
        found = known.get((error.field, error.problem)) or by_problem.get(error.problem)
        return found or said("The column {column} can't be right.", column=column)
    by_code = {
        "conflict": said("The order is there already, for another customer."),
        "insufficient_points": said("The shop's point wallet is empty."),
        "idempotency_conflict": said("This customer's opening points were imported before, with another number."),
    }
    return by_code.get(error.code) or said("Not possible: {code}.", code=error.code)


def shown(cell: Any) -> str:
    """A cell as a person reads it."""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return sheets.text(cell)
