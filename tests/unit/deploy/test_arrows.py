"""The table of arrows: what is made of it stands in the repository, and what is misspelt in it is refused."""

import pytest

from deploy.arrows.table import TABLE, read, table
from deploy.arrows.write import files

SMALL = """
[party]
a = {kind = "service", what = "one"}
vault = {kind = "server", what = "keys"}
[bundle.seals]
why = "seals"
update = ["transit/encrypt/kept-{me}"]
"""


def test_what_is_made_of_it_is_as_it_stands_here() -> None:
    """`make arrows` writes it."""
    for path, text in files(table()).items():
        assert path.read_text() == text, path.name


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('from = "a"\nto = "b"', "there is no party b"),
        ('from = "a"\nto = "vault"\nmay = ["seal"]', "there is no bundle seal"),
        ('from = "a"\nto = "vault"\nmy = ["seals"]', "nobody knows what 'my' means"),
        ('from = "a"\nto = "vault"\n[[arrow.besides]]\nwhy = ""\nupdat = []', "nobody knows what 'updat' means"),
        ('from = "a"\nto = "a"\nwrites = ["b"]', "nobody knows what 'writes' means"),
        ('from = "a"\nto = "vault"\nmay = ["seals", "seals"]', "a path of Vault is said twice"),
        ('from = "a"\nto = "a"\nadministers = true\nwhere = "here"', "nobody knows what 'where' means"),
        ('from = "a"\nto = "a"\n[[arrow]]\nfrom = "a"\nto = "a"', "a to a is said twice"),
    ],
)
def test_what_nobody_understands_is_refused(row: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(f"{SMALL}[[arrow]]\n{row}\n")


def test_a_right_is_of_whoever_has_it() -> None:
    made = read(f'{SMALL}[[arrow]]\nfrom = "a"\nto = "vault"\nmay = ["seals"]\n')
    (one,) = made.vault["a"]
    assert one.may == {"transit/encrypt/kept-a": ("update",)}
    assert made.may("a", "vault") and not made.may("vault", "a")


def test_the_whole_table_is_of_parties_that_run() -> None:
    """Every service reaches its three stores, and nobody reaches a service but the gateway, what measures, for its keys
    identity's verifiers, and backup the log."""
    of = table()
    assert TABLE.exists()
    for service in of.of_kind("service"):
        assert all(of.may(service, store) for store in ("vault", "kafka", "postgres"))
        reached = {one.source for one in of.arrows if one.target == service}
        besides = {"identity": {*of.of_kind("service")}, "audit": {"backup"}}
        assert reached == {"gateway", "prometheus"} | besides.get(service, set())
