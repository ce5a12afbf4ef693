"""The page renders whatever an event says, in both languages, and both know the same words."""

from pathlib import Path
from typing import Any

import pytest

import services.audit.trail
from services.audit.index.alarms import Acknowledgement, Alarm, reasons_in, said_of
from services.audit.index.model import Row
from services.audit.trail.pages import WORDS, link, shown, words
from shared.bus.event import REGISTRY
from shared.event_names import NAMES
from shared.http.pages import pages
from tests.unit.services.audit.index.test_ocsf import ONE, TWO

TEMPLATES = pages(Path(services.audit.trail.__file__).parent / "templates")
TEMPLATE = TEMPLATES.get_template("trail.html")


def rendered(lang: str, rows: list[Row], **other: Any) -> str:
    nothing: dict[str, Any] = dict.fromkeys(("wrong", "ledger", "scrubbed", "more", "progress"), "")
    values = {**nothing, "given": {}, "alarms": [], "link": link, "staff": True}
    return TEMPLATE.render(w=words(lang), lang=lang, rows=[shown(one, lang) for one in rows], **values | other)


def row(type_: str, **detail: Any) -> Row:
    return Row(id="e", type=type_, actor=ONE, subject=None, time="2026-01-31T12:00:00+00:00", trace=None, purpose="support",
               shard="kept.customers/0", index=7, detail=detail)  # fmt: skip


def alarm(kind: str, lang: str, seen_to: Acknowledgement | None = None) -> Alarm:
    said = said_of(kind, lang)
    return Alarm(id="e/1", raised="2026-01-31T12:00:00+00:00", kind=kind, where=f"{kind} 1–2", says=said.says,
                 what_to_do=said.do, acknowledged=seen_to)  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_alarms_page_says_what_to_do_and_takes_a_reason_from_who_may(lang: str) -> None:
    done = Acknowledgement(by=ONE, at="2026-02-01T12:00:00+00:00", reason="repaired", reference="OPS-1")
    alarms = [alarm("damaged", lang), alarm("late-record", lang, done)]

    def page(may: bool) -> str:
        values = {"staff": True, "reasons": reasons_in(lang), "more": "", "everything": True}
        return TEMPLATES.get_template("alarms.html").render(w=words(lang), lang=lang, alarms=alarms, may=may, **values)

    text = page(may=True)
    assert text.count("<form") == 1 + text.count("signout") and 'action="/audit/alarms/e/1"' in text
    assert text.count('<option value="') == 1 + len(reasons_in(lang))
    assert reasons_in(lang)["repaired"] in text and "OPS-1" in text and ONE in text
    assert all(word in text for kind in ("damaged", "late-record") for word in (said_of(kind, lang).says, "damaged"))
    assert 'action="/audit/alarms' not in page(may=False)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_everything_is_escaped_and_said(lang: str) -> None:
    bad = "<script>alert(1)</script>"
    look = row("kept.customers.records.viewed.v1", subjects=[ONE, TWO], fields={"email": bad}, empty={})
    given = {"subject": bad, "from": "2026-01-01", "looks": "true"}
    alarms = [alarm("tampered", lang), alarm(bad, lang)]
    text = rendered(
        lang,
        [look, row(bad), row("(gap)")],
        alarms=alarms,
        given=given,
        wrong="from",
        more="/audit?cursor=x",
        ledger="now",
    )
    assert "<script" not in text and f"2 {words(lang).people}" in text and said_of("tampered", lang).says in text
    assert NAMES["customers.records.viewed"][lang == "zh"] in text and "checked" in text


def test_both_languages_say_the_same_things() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
    names = {kind.removeprefix("kept.").rpartition(".v")[0] for kind in REGISTRY}
    assert set(NAMES) <= names, "no name of an event that is not there"


def test_links_carry_the_filters() -> None:
    assert link("/audit", **{"from": "2026-01-01", "actor": "", "type": "kept.*"}) == "/audit?from=2026-01-01&type=kept.%2A"
