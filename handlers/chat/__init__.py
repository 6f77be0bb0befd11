"""What is said in a chat, on every messenger."""

from handlers import lazy_types  # before aiogram is imported

__all__ = ["lazy_types"]
