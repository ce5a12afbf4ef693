"""Nobody takes over an account by writing an address: identity has no way to change one, and mails nobody (docs/mail.md)."""

import re
from pathlib import Path

IDENTITY = Path(__file__).parents[4] / "services" / "identity"


def test_an_address_is_written_when_the_account_is_made_and_never_again() -> None:
    found = {
        (path.name, line.strip())
        for path in IDENTITY.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bemail(_index)?\s*=(?!=)", line) and not line.strip().startswith(("email: ", "email_index: "))
    }
    writes = {name for name, line in found if re.search(r"\.email(_index)?\s*=(?!=)", line)}
    assert writes == {"holder.py", "renewal.py"}, "an erasure empties it; its index is made anew of the same address"
    (anew,) = {line for name, line in found if name == "renewal.py"}
    assert anew == 'user.email_index = (await blind.of("email", normal)).value'
    assert {name for name, line in found if "w.seal(User.email" in line} == {"actions.py"}


def test_identity_sends_no_mail() -> None:
    assert not [path for path in IDENTITY.rglob("*.py") if "shared.mail" in path.read_text(encoding="utf-8")]
