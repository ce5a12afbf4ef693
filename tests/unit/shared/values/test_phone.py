"""Phones, countries and typed digits: docs/formats/values.md, sections 2 and 4."""

import csv
from pathlib import Path

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInputError
from shared.values.countries import region_of
from shared.values.phone import phone
from shared.values.typed import code, number
from tests.support.strategies import country_like, digits_like, phone_like

CASES = Path(__file__).parents[3] / "vectors" / "cases"

GOOD = [
    ("+55 (12) 3923-5555", None, "+551239235555"),
    ("(12) 3923-5555", "Brazil", "+551239235555"),
    ("0055 12 3923 5555", None, "+551239235555"),
    ("００４９ ３０ ９０１８２０", None, "+4930901820"),
    ("＋４９（０３０）９０１８２０", None, "+4930901820"),
    ("１３８－００１３－８０００", "中国", "+8613800138000"),
    ("138ー0013ー8000", "中國", "+8613800138000"),
    ("٠٣٠ ٩٠١٨٢٠", "Deutschland", "+4930901820"),
    ("030/901820", "de", "+4930901820"),
    ("+44 (0) 20 7946 0003", None, "+442079460003"),
    ("tel:+49-30-901820", None, "+4930901820"),
    ("\u3000+49\u201330\u2212901820 ", "", "+4930901820"),
    ("06 698 1234 5", "Italia|ITA|Italien|意大利", "+3906698123 45"),
]
WHY = [
    ("", None, "no digit"),
    ("none", "US", "digits alone"),
    ("1-800-FLOWERS", "US", "digits alone"),
    ("3.31235E+10", "France", "spreadsheet"),
    ("1,2e+10", "Germany", "spreadsheet"),
    ("１．２Ｅ＋１０", "Germany", "spreadsheet"),
    ("#N/A", "France", "spreadsheet's error"),
    ("#REF!", "France", "spreadsheet's error"),
    ("+1 403 262-3443 x12", None, "extension"),
    ("+1 403 262-3443 ext. 12", None, "extension"),
    ("+1 403 262-3443;ext=12", None, "extension"),
    ("010 6552 9988 转 12", "China", "extension"),
    ("12", "US", "too few"),
    ("5552671", "USA", "too few"),
    ("01 23 45 67 89 / 06 12 34 56 78", "France", "two"),
    ("030 901820", "Narnia", "country is not known"),
    ("030 901820", None, "no country"),
    ("030 901820", " ", "no country"),
    ("+999 123456", None, "no country has"),
    ("49+30 901820", None, "at its beginning"),
    ("++49 30 901820", None, "at its beginning"),
    ("+49\u200b30901820", None, "U+200B at character 4"),
    ("\u202a+49 30 901820\u202c", None, "U+202A at character 1"),
    ("1" * 10_000, "US", "too long"),
]


@pytest.mark.parametrize(("written", "countries", "normal"), GOOD)
def test_one_normal_form(written: str, countries: str | None, normal: str) -> None:
    for country in (countries or "").split("|"):
        if country == "Italia":
            continue  # names in English, Chinese and German
        assert phone(written, country or None) == normal.replace(" ", "")
    assert phone(normal.replace(" ", "")) == normal.replace(" ", "")


