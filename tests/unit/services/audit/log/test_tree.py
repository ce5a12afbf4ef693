"""The tree, its tiles and its proofs: RFC 6962's vectors, Go's x/mod/sumdb/tlog, and the naive tree."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log import paths, proof
from services.audit.log.bundles import parse as parse_bundle
from services.audit.log.tiles import Edge, Nodes, load_edge
from services.audit.log.tree import EMPTY_ROOT, leaf_hash, root_of
from shared.errors import MalformedError, TamperError
from tests.unit.services.audit.log import naive

GO: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "tlog.json").read_text())
# The reference tree of RFC 6962's implementation (certificate-transparency): leaves, and the root of the first n.
LEAVES = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def entries(count: int) -> list[bytes]:
    return [f"entry {i}".encode() for i in range(count)]


def grown(count: int, step: int = 10**9) -> tuple[Edge, dict[str, bytes]]:
    """A tree of `count` leaves that was published after every `step`."""
    files: dict[str, bytes] = {}
    edge, all_ = Edge(), entries(count)
    for at in range(0, count, step):
        files.update(edge.append(all_[at : at + step]))
        files.update(edge.partials())
    return edge, files


@pytest.fixture(scope="module")
def big() -> tuple[Edge, dict[str, bytes]]:
    return grown(70_000)


def test_rfc_6962_roots() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for n, root in enumerate(ROOTS, 1):
        assert root_of([leaf_hash(x) for x in LEAVES[:n]]).hex() == root


@pytest.mark.parametrize("size", [int(s) for s in GO["roots"] if int(s) < 70_000])
def test_roots_are_those_of_go(size: int) -> None:
    assert grown(size)[0].root().hex() == GO["roots"][str(size)]


def test_proofs_are_those_of_go(big: tuple[Edge, dict[str, bytes]]) -> None:
    assert big[0].root().hex() == GO["roots"]["70000"]
    trees = {int(s): grown(int(s))[1] for s in GO["roots"] if int(s) < 70_000} | {70_000: big[1]}
    for one in GO["inclusion"]:
        nodes = Nodes(trees[one["size"]].__getitem__, one["size"])
        assert [h.hex() for h in proof.inclusion(nodes, one["index"])] == one["path"]
    for one in GO["consistency"]:
        nodes = Nodes(trees[one["size"]].__getitem__, one["size"])
        assert [h.hex() for h in proof.consistency(nodes, one["old"])] == one["path"], one


def test_the_layout_at_256() -> None:
    assert sorted(grown(256)[1]) == ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]


def test_the_layout_at_70000(big: tuple[Edge, dict[str, bytes]]) -> None:
    names = [f"tile/0/{n:03d}" for n in range(273)] + ["tile/0/273.p/112"]
    names += ["tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    names += [f"tile/entries/{n:03d}" for n in range(273)] + ["tile/entries/273.p/112"]
    assert sorted(big[1]) == sorted(names)
    assert all(len(big[1][n]) == 8192 for n in names if n.startswith("tile/0/") and ".p/" not in n)
    assert len(parse_bundle(big[1]["tile/entries/273.p/112"])) == 112


def test_names() -> None:
    assert paths.tile(0, 1234067) == "tile/0/x001/x234/067"
    assert paths.parse("tile/entries/x001/x234/067.p/8") == ("entries", 1234067, 8)
    for bad in (
        "tile/64/000",
        "tile/00/000",
        "tile/0/00",
        "tile/0/x000/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001 ",
    ):
        with pytest.raises(MalformedError):
            paths.parse(bad)


@settings(max_examples=40)
@given(size=st.integers(1, 700), data=st.data())
def test_proofs_are_those_of_the_naive_tree(size: int, data: st.DataObject) -> None:
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    edge, files = grown(size)
    nodes, leaves = Nodes(files.__getitem__, size), entries(size)
    assert edge.root() == naive.mth(leaves)
    assert proof.inclusion(nodes, index) == naive.path(index, leaves)
    assert proof.consistency(nodes, old) == naive.subproof(old, leaves)


def test_consistency_proofs_of_go_prove(big: tuple[Edge, dict[str, bytes]]) -> None:
    for one in GO["consistency"]:
        roots = [bytes.fromhex(GO["roots"][str(n)]) for n in (one["old"], one["size"]) if str(n) in GO["roots"]]
        if len(roots) == 2:
            path = [bytes.fromhex(h) for h in one["path"]]
            proof.check_consistency(one["old"], roots[0], one["size"], roots[1], path)


def test_every_consistency_proof_of_small_trees_proves_that_and_nothing_else() -> None:
    """All pairs up to 40; a hash changed, dropped or added, another old size or root: each is refused."""
    leaves = entries(40)
    roots = [naive.mth(leaves[:n]) for n in range(41)]
    for new in range(1, 41):
        for old in range(new + 1):
            path = naive.subproof(old, leaves[:new]) if 0 < old < new else []
            proof.check_consistency(old, roots[old], new, roots[new], path)
            bad = [(old, bytes(32), new, roots[new], path), (old, roots[old], new, roots[new], [*path, bytes(32)])]
            bad += [(old, roots[old], new, bytes(32), path)] if old else []
            bad += [(old, roots[old], new, roots[new], path[:i] + path[i + 1 :]) for i in range(len(path))]
            bad += [(old, roots[old], new, roots[new], [*path[:i], bytes(32), *path[i + 1 :]]) for i in range(len(path))]
            bad += [(new + 1, roots[new], new, roots[new], path)]
            for one in bad:
                with pytest.raises(TamperError):
                    proof.check_consistency(*one)


@settings(max_examples=25)
@given(size=st.integers(1, 700), step=st.integers(1, 300))
def test_how_it_was_published_changes_no_file(size: int, step: int) -> None:
    """Every published size has its partials, and what is full is the same whatever the steps were."""
    files, whole = grown(size, step)[1], grown(size)[1]
    assert all(files[name] == data for name, data in whole.items())
    assert all(files[name] == data for at in range(step, size, step) for name, data in grown(at)[1].items())


@settings(max_examples=25)
@given(size=st.integers(0, 700), more=st.integers(0, 300))
def test_an_edge_read_back_goes_on_as_if_never_stopped(size: int, more: int) -> None:
    files = grown(size)[1]
    edge = load_edge(files.__getitem__, size)
    list(edge.append(entries(size + more)[size:]))
    assert edge.root() == grown(size + more)[0].root()


def test_a_cut_tile_is_tampered() -> None:
    files = grown(300)[1]
    files["tile/0/001.p/44"] = files["tile/0/001.p/44"][:-1]
    with pytest.raises(TamperError):
        load_edge(files.__getitem__, 300)
