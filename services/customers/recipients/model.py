"""The recipients (GDPR Art. 15(1)(c)): a short reviewed list. Who is not on it receives nothing."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipient:
    """`categories` as in the field policy."""

    name: str
    receives: str
    categories: frozenset[str]


# Other services of ours get pseudonyms and ciphertext; nobody else gets anything. Reviewed with the field policy.
RECIPIENTS: tuple[Recipient, ...] = (
    Recipient(
        "sales agents of Chinook Corporation, and their managers",
        "what the purpose needs, each look recorded",
        frozenset({"Name", "Contact data", "Place"}),
    ),
)


def of_category(category: str) -> list[str]:
    """Who receives data of `category`, with what they receive."""
    return [f"{one.name}: {one.receives}" for one in RECIPIENTS if category in one.categories]
