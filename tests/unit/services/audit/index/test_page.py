"""The page renders whatever an event says, in both languages, and both know the same words."""

from pathlib import Path
from typing import Any

import pytest

import services.audit.index
from services.audit.index.model import Row
from services.audit.index.pages import NAMES, WORDS, alarms_in, link, shown, words
from shared.bus.event import REGISTRY
from shared.http.pages import pages
from tests.unit.services.audit.index.test_ocsf import ONE, TWO

TEMPLATE = pages(Path(services.audit.index.__file__).parent / "templates").get_template("trail.html")


def rendered(lang: str, rows: list[Row], **other: Any) -> str:
    nothing: dict[str, Any] = dict.fromkeys(("wrong", "ledger", "scrubbed", "more", "progress"), "")
    values = {**nothing, "given": {}, "alarms": [], "kinds": {}, "link": link, "staff": True}
    return TEMPLATE.render(w=words(lang), lang=lang, rows=[shown(one, lang) for one in rows], **values | other)


def row(type_: str, **detail: Any) -> Row:
    return Row(id="e", type=type_, actor=ONE, subject=None, time="2026-01-31T12:00:00+00:00", trace=None, purpose="support",
               shard="kept.customers/0", index=7, detail=detail)  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_is_escaped_and_said(lang: str) -> None:
    bad = "<script>alert(1)</script>"
    look = row("kept.customers.records.viewed.v1", subjects=[ONE, TWO], fields={"email": bad}, empty={})
    alarm = row("kept.audit.alarm.raised.v1", kind="tampered", shard="kept.dsar/0", first=1, last=2)
    given = {"subject": bad, "from": "2026-01-01", "looks": "true"}
    alarms = [shown(alarm, lang), shown(row(bad), lang)]
    text = rendered(
        lang,
        [look, row(bad), row("(gap)")],
        alarms=alarms,
        kinds=alarms_in(lang),
        given=given,
        wrong="from",
        more="/audit?cursor=x",
        ledger="now",
    )
    assert "<script" not in text and f"2 {words(lang).people}" in text and alarms_in(lang)["tampered"] in text
    assert NAMES["customers.records.viewed"][lang == "zh"] in text and "checked" in text


def test_both_languages_say_the_same_things() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
    names = {kind.removeprefix("kept.").rpartition(".v")[0] for kind in REGISTRY}
    assert set(NAMES) <= names, "no name of an event that is not there"


def test_links_carry_the_filters() -> None:
    assert link("/audit", **{"from": "2026-01-01", "actor": "", "type": "kept.*"}) == "/audit?from=2026-01-01&type=kept.%2A"
