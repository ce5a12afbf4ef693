"""Cosignatures: the published example's framing, every other reading refused, and quorums that count keys, not lines."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import MalformedError, TamperError
from shared.keys import ed25519, mldsa
from shared.notes.cosignature import (
    COSIGNATURE,
    COSIGNATURE_PQ,
    TIME_MAX,
    Quorum,
    UnwitnessedError,
    cosign,
    cosigned,
    parse_witness,
    witness_vkey,
)
from shared.notes.note import LocalSigner, parse_vkey, sign_note, split_note, verify_note, vkey

LOG = LocalSigner("kept.local/log/a/0", bytes(32))
LOG_KEY = vkey(LOG.name, LOG.public)
TEXT = "kept.local/log/a/0\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SEEDS = {name: bytes([n]) * 32 for n, name in enumerate(("w.example/one", "w.example/two", "w.example/three"), 1)}
KINDS = dict(zip(SEEDS, (COSIGNATURE, COSIGNATURE_PQ, COSIGNATURE), strict=True))
VKEYS = [witness_vkey(name, seed, KINDS[name]) for name, seed in SEEDS.items()]
# The example of c2sp.org/tlog-cosignature. Its key is not published: what it shows is the framing, and the time it names.
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


async def note(*names: str, at: int = 1_679_315_147) -> str:
    return await sign_note(TEXT, LOG) + "".join(cosign(TEXT, name, SEEDS[name], at, KINDS[name]) for name in names)


def test_the_published_example() -> None:
    text, lines = split_note(EXAMPLE)
    name, raw = lines[1]
    assert (name, len(raw), int.from_bytes(raw[4:12], "big")) == ("witness.example.com/w1", 76, 1_679_315_147)
    seed = bytes(32)
    made = cosign(text, name, seed, 1_679_315_147)
    message = b"cosignature/v1\ntime 1679315147\n" + text.encode()
    raw = base64.b64decode(made.split(" ")[2])
    ed25519.verify(ed25519.public_of(seed), raw[12:], message)
    assert raw[4:12].hex() == "00000000641850cb"


@settings(max_examples=30)
@given(st.integers(1, TIME_MAX), st.sampled_from(range(2)))
async def test_what_is_signed_is_what_is_read(at: int, who: int) -> None:
    signed = await note(list(SEEDS)[who], at=at)
    keys = [parse_witness(text) for text in VKEYS]
    assert cosigned(signed, keys) == {keys[who]: at}
    assert verify_note(signed, [LOG_KEY]) == TEXT  # who knows no witness passes over its line


@pytest.mark.parametrize("name", ["w.example/one", "w.example/two"])
async def test_one_flipped_bit_of_a_known_witness_is_never_passed_over(name: str) -> None:
    signed = (await note(name)).encode()
    quorum = Quorum.of([witness_vkey(name, SEEDS[name], KINDS[name])])
    quorum.check(signed.decode())
    for place in [*range(min(300, len(signed))), *range(300, len(signed), 41)]:  # a line of ML-DSA-44 is long
        bad = bytearray(signed)
        bad[place] ^= 1
        log_line = signed.index("— kept".encode()) <= place < signed.index("— w.".encode())
        if not log_line:
            with pytest.raises((TamperError, MalformedError, UnicodeDecodeError)):
                quorum.check(bad.decode())


async def test_a_plain_signature_under_the_same_key_is_no_cosignature() -> None:
    """The key id has the type in it: a witness's key that signs notes says nothing about time or consistency."""
    plain = LocalSigner("w.example/one", SEEDS["w.example/one"])
    signed = await note() + (await sign_note(TEXT, plain)).rpartition("\n\n")[2]
    with pytest.raises(UnwitnessedError):
        Quorum.of(VKEYS[:1]).check(signed)
    with pytest.raises(MalformedError):
        parse_witness(vkey(plain.name, plain.public))
    with pytest.raises(MalformedError):
        parse_vkey(VKEYS[0])


@pytest.mark.parametrize(("given", "needed", "least"), [(1, 0, 1), (2, 0, 2), (3, 0, 2), (3, 1, 1), (3, 3, 3)])
async def test_quorums(given: int, needed: int, least: int) -> None:
    quorum, names = Quorum.of(VKEYS[:given], needed), list(SEEDS)[:given]
    for count in range(given + 1):
        signed = await note(*names[:count])
        assert quorum.reached(signed) == (count >= least)
    with pytest.raises(UnwitnessedError, match=r"0 of the .*w\.example/one"):
        quorum.check(await note())


async def test_one_witness_counts_once() -> None:
    twice = await note("w.example/one", "w.example/one")
    assert not Quorum.of(VKEYS, 2).reached(twice)
    other_name = witness_vkey("w.example/alias", SEEDS["w.example/one"])
    other_key = witness_vkey("w.example/one", SEEDS["w.example/one"], COSIGNATURE_PQ)
    for second in (VKEYS[0], other_name, other_key):
        with pytest.raises(MalformedError, match="twice"):
            Quorum.of([VKEYS[0], second])
    for wrong in (-1, 4):
        with pytest.raises(MalformedError):
            Quorum.of(VKEYS, wrong)


async def test_a_time_beyond_what_may_be_said() -> None:
    with pytest.raises(TamperError):
        cosigned(await note("w.example/one", at=TIME_MAX + 1), [parse_witness(VKEYS[0])])
    for at in (0, TIME_MAX + 1):  # 0: no word that it was the largest tree
        with pytest.raises(MalformedError):
            await note("w.example/two", at=at)


async def test_what_ml_dsa_signs() -> None:
    """The structure of c2sp.org/tlog-cosignature, field by field; in tests/foreign others verify it."""
    text, name, origin = EXAMPLE.partition("\n\n")[0] + "\n", b"witness.example.com/w1", b"example.com/behind-the-sofa"
    raw = base64.b64decode(cosign(text, name.decode(), bytes(32), 1_679_315_147, COSIGNATURE_PQ).split(" ")[2])
    message = b"subtree/v1\n\0" + bytes([22]) + name + (1_679_315_147).to_bytes(8, "big") + bytes([27]) + origin
    message += bytes(8) + (20852163).to_bytes(8, "big") + base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    mldsa.verify(mldsa.public_of(bytes(32)), raw[12:], message)
    assert len(raw) == 4 + 8 + 2420
