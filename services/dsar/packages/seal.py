"""age around packages: the request's own key for answers, the person's passphrase or recipient for the file."""

from pyrage import DecryptError, RecipientError, decrypt, encrypt, passphrase, x25519

from shared.errors import InvalidInputError, TamperError


def new_pair() -> tuple[str, str]:
    """(private key, recipient) of a fresh X25519 age identity."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def open_answer(sealed: bytes, private_key: str) -> bytes:
    """Open what a holder sealed to the request's key."""
    try:
        return bytes(decrypt(sealed, [x25519.Identity.from_str(private_key)]))
    except DecryptError as error:
        raise TamperError("a holder's answer is not sealed to this request") from error


def lock(package: bytes, *, phrase: str, recipient: str) -> bytes:
    """The package for the person's own key or passphrase; as it is where neither is given."""
    if recipient:
        try:
            return bytes(encrypt(package, [x25519.Recipient.from_str(recipient)]))
        except RecipientError as error:
            raise InvalidInputError("this is not an age recipient", field="recipient") from error
    if phrase:
        return bytes(passphrase.encrypt(package, phrase))
    return package
