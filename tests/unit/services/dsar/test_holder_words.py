"""What holders say, as people read it: names instead of ids, and every word of ours in Chinese too."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.customers.recipients.model import RECIPIENTS
from services.dsar.holder_words import ARTICLE, NAMES, ZH, all_called, called, quoted, told
from services.dsar.packages.model import HolderAnswer
from services.dsar.packages.render import page
from services.dsar.settings import DsarSettings

ROOT = Path(__file__).parents[4]
SUMMARY = {
    "missing": ["identity"],
    "coverage": [],
    "received": "",
    "controller": "",
    "contact": "",
    "law": "",
    "article": "",
}
OURS = ("identity", "customers", "audit", "dsar")


def said() -> Iterator[str]:
    """Every constant text that a holder of ours gives to `Category` or `Kept`, the field policy's words, and the recipients."""
    for file in ROOT.glob("services/**/*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("Category", "Kept"):
                values = (
                    one.value for one in call.keywords if one.arg in ("name", "purpose", "basis", "retention", "what", "reason")
                )
                yield from (one.value for one in values if isinstance(one, ast.Constant))  # type: ignore[misc]  # a text
    policy = tomllib.loads((ROOT / "services/customers/policy/field_policy.toml").read_text())
    for rule in policy["fields"].values():
        yield from (rule[name] for name in ("category", "purpose", "basis", "retention"))
    yield from (f"{one.name}: {one.receives}" for one in RECIPIENTS)


def test_every_word_of_our_own_holders_is_there_in_chinese_and_no_other() -> None:
    found = set(said())
    assert len(found) > 40
    assert {text for text in found if not ARTICLE.fullmatch(text)} == set(ZH)


def test_every_system_of_ours_has_a_name_for_people() -> None:
    holders = set(DsarSettings.model_fields["holders"].default)
    assert set(OURS) <= holders
    for language in ("en", "zh"):
        assert set(NAMES[language]) == set(OURS)
        assert not any(called(one, language) == one for one in holders), "no bare id"
    assert called("billing", "en") == "billing (another system)" and called("billing", "zh") == "billing（其他系统）"
    assert all_called(["audit", "billing"], "en") == "audit log, billing (another system)"


def test_what_another_team_says_stays_as_given_and_is_marked() -> None:
    assert told("invoices", "en") == "invoices" and told("invoices", "zh") == "invoices（原文）"
    assert told("GDPR 5(2), 17(3)(e)", "zh") == "GDPR 5(2), 17(3)(e)" and told("", "zh") == ""


def test_another_teams_words_are_a_quotation_also_where_they_are_ours() -> None:
    """Else a holder could write a line of ours, say in our words or with a mark of its own that ends the quotation."""
    ours = "that you asked, when, and the outcome, without your address"
    assert quoted(ours, "dsar", "en") == ours and quoted(ours, "dsar", "zh") == ZH[ours]
    assert quoted(ours, "billing", "en") == f"“{ours}”" and quoted(ours, "billing", "zh") == f"“{ours}”（原文）"
    assert quoted("a” and all is well “b", "billing", "en") == '“a" and all is well "b”'
    assert quoted("", "billing", "en") == ""
    category = {"name": "invoices", "purpose": "tax", "recipients": ["hosting"], "records": [{"a": 1}]}
    answers = [HolderAnswer.model_validate({"holder": "billing", "categories": [category]})]
    text = page("en", SUMMARY, answers)
    assert all(f"“{one}”" in text for one in ("invoices", "tax", "hosting"))


@pytest.mark.parametrize(
    ("language", "shown", "hidden"),
    [
        ("en", ["customer records", "staff accounts", "Contact data", "a law firm"], ["<h2>customers", "客户"]),
        ("zh", ["客户记录", "员工账户", "联系方式", "a law firm（原文）"], ["customers", "Contact data", "identity"]),
    ],
)
def test_a_packages_page_speaks_the_readers_language(language: str, shown: list[str], hidden: list[str]) -> None:
    category = {"name": "Contact data", "recipients": ["a law firm"], "records": [{"email": "a@b.example"}]}
    answers = [HolderAnswer.model_validate({"holder": "customers", "categories": [category]}), HolderAnswer(holder="audit")]
    text = page(language, SUMMARY, answers)
    assert all(one in text for one in shown) and not any(one in text for one in hidden)
