"""Passwords: argon2id, and an unknown user costs as much as a known one."""

from argon2 import PasswordHasher

from services.identity.accounts.passwords import Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


async def test_right_wrong_and_nobody() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert await passwords.fits(stored, "correct horse")
    assert not await passwords.fits(stored, "correct house")
    assert not await passwords.fits(None, "nobody has this password")  # the dummy's own password opens nothing
    assert not await passwords.fits("not a hash", "x")


async def test_the_cut_off_part_of_a_password_counts() -> None:
    passwords = Passwords(CHEAP)
    stored = await passwords.hash("a" * 256)
    assert not await passwords.fits(stored, "a" * 257)
