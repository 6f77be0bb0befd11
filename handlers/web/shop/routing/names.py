"""What rules and skills can name, and how it is called: topics, languages and tiers."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from handlers.web.desk import shown
from handlers.words import Words
from loyalty.customers.customers import LANGUAGES
from loyalty.tiers import tiers
from support import topics
from support.routing.rules import Rule

_LANGUAGES = {"vi": "Tiếng Việt", "en": "English"}


@dataclass(frozen=True, slots=True)
class Names:
    """What is called how: topics, languages and tiers that a rule or a skill can name."""

    topics: dict[str, str]
    languages: dict[str, str]
    tiers: dict[int, str]

    def rule(self, said: Words, rule: Rule | None) -> str:
        """What a rule asks for, in words."""
        if rule is None or rule.takes_all:
            return said("Everything else")
        parts = [
            None if rule.topic is None else self.topics.get(rule.topic, rule.topic),
            None if rule.language is None else self.languages[rule.language],
            None if rule.tier_id is None else said("{tier} and above", tier=self.tiers.get(rule.tier_id, "?")),
        ]
        return " · ".join(part for part in parts if part)


def of(session: Session, said: Words, shop_id: int) -> Names:
    """The names at a shop, its own topics among them."""
    own = [one for one in topics.own(session, shop_id) if one.offered]
    return Names(
        shown.topics(said, own), {key: _LANGUAGES[key] for key in LANGUAGES},
        {tier.id: tier.name for tier in tiers.every(session)},
    )  # fmt: skip
