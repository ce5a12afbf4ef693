"""By what people are found, and whether they still are: blind indexes and locators, taken before their keys rotate and
looked at after."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from shared.values.identifiers import Identifier, external, version_of
from shared.values.mailbox import mailbox
from shared.values.typed import number
from tests.support.insider import Insider
from tests.support.left import locators_of
from tests.support.made_up import email, table
from tests.support.platform import Platform
from tests.support.portal import Person
from tests.support.staff import credentials, try_codes

# Where locators stand, and where indexes do: service, table, column.
LOCATORS = (
    ("customers", "customer_locators", "locator"), ("customers", "staff_locators", "locator"),
    ("identity", "user_locators", "locator"), ("audit", "trail.known_locators", "locator"),
)  # fmt: skip
INDEXES = (
    ("customers", "customers", "email_index"),
    ("customers", "customers", "phone_index"),
    ("identity", "users", "email_index"),
)
Places = Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Found:
    """Every locator and index that leads to somebody now, and one customer among them."""

    platform: Platform
    number: str
    subject: str
    locators: frozenset[str]
    indexes: frozenset[bytes]

    def found_as_before(self, jane: httpx.Client, nancy: httpx.Client) -> None:
        """By the staff, by a file, by the person at the portal, by other services; and the staff can sign in."""
        page = jane.post("/api/customers/search", json={"email": email(self.number)}, headers={"X-Purpose": "support"})
        assert [one["id"] for one in page.raise_for_status().json()["items"]] == [self.subject]
        sent = {"content": table([self.number]), "headers": {"Content-Type": "text/csv"}, "timeout": 60}
        again = nancy.post("/api/customers/imports", **sent).raise_for_status().json()  # type: ignore[arg-type]
        assert (again["created"], again["already_there"], again["unowned"]) == (0, 1, 0)
        assert try_codes(self.platform.origin, credentials(self.platform.state, "jane"))
        person = Person(self.platform.origin, email(self.number))
        person.ask("access")
        person.prove()
        person.until("Download")

    async def computed(self) -> set[str]:
        """The newest locators of the customer, as whoever knows address and number computes them now."""
        address: Identifier = "email", mailbox(email(self.number))
        return set(await locators_of(self.platform, address, ("external", external("customer", number(self.number)))))

    def known_to_audit(self, locators: set[str]) -> bool:
        """Whether audit finds the customer by all of them."""
        with Insider(self.platform.state, "audit").connect("audit") as connection:
            query = "SELECT locator FROM trail.known_locators WHERE subject = %s"
            return locators <= {str(one[0]) for one in connection.execute(query, (self.subject,)).fetchall()}

    def left(self) -> set[object]:
        """Of what led to somebody then, what still does."""
        now = found(self.platform, self.number, self.subject)
        return {*(self.locators & now.locators), *(self.indexes & now.indexes)}


def found(platform: Platform, number_: str, subject: str) -> Found:
    """As it is now."""
    locators, indexes = _all(platform, LOCATORS), _all(platform, INDEXES)
    return Found(platform, number_, subject, frozenset(map(str, locators)), frozenset(bytes(one) for one in indexes))  # type: ignore[arg-type]  # of bytea


def versions(locators: Sequence[str] | frozenset[str]) -> set[int]:
    """Of which versions of their key they are."""
    return {version_of(one) for one in locators}


def _all(platform: Platform, places: Places) -> set[object]:
    rows: set[object] = set()
    for service, name, column in places:
        with Insider(platform.state, service).connect(service) as connection:
            query = f"SELECT {column} FROM {name} WHERE {column} IS NOT NULL"
            rows |= {one[0] for one in connection.execute(query).fetchall()}  # type: ignore[call-overload]  # of names of ours
    return rows
