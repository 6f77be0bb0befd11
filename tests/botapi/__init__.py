"""A Telegram Bot API server for tests: real HTTP, strict, with people to play and faults on demand."""

from .errors import Json
from .flood import FloodReport
from .groups import Group
from .people import Person
from .server import BotApiServer
from .world import Call, Refused, Tap

__all__ = ["BotApiServer", "Call", "FloodReport", "Group", "Json", "Person", "Refused", "Tap"]
