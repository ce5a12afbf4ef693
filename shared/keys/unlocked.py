"""The keys that one unit of work has unlocked: with them a value is opened at once, when it is looked at, and once."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from shared.errors import InvariantError, ShreddedError, UnavailableError
from shared.keys.cipher import DataKey, FieldCipher, Sealed, key_version, measured, of_column
from shared.keys.keyring import Keyring, WrappedKey

Column = InstrumentedAttribute[Any]
FIRST = 1  # version of a person's key; whose is another, has been renewed


class Unlocked:
    """What is read here once stays as it is until the unit of work ends; a shred counts from the next one on."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._keys: dict[str, DataKey | None] = {}
        self._older: dict[tuple[str, int], DataKey] = {}
        self._ciphers: dict[tuple[str, int], FieldCipher] = {}
        self._clear: dict[Sealed, tuple[Column, str, str]] = {}

    async def unlock(self, wrapped: Mapping[str, WrappedKey]) -> None:
        """The keys that came with the rows."""
        self._keys |= await self._keyring.unwrap({one: key for one, key in wrapped.items() if one not in self._keys})

    async def unlock_of(self, session: AsyncSession, subjects: Iterable[str]) -> None:
        """Read the keys of these, where a row's own query did not bring them. Who has none is left out. A row may have been
        read a moment before its key was renewed: of whoever's ever was, the older versions are read too."""
        missing = [one for one in dict.fromkeys(subjects) if one not in self._keys]
        found = await self._keyring.wrapped(session, missing) if missing else {}
        await self.unlock(found)
        for one, key in found.items():
            if key.wrapped is not None and key.version > FIRST:
                await self.unlock_versions(session, one)

    async def create(self, session: AsyncSession, subjects: Iterable[str]) -> None:
        """A data key for each of these new people. ShreddedError, ConflictError: `Keyring.create`."""
        self._keys |= await self._keyring.create(session, list(subjects))

    async def unlock_versions(self, session: AsyncSession, subject: str) -> None:
        """Every version of the subject's key: what was sealed before a renewal opens, too."""
        for version, key in (await self._keyring.versions(session, subject)).items():
            self._older[subject, version] = key

    async def renew(self, session: AsyncSession, subject: str) -> int:
        """Another version of the subject's key, which seals from now on; what the ones before sealed opens as well here. Its
        number. ShreddedError, InvariantError: `Keyring.renew`."""
        key = await self._keyring.renew(session, subject)
        await self.unlock_versions(session, subject)
        self._keys[subject] = key
        return key.version

    def lock(self, subject: str) -> None:
        """Forget it: the subject was shredded in this unit of work."""
        self._keys[subject] = None
        self._older = {of: key for of, key in self._older.items() if of[0] != subject}
        self._ciphers = {of: cipher for of, cipher in self._ciphers.items() if of[0] != subject}
        self._clear = {sealed: known for sealed, known in self._clear.items() if known[1] != subject}

    def release(self, subjects: Iterable[str]) -> None:
        """Of many people: forget their keys and what was opened or sealed of them."""
        gone = set(subjects)
        for one in gone:
            self._keys.pop(one, None)
        self._ciphers = {of: cipher for of, cipher in self._ciphers.items() if of[0] not in gone}
        self._clear = {sealed: known for sealed, known in self._clear.items() if known[1] not in gone}

    def seal(self, column: Column, subject: str, value: str) -> Sealed:
        """Encrypt `value` for `column` of `subject`, whose key is unlocked."""
        sealed = self._cipher(subject, self._key(subject)).seal(self._place(column, subject), value)
        self._clear[sealed] = column, subject, value
        return sealed

    def open(self, column: Column, subject: str, sealed: Sealed) -> str:
        """Decrypt. ShreddedError, TamperError; InvariantError where the key was not unlocked."""
        known = self._clear.get(sealed)
        if known is not None and known[0] is column and known[1] == subject:
            return known[2]
        value = self.open_once(column, subject, sealed)
        self._clear[sealed] = column, subject, value
        return value

    def open_once(self, column: Column, subject: str, sealed: bytes) -> str:
        """As `open`, where nobody will ask again: nothing is remembered."""
        key, version = self._key(subject), key_version(sealed)
        if version != key.version:
            if version == key.version + 1:  # renewed at this moment: the row is newer than the key that was read with it
                raise UnavailableError("the person's key was renewed at this moment; come again", retry_after=1)
            key = self._older.get((subject, version), key)
        return self._cipher(subject, key).open(self._place(column, subject), sealed)

    def _key(self, subject: str) -> DataKey:
        if subject not in self._keys:
            raise InvariantError("no data key of the subject is unlocked")
        key = self._keys[subject]
        if key is None:
            raise ShreddedError()
        return key

    def _cipher(self, subject: str, key: DataKey) -> FieldCipher:
        cipher = self._ciphers.get((subject, key.version))
        if cipher is None:
            cipher = self._ciphers[subject, key.version] = FieldCipher(key)
        return cipher

    def _place(self, column: Column, subject: str) -> bytes:
        return _begin(self._keyring.service, column) + measured(subject)


_BEGINNINGS: dict[tuple[str, Column], bytes] = {}


def _begin(service: str, column: Column) -> bytes:
    """What the places of all values of a column begin with, put together once."""
    found = _BEGINNINGS.get((service, column))
    if found is None:
        found = _BEGINNINGS[service, column] = of_column(service, str(column.class_.__tablename__), column.key)
    return found
