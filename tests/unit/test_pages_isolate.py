"""No value of a person stands bare on a page: its direction would turn what is around it (docs/formats/values.md)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted(one for room in ("services", "shared") for one in (ROOT / room).rglob("*.html"))
# How templates name what people wrote. What is not here is ours: words, ids, dates, numbers, names of laws and systems.
OF_PEOPLE = re.compile(
    r"""\.(value|name_of|address|first_name|last_name|email|phone|city|country)\b(?!\()|\bown\[|\|\s*plain\b|^\s*(said|value|address)\b"""
)
EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.S)
OURS = re.compile(r"""^\s*([wt]\(|settings\.)""")


def bare(template: str) -> list[str]:
    """Expressions of people's values in the text of a page (not in a tag) that stand outside of <bdi>."""
    found = []
    for one in EXPRESSION.finditer(template):
        before = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", "", template[: one.start()], flags=re.S)
        in_a_tag = before.rfind("<") > before.rfind(">")
        isolated = before.rfind("<bdi>") > before.rfind("</bdi>")
        if OF_PEOPLE.search(one[1]) and not OURS.search(one[1]) and not in_a_tag and not isolated:
            found.append(one[0])
    return found


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_people_wrote_is_isolated(path: Path) -> None:
    assert bare(path.read_text(encoding="utf-8")) == []


def test_the_look_finds_what_it_looks_for() -> None:
    assert (
        bare("<p>{{ one.fields.city.value }}</p>")
        and bare("<dd>{{ value | plain }}</dd>")
        and bare("<td>{{ own[field] }}</td>")
    )
    assert not bare("<bdi>{{ a.value }} {{ b.value }}</bdi><a title='{{ a.value }}'>{{ t('city') }}</a>{{ settings.address }}")
    assert sum(len(EXPRESSION.findall(one.read_text(encoding="utf-8"))) for one in TEMPLATES) > 100
