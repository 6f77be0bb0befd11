"""What can be wrong, as classes with a stable code and typed facts; the edge turns them into words."""


class RuleError(Exception):
    """A rule refused: nothing was changed. `code` is stable, the attributes are the facts."""

    code = "refused"


class NotFoundError(RuleError):
    """What was named is not there (or not for the one who asks)."""

    code = "not_found"

    def __init__(self, what: str, name: object) -> None:
        super().__init__(f"{what} {name}")
        self.what = what
        self.name = name


class ForbiddenError(RuleError):
    """The person may not do this."""

    code = "forbidden"


class InvalidError(RuleError):
    """A value can't be taken. `field` names it, `problem` is a stable word for what is wrong with it."""

    code = "invalid"

    def __init__(self, field: str, problem: str, value: object = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.value = value


class ConflictError(RuleError):
    """The state forbids it: already used, already ended, same key with other content."""

    code = "conflict"


class MovedError(Exception):
    """Another replica came in between (changed the conversation, took the lease): the work runs again."""


class StoreUnreachableError(Exception):
    """The database can't be reached now; nothing was changed."""


class StoreHeldError(Exception):
    """Another program serves this SQLite file."""

    def __init__(self, path: str) -> None:
        super().__init__(f"another program serves {path}: stop it first, or use PostgreSQL for several")
