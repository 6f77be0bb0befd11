"""aiogram's types are built when they are used, not while the program starts."""

import subprocess
import sys
from pathlib import Path

HOUSE = Path(__file__).parent.parent
USED = """
import bot.app
from aiogram import types
from aiogram.methods import SendMessage

built = lambda: {name for name in types.__all__ if getattr(getattr(types, name), "__pydantic_complete__", False)}
print(len(built()))
person = {"id": 1, "is_bot": False, "first_name": "Lan"}
message = {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "from": person, "text": "xin chào"}
tap = {"id": "1", "from": person, "chat_instance": "x", "data": "menu", "message": message}
update = types.Update.model_validate({"update_id": 1, "callback_query": tap})
print(update.callback_query.message.text)
row = [types.InlineKeyboardButton(text="Thẻ", callback_data="card")]
sent = SendMessage(chat_id=1, text="dạ", reply_markup=types.InlineKeyboardMarkup(inline_keyboard=[row]))
print(sent.model_dump(exclude_none=True)["reply_markup"]["inline_keyboard"][0][0]["text"])
print(0 < len(built()) < 20)
"""


def test_a_type_is_built_at_its_first_use() -> None:
    run = subprocess.run(
        [sys.executable, "-c", USED], cwd=HOUSE, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.stderr == ""
    assert run.stdout.split("\n") == ["0", "xin chào", "Thẻ", "True", ""]
