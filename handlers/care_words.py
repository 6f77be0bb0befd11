"""Care in words: how customers are met."""

from handlers.words import Words


def ways(said: Words) -> dict[str, str]:
    """How a customer is met."""
    return {"call": said("Call"), "visit": said("Visit"), "meeting": said("Online meeting")}


def icons() -> dict[str, str]:
    """The picture beside each."""
    return {"call": "phone", "visit": "store", "meeting": "users"}