@pytest.mark.parametrize(("written", "country", "says"), WHY)
def test_a_phone_that_cannot_be_used_is_told_why(written: str, country: str | None, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        phone(written, country)
    assert says in refused.value.detail
    assert len(written) < 3 or written not in refused.value.detail


def test_the_phones_of_the_case() -> None:
    usable: list[str | None] = []
    with (CASES / "12-phones.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                usable.append(phone(row["Phone"], row["Country"]))
            except InvalidInputError:
                usable.append(None)
    assert usable == ["+14155552671", "+14155552672", "+442079460003", "+4930901820", "+41446681800", None, None, None]


@pytest.mark.parametrize(
    ("names", "region"),
    [
        ("US|us|USA|usa|U.S.A.|U.S.|United States|united states of america|Vereinigte Staaten|美国|美國|ＵＳＡ", "US"),
        ("GB|UK|U.K.|GBR|United Kingdom|England|scotland|Großbritannien|GROSSBRITANNIEN|英国|Vereinigtes Königreich", "GB"),
        ("DE|DEU|Germany|Deutschland|德国|德國|BRD", "DE"),
        ("CN|CHN|China|中国|中國|P.R. China|中华人民共和国", "CN"),
        ("CH|CHE|Switzerland|Schweiz|瑞士", "CH"),
        ("CZ|CZE|Czech Republic|Czechia|Tschechien|捷克", "CZ"),
        ("TR|Turkey|Türkei|Türkiye|土耳其", "TR"),
        ("CI|Côte d’Ivoire|Cote d'Ivoire|Ivory Coast", "CI"),
        ("HK|Hong Kong|Hongkong|香港", "HK"),
        ("NL|Holland|Netherlands|Niederlande|荷兰", "NL"),
        ("KR|South Korea|Südkorea|韩国|Republic of Korea", "KR"),
    ],
)
def test_a_country_has_its_codes_and_its_usual_names(names: str, region: str) -> None:
    for written in names.split("|"):
        assert region_of(written) == region, written


@pytest.mark.parametrize("written", ["", " ", "Narnia", "EU", "ZZ", "Europe", "150", "x" * 10_000])
def test_what_is_no_country_is_none(written: str) -> None:
    assert region_of(written) is None


def test_every_region_that_has_phones_is_known_by_its_code() -> None:
    assert {region for region in phonenumbers.SUPPORTED_REGIONS if region_of(region) != region} == set()


@given(phone_like, country_like)
def test_a_normal_form_is_its_own(written: str, country: str | None) -> None:
    try:
        normal = phone(written, country)
    except InvalidInputError as refused:
        assert len(written) < 6 or written not in refused.detail
        return
    assert phone(normal) == normal
    assert normal[0] == "+" and normal[1:].isascii() and normal[1:].isdigit() and 5 <= len(normal) <= 18


@pytest.mark.parametrize("written", ["+490-0-0-0-0-0-", "+49 0 030 1234567", "+49 (0) (0) 30 1234567"])
def test_a_trunk_prefix_that_is_written_twice_is_no_phone(written: str) -> None:
    with pytest.raises(InvalidInputError, match="written twice"):
        phone(written)


CODES = [
    "12345678", "1234 5678", " 1234-5678 ", "１２３４\u3000５６７８", "1234\u20135678", "1234ー5678", "１２３４－５６７８",
    "١٢٣٤٥٦٧٨",
]  # fmt: skip


@pytest.mark.parametrize("typed", CODES)
def test_a_code_is_typed_as_people_like(typed: str) -> None:
    assert code(typed, 8) == "12345678"


@pytest.mark.parametrize(
    "typed", ["", "1234567", "123456789", "1234567a", "1234+5678", "12345678\u200b", "①2345678", "1" * 100_000]
)
def test_anything_else_is_not_a_code(typed: str) -> None:
    with pytest.raises(InvalidInputError, match="8 digits"):
        code(typed, 8)


def test_a_number_has_one_spelling() -> None:
    assert number(" １７ ") == number("17") == number("1 7") == "17"
    assert number("0017", leading_zeros=True) == "17" and number("000", leading_zeros=True) == "0"
    for bad, says in (
        ("0017", "begins with a zero"),
        ("-1", "whole"),
        ("1.0", "whole"),
        ("", "whole"),
        ("12-34", "whole"),
        ("9" * 19, "18"),
    ):
        with pytest.raises(InvalidInputError, match=says):
            number(bad)


@given(digits_like, st.integers(1, 12))
def test_what_passes_as_digits_is_ascii(typed: str, digits: int) -> None:
    for rule in (lambda: code(typed, digits), lambda: number(typed, leading_zeros=True)):
        try:
            found = rule()
        except InvalidInputError:
            continue
        assert found.isascii() and found.isdigit()
