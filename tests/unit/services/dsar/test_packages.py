"""A package: everything in it, nothing active in it, the same bytes each time."""

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyrage import DecryptError, passphrase, x25519
from pyrage import encrypt as age

from services.dsar.packages.actions import Contents, packed
from services.dsar.packages.model import (
    CELLS_PER_VALUE,
    COLUMNS_MAX,
    Category,
    HolderAnswer,
    file_name,
    files_of,
    join,
    read_part,
    zipped,
)
from services.dsar.packages.render import WORDS, looker, page, plain
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


def _opens(locked: bytes, phrase: str) -> bool:
    """The library measures how much work one second of this machine is, and refuses what seems far more: under a load that
    comes and goes it may refuse what it has just made."""
    try:
        return bytes(passphrase.decrypt(locked, phrase)) == b"zip"
    except DecryptError:
        return False


def test_a_package_can_be_locked_for_its_person() -> None:
    private, recipient = new_pair()
    assert open_answer(lock(b"zip", phrase="", recipient=recipient), private) == b"zip"
    assert any(_opens(lock(b"zip", phrase="open sesame", recipient=""), "open sesame") for _ in range(5))
    assert lock(b"zip", phrase="", recipient="") == b"zip"
    with pytest.raises(InvalidInputError):
        lock(b"zip", phrase="", recipient="age1nonsense")


def test_nested_values_read_as_words() -> None:
    assert plain({"email": "clear", "phone": ["masked", None]}) == "email: clear, phone: masked, "


def test_what_is_packed_is_whole_names_who_cannot_be_read_and_needs_no_database() -> None:
    """All the work of the processor is in one function, which a thread runs: the service goes on answering."""
    private, recipient = new_pair()
    good = base64.b64encode(age(json.dumps(PART).encode(), [x25519.Recipient.from_str(recipient)])).decode()
    sealed = [("customers", good), ("identity", "bm90IGFnZQ==")]
    content, said, unreadable = packed(Contents("en", SUMMARY, sealed, private, ["audit"]))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {"data/customers.json", "data/identity.json", "data/audit.json"} <= set(archive.namelist())
        assert json.loads(archive.read("request.json"))["missing"] == ["billing", "identity"]
    assert (said, unreadable) == (["customers"], {"identity"})


def in_one(records: list[dict[str, Any]]) -> HolderAnswer:
    return HolderAnswer(holder="billing", categories=[Category(name="n", records=records)])


def cells(html: str) -> int:
    return html.count("<td") + html.count("<th") + html.count("<dd") + html.count("<dt")


@given(st.lists(st.dictionaries(st.text("abc", max_size=3), st.integers(), max_size=8), max_size=60))
def test_a_page_grows_as_what_it_shows_and_not_as_columns_times_records(records: list[dict[str, Any]]) -> None:
    empty = cells(page("en", SUMMARY, [in_one([])]))
    html = page("en", SUMMARY, [in_one(records)])
    values = sum(len(one) for one in records)
    assert cells(html) - empty <= max(2, CELLS_PER_VALUE + 1) * values
    assert all(f">{key}<" in html and f"<bdi>{value}</bdi>" in html for one in records for key, value in one.items())


def test_records_that_have_no_key_in_common_have_a_line_for_each_value() -> None:
    html = page("en", SUMMARY, [in_one([{f"k{n}": f"v{n}"} for n in range(2_500)])])
    assert "<table" not in html and cells(html) < 5_100 and "<bdi>v2499</bdi>" in html
    wide = [{f"k{n}": "v" for n in range(COLUMNS_MAX + 1)}] * 2
    assert "<table" not in page("en", SUMMARY, [in_one(wide)]), "too wide to read"
    assert "<table" in page("en", SUMMARY, [in_one([{"a": 1, "b": 2}, {"a": 3}])])


def test_joining_keeps_the_order_and_leaves_what_came_as_it_was() -> None:
    one, two = (Category(name="n", retention=held, records=[{"a": held}]) for held in ("1 y", "2 y"))
    whole = join([HolderAnswer(holder="billing", categories=[one, two]), HolderAnswer(holder="billing", categories=[one])])
    assert [record["a"] for record in whole.categories[0].records] == ["1 y", "2 y", "1 y"]
    assert len(whole.categories) == 1 and len(one.records) == len(two.records) == 1


LOOK = {
    "when": "2026-11-24T09:00:00Z",
    "who": "sub_" + "1" * 24 + "0badcafe",
    "what": "kept.customers.records.viewed.v1",
    "purpose": "",
}


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ("looked at customer records", "a member of staff (…0badcafe)")),
        ("zh", ("查看客户记录", "一名员工（…0badcafe）", "时间")),
    ],
)
def test_who_looked_is_told_in_words_and_ids_are_for_the_data_file(language: str, says: tuple[str, ...]) -> None:
    made = HolderAnswer(holder="audit", categories=[Category(name="who looked at your data", records=[LOOK, LOOK])])
    shown = page(language, {**SUMMARY, "coverage": []}, [made])
    assert all(one in shown for one in says) and LOOK["what"] not in shown and LOOK["who"] not in shown
    assert LOOK["who"] in files_of(SUMMARY, [made], shown)["data/audit.json"].decode()
    billing = page(language, {**SUMMARY, "coverage": []}, [made.model_copy(update={"holder": "billing"})])
    assert LOOK["what"] in billing, "another team's columns mean what that team says"


@pytest.mark.parametrize(
    ("actor", "says"),
    [
        ("system:customers", "customer records, by itself"),
        ("req_" + "0" * 32, "you, through your request (…00000000)"),
        ("?", "?"),
    ],
)
def test_a_looker_that_is_no_member_of_staff_is_none_on_the_page(actor: str, says: str) -> None:
    assert looker(actor, "en") == says
