"""A package: everything in it, nothing active in it, the same bytes each time."""

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrage import encrypt as age
from pyrage import passphrase, x25519

from services.dsar.packages.model import HolderAnswer, file_name, files_of, join, read_part, zipped
from services.dsar.packages.render import WORDS, page, plain
from services.dsar.packages.seal import lock, new_pair, open_answer
from shared.errors import InvalidInputError, MalformedError, TamperError

SUMMARY = {
    "request": "req_1",
    "received": "2026-11-24",
    "controller": "Chinook",
    "contact": "a@b.c",
    "law": "EU",
    "article": "15",
    "missing": ["billing"],
}
PART = {
    "holder": "customers",
    "categories": [
        {
            "name": "record",
            "purpose": "support",
            "basis": "6(1)(b)",
            "retention": "2 y",
            "recipients": ["hosting"],
            "records": [{"email": "luisg@embraer.com.br", "name": "Luís <script>alert(1)</script>"}],
        }
    ],
}


def answer() -> HolderAnswer:
    return read_part(json.dumps(PART).encode(), "customers")


def test_a_part_opens_only_with_the_requests_own_key() -> None:
    private, recipient = new_pair()
    sealed = age(b"secret", [x25519.Recipient.from_str(recipient)])
    assert open_answer(sealed, private) == b"secret"
    with pytest.raises(TamperError):
        open_answer(sealed, new_pair()[0])


def test_a_holder_speaks_for_itself_only() -> None:
    with pytest.raises(MalformedError):
        read_part(json.dumps(PART).encode(), "audit")
    with pytest.raises(MalformedError):
        read_part(b'{"holder": 5}', "audit")


def test_parts_continue_each_other() -> None:
    whole = join([answer(), answer()])
    assert whole.count == 2 and len(whole.categories) == 1


@pytest.mark.parametrize("language", sorted(WORDS))
def test_the_page_says_everything_and_runs_nothing(language: str) -> None:
    html = page(language, SUMMARY, [answer(), HolderAnswer(holder="identity")])
    for said in ("luisg@embraer.com.br", "support", "6(1)(b)", "hosting", "billing", WORDS[language]["nothing"]):
        assert said in html
    assert "<script" not in html and "http" not in html, "no script, and nothing fetched from anywhere"


def test_the_zip_has_the_page_and_the_data() -> None:
    content = zipped(files_of(SUMMARY, [answer()], page("en", SUMMARY, [answer()])))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["data/customers.json", "index.html", "request.json"]
        assert json.loads(archive.read("data/customers.json"))["categories"][0]["records"][0]["email"] == "luisg@embraer.com.br"
    assert content == zipped(files_of(SUMMARY, [answer()], page("en", SUMMARY, [answer()])))


@given(st.text())
def test_a_holders_name_never_leaves_the_folder(name: str) -> None:
    assert file_name(name).startswith("data/") and ".." not in file_name(name) and file_name(name).count("/") == 1


def test_a_package_can_be_locked_for_its_person() -> None:
    private, recipient = new_pair()
    assert open_answer(lock(b"zip", phrase="", recipient=recipient), private) == b"zip"
    assert passphrase.decrypt(lock(b"zip", phrase="open sesame", recipient=""), "open sesame") == b"zip"
    assert lock(b"zip", phrase="", recipient="") == b"zip"
    with pytest.raises(InvalidInputError):
        lock(b"zip", phrase="", recipient="age1nonsense")


def test_nested_values_read_as_words() -> None:
    assert plain({"email": "clear", "phone": ["masked", None]}) == "email: clear, phone: masked, "
