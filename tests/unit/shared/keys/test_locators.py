"""Locators: keyed hashes of normal forms."""

import base64

from shared.keys.locators import locators
from shared.values.identifiers import external, identifier
from shared.values.mailbox import mailbox
from shared.values.typed import number


class _Vault:
    asked: list[bytes]

    async def hmac(self, key: str, values: list[bytes]) -> list[str]:
        assert key == "kept-locator"
        self.asked = values
        return ["vault:v3:" + base64.b64encode(bytes(32)).decode() for _ in values]


async def test_a_locator_names_its_key_version() -> None:
    vault = _Vault()
    known = [("email", mailbox("A@example.org")), ("external", external("customer", number("17")))]
    found = await locators(vault, known)  # type: ignore[arg-type]
    assert found == ["loc_3_" + "00" * 32] * 2
    assert vault.asked == [b"email:a@example.org", b"external:customer:17"]


def test_what_another_service_knows_is_brought_into_the_same_form() -> None:
    assert identifier("email", " Anna@T.example ") == ("email", "anna@t.example")
    assert identifier("phone", "0049 30 901820") == ("phone", "+4930901820")
    assert identifier("external", "invoice:00-17") == ("external", "invoice:00-17")
