"""Settings from the environment or `.env`; what is missing or wrong is told in one line that says how to mend it."""

import re
import secrets
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_FILE = Path(".regulars-secret")
SECRET_CHARS_MIN = 16


class SettingsError(Exception):
    """A setting can't be used; the message is one line for the person who starts the program."""


class Settings(BaseSettings):
    """Each is `REGULARS_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="REGULARS_", env_file=".env", extra="ignore")

    database_url: str = "sqlite+aiosqlite:///regulars.db"
    secret_key: str = ""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    public_url: str = ""
    telegram_token: str = ""
    telegram_api_url: str = "https://api.telegram.org"
    telegram_webhook_secret: str = ""
    telegram_rate: int = Field(default=30, ge=1, le=1000)
    telegram_staff_chat: int | None = None
    webhook_private: bool = False
    backup_dir: str = ""
    language: str = "vi"
    timezone: str = "Asia/Ho_Chi_Minh"

    @field_validator("telegram_staff_chat", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        if not re.match(r"(sqlite(\+aiosqlite)?:///.+|postgresql(\+asyncpg)?://.+)", value):
            raise ValueError("must be sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("public_url", "telegram_api_url")
    @classmethod
    def _url(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
            raise ValueError("must begin with https:// (or http:// on this machine)")
        return value.rstrip("/")

    @field_validator("telegram_token")
    @classmethod
    def _token(cls, value: str) -> str:
        if value and not re.fullmatch(r"\d+:[A-Za-z0-9_-]{3,}", value):
            raise ValueError("must be the token that @BotFather gave, like 123456:ABC-DEF")
        return value

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _webhook_secret(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", value):
            raise ValueError("may hold letters, digits, _ and - only, 256 at most")
        return value

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        if value not in {"vi", "en"}:
            raise ValueError("must be vi or en")
        return value

    @field_validator("timezone")
    @classmethod
    def _timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("must be a time zone like Asia/Ho_Chi_Minh") from error
        return value

    @property
    def backup_folder(self) -> Path | None:
        """Where the nightly backups go: beside the SQLite file, or beside the program; None where they are `off`."""
        if self.backup_dir.lower() == "off":
            return None
        if self.backup_dir:
            return Path(self.backup_dir)
        file = re.match(r"sqlite(?:\+aiosqlite)?:///(.+)", self.database_url)
        return (Path(file[1]).parent if file else Path()) / "backups"

    @property
    def base_url(self) -> str:
        """Where people reach the pages."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104
        return self.public_url or f"http://{host}:{self.port}"


def load(**given: object) -> Settings:
    """The settings; raises SettingsError with one line that names the setting and how to mend it."""
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "REGULARS_" + str(first["loc"][0]).upper()
        raise SettingsError(f"{name} {first['msg'].removeprefix('Value error, ')}") from None
    if not settings.secret_key:
        settings.secret_key = _own_secret()
    if len(settings.secret_key) < SECRET_CHARS_MIN:
        raise SettingsError(f"REGULARS_SECRET_KEY must have at least {SECRET_CHARS_MIN} characters")
    return settings


def _own_secret() -> str:
    """A secret made once and kept beside the program, readable by its owner alone."""
    if SECRET_FILE.exists():
        return SECRET_FILE.read_text().strip()
    made = secrets.token_urlsafe(32)
    SECRET_FILE.touch(mode=0o600)
    SECRET_FILE.write_text(made)
    return made
