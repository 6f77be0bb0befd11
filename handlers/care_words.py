"""Care in words: how customers are met."""

from handlers.words import Words


def ways(said: Words) -> dict[str, str]:
    """How a customer is met."""
    return {"call": said("Call"), "visit": said("Visit"), "meeting": said("Online meeting")}


def icons() -> dict[str, str]:
    """The picture beside each."""
    return {"call": "phone", "visit": "store", "meeting": "users"}


def every(said: Words, days: int) -> str:
    """How often a plan comes round."""
    return said("every {n} days", n=said.number(days))


def due(said: Words, n: int) -> str:
    """How many of a plan are to be met by now."""
    return said("{n} due", n=said.number(n))


def touched(said: Words, n: int) -> str:
    """How many customers an incident touches."""
    return said.plural("{n} customer is touched.", "{n} customers are touched.", n)


def requests(said: Words, n: int) -> str:
    """How many requests hang on it."""
    return said.plural("{n} request hangs on it", "{n} requests hang on it", n)
