"""One spelling per identifier."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.keys.locators import locators
from shared.keys.normalise import normalise_email, normalise_phone


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("  LuisG@Embraer.com.BR ", "luisg@embraer.com.br"),
        ("ｌuis@example.org", "luis@example.org"),
        ("jane@münchen.de", "jane@xn--mnchen-3ya.de"),
    ],
)
def test_email(spelled: str, expected: str) -> None:
    assert normalise_email(spelled) == expected


@pytest.mark.parametrize("bad", ["", "x", "@example.org", "a@", "a b@example.org", "a@exa mple.org", "a@" + "x" * 300])
def test_what_is_no_email(bad: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        normalise_email(bad)
    assert caught.value.field == "email"


@given(st.emails())
def test_normalising_twice_changes_nothing(address: str) -> None:
    try:
        once = normalise_email(address)
    except InvalidInputError:
        return
    assert normalise_email(once) == once


def test_phone() -> None:
    assert normalise_phone("+55 (12) 3923-5555") == normalise_phone("(12) 3923-5555", "BR") == "+551239235555"
    for bad in ("", "phone", "12"):
        with pytest.raises(InvalidInputError):
            normalise_phone(bad)


class _Vault:
    asked: list[bytes]

    async def hmac(self, key: str, values: list[bytes]) -> list[str]:
        assert key == "kept-locator"
        self.asked = values
        return ["vault:v3:" + base64.b64encode(bytes(32)).decode() for _ in values]


async def test_a_locator_names_its_key_version() -> None:
    vault = _Vault()
    found = await locators(vault, [("email", "A@example.org"), ("external", "customer:17")])  # type: ignore[arg-type]
    assert found == ["loc_3_" + "00" * 32] * 2
    assert vault.asked == [b"email:a@example.org", b"external:customer:17"]
