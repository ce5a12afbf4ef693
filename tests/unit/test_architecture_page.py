"""The walks of docs/architecture.md: few stops, and every file that a stop names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
WALKS = dict(re.findall(r"^## ([^\n]+, in (?:five|six) stops)\n(.*?)(?=^## )", PAGE, re.M | re.S))
STOPS = {"five": 5, "six": 6}
PLACES = (".", "services/audit", "services/customers", "services/customers/records")  # where a page may begin a file's name


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_has_the_stops_that_it_says_and_they_are_there(walk: str) -> None:
    stops = re.findall(r"^(\d)\. ", WALKS[walk], re.M)
    assert stops == [str(n + 1) for n in range(STOPS[walk.split()[-2]])]
    for named, what in re.findall(r"`([\w/]+\.py)(?:: (\w+))?", WALKS[walk]):
        found = [ROOT / place / named for place in PLACES if (ROOT / place / named).exists()]
        assert found, named
        assert not what or any(re.search(rf"(def|class) {what}\b", one.read_text()) for one in found), f"{named}: {what}"


def test_all_three_walks_are_on_the_page() -> None:
    assert len(WALKS) == 3
