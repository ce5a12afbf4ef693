"""The table of arrows (arrows.toml), read: who there is, and what each may at whom. What is misspelt there is a ValueError."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).with_name("arrows.toml")
Kind = Literal["service", "foreign", "server", "operator", "outside"]
KINDS: tuple[Kind, ...] = ("service", "foreign", "server", "operator", "outside")
CAPABILITIES = ("create", "read", "update", "delete", "list", "deny")  # of Vault, in the order in which a policy names them


@dataclass(frozen=True)
class Party:
    """Who can be at an end of an arrow."""

    name: str
    kind: Kind
    what: str


@dataclass(frozen=True)
class Paths:
    """Some rights in Vault that have one reason: path -> capabilities."""

    why: str
    may: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Access:
    """What a user of the broker may. `reads_prefixes`: every topic whose name begins so."""

    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    reads_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """From one party to one: why, and `where` not everywhere. `either`: or to this one, which leads there. `administers`: as
    the administrator of that store, who makes its users; then nothing else is said of it."""

    source: str
    target: str
    why: str
    where: str = ""
    either: str = ""
    administers: bool = False


@dataclass(frozen=True)
class Table:
    """All of it. `vault`: who -> their rights; `shared`: policies that several have beside their own, by name; `sharing`: who
    has which; `databases`: role -> its database; `replicates`: roles that may."""

    parties: Mapping[str, Party]
    arrows: tuple[Arrow, ...]
    vault: Mapping[str, tuple[Paths, ...]]
    shared: Mapping[str, Paths]
    sharing: Mapping[str, tuple[str, ...]]
    kafka: Mapping[str, Access]
    databases: Mapping[str, str]
    replicates: frozenset[str]

    def of_kind(self, *kinds: Kind) -> tuple[str, ...]:
        """Their names, in the order of the table."""
        return tuple(name for name, party in self.parties.items() if party.kind in kinds)

    def may(self, source: str, target: str) -> bool:
        """Whether there is an arrow."""
        return any(one.source == source and target in (one.target, one.either) for one in self.arrows)


@cache
def table() -> Table:
    """The project's own."""
    return read(TABLE.read_text())


def read(text: str) -> Table:
    """ValueError for a key, a party, a bundle or a capability that there is not, and for what is said twice."""
    raw = tomllib.loads(text)
    _only(raw, {"party", "bundle", "arrow"}, "the table")
    parties = {name: _party(name, one) for name, one in raw["party"].items()}
    bundles: Mapping[str, dict[str, Any]] = raw["bundle"]
    arrows, vault, sharing = list[Arrow](), dict[str, tuple[Paths, ...]](), dict[str, tuple[str, ...]]()
    kafka, databases, replicates = dict[str, Access](), dict[str, str](), set[str]()
    for row in raw["arrow"]:
        for source, target in _ends(row, parties):
            if any((one.source, one.target) == (source, target) for one in arrows):
                raise ValueError(f"{source} to {target} is said twice")
            administers = row.get("administers", False)
            arrows.append(Arrow(source, target, row.get("why", ""), row.get("where", ""), row.get("either", ""), administers))
            if administers:
                _only(row, {"from", "to", "administers"}, f"{source} to {target}")
            elif target == "vault":
                _only(row, {"from", "to", "may", "besides"}, f"{source} to vault")
                vault[source], sharing[source] = _rights(source, row, bundles)
            elif target == "kafka":
                _only(row, {"from", "to", "writes", "reads", "reads_all_under"}, f"{source} to kafka")
                kafka[source] = _access(source, row)
            elif target == "postgres":
                _only(row, {"from", "to", "database", "replicates"}, f"{source} to postgres")
                databases[source] = row["database"]
                replicates |= {source} if row.get("replicates") else set()
            else:
                _only(row, {"from", "to", "why", "where", "either"}, f"{source} to {target}")
    shared = {name: _paths(name, one) for name, one in bundles.items() if one.get("shared")}
    return Table(parties, tuple(arrows), vault, shared, sharing, kafka, databases, frozenset(replicates))


def _party(name: str, raw: Mapping[str, str]) -> Party:
    _only(raw, {"kind", "what"}, name)
    for kind in KINDS:
        if raw["kind"] == kind:
            return Party(name, kind, raw["what"])
    raise ValueError(f"{name}: there is no kind {raw['kind']}")


def _ends(row: Mapping[str, Any], parties: Mapping[str, Party]) -> Iterator[tuple[str, str]]:
    sources, targets = (([one] if isinstance(one, str) else one) for one in (row["from"], row["to"]))
    for name in (*sources, *targets, *([row["either"]] if "either" in row else [])):
        if name not in parties:
            raise ValueError(f"there is no party {name}")
    return ((source, target) for source in sources for target in targets)


def _rights(
    me: str, row: Mapping[str, Any], bundles: Mapping[str, dict[str, Any]]
) -> tuple[tuple[Paths, ...], tuple[str, ...]]:
    named: Sequence[str] = row.get("may", ())
    if unknown := [one for one in named if one not in bundles]:
        raise ValueError(f"{me}: there is no bundle {unknown[0]}")
    own = [bundles[one] for one in named if not bundles[one].get("shared")]
    rights = tuple(_paths(me, one) for one in (*own, *row.get("besides", ())))
    every = [path for one in rights for path in one.may]
    if len(set(every)) < len(every):
        raise ValueError(f"{me}: a path of Vault is said twice")
    return rights, tuple(one for one in named if bundles[one].get("shared"))


def _paths(me: str, raw: Mapping[str, Any]) -> Paths:
    _only(raw, {"why", "shared", *CAPABILITIES}, f"rights of {me} in Vault")
    may: dict[str, tuple[str, ...]] = {}
    for capability in CAPABILITIES:
        for path in raw.get(capability, ()):
            named = path.replace("{me}", me)
            may[named] = (*may.get(named, ()), capability)
    return Paths(raw["why"], may)


def _access(me: str, row: Mapping[str, Any]) -> Access:
    writes, reads, prefixes = (
        tuple(topic.replace("{me}", me) for topic in row.get(name, ())) for name in ("writes", "reads", "reads_all_under")
    )
    return Access(writes, reads, prefixes)


def _only(raw: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(raw.keys() - known):
        raise ValueError(f"{where}: nobody knows what {unknown[0]!r} means")
