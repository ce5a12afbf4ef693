"""Decision records are cited by number (`docs/decisions/0029`): each has one of its own, and its title says the same."""

import re
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RECORDS = sorted((REPOSITORY / "docs/decisions").glob("*.md"))


def test_each_number_is_one_records() -> None:
    numbers = Counter(record.name[:4] for record in RECORDS)
    assert numbers and max(numbers.values()) == 1, f"of several records: {[one for one, n in numbers.items() if n > 1]}"


def test_the_title_has_the_number_of_the_file() -> None:
    wrong = [one.name for one in RECORDS if not one.read_text("utf-8").startswith(f"# {int(one.name[:4])}. ")]
    assert not wrong


def test_what_is_cited_is_there() -> None:
    known = {record.name[:4] for record in RECORDS}
    pages = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")]
    cited = {(page.name, one) for page in pages for one in re.findall(r"decisions/(\d{4})", page.read_text("utf-8"))}
    assert cited
    assert not {(page, one) for page, one in cited if one not in known}
