"""`make arrows`: writes what comes from the table: Vault's policies (deploy/vault), the compose file's pg_hba.conf, what the
Helm chart makes NetworkPolicies of, and docs/arrows.md. The broker's rights and the local pg_hba.conf are taken from the table
when they are given."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.arrows.hba import hba
from deploy.arrows.table import Arrow, Paths, Table, table

ROOT = Path(__file__).resolve().parents[2]
WIDTH = 128
MADE = "Written by `make arrows` from deploy/arrows/arrows.toml: change that, not this."


def files(of: Table) -> Mapping[Path, str]:
    """All that is written, by place."""
    policies = {name: _policy(f"{name}: {of.parties[name].what}.", rights) for name, rights in of.vault.items()}
    policies |= {name: _policy(f"{name}: of several, beside their own.", (one,)) for name, one in of.shared.items()}
    return {
        **{ROOT / "deploy" / "vault" / f"{name}.hcl": text for name, text in policies.items()},
        ROOT / "deploy" / "compose" / "pg_hba.conf": _compose_hba(of),
        ROOT / "deploy" / "helm" / "kept" / "files" / "arrows.yaml": _chart(of),
        ROOT / "docs" / "arrows.md": _page(of),
    }


def _policy(head: str, rights: tuple[Paths, ...]) -> str:
    lines = _comment(f"{head} {MADE}")
    for one in rights:
        lines += ["", *_comment(one.why)]
        for path, capabilities in one.may.items():
            named = ", ".join(f'"{capability}"' for capability in capabilities)
            lines.append(f'path "{path}" {{ capabilities = [{named}] }}')
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _compose_hba(of: Table) -> str:
    lines = [*_comment(f"Each role reaches its own database and no other. {MADE}"), "local all postgres peer"]
    return "\n".join([*lines, "host all postgres samenet scram-sha-256", *hba(of, "samenet")]) + "\n"


def _chart(of: Table) -> str:
    """Who is a service, and each arrow that a service is at an end of. Operators come from anywhere, and go as a service; other
    teams' services are none of the chart's."""
    ours, ends = of.of_kind("service"), of.of_kind("service", "server", "outside")
    arrows = [one for one in of.arrows if {one.source, one.target} <= {*ends} and {one.source, one.target} & {*ours}]
    lines = [*_comment(MADE), f"services: [{', '.join(ours)}]", "arrows:"]
    return "\n".join([*lines, *(f"  - {{from: {one.source}, to: {one.target}}}" for one in arrows)]) + "\n"


# -- docs/arrows.md ----------------------------------------------------------------------------------------------------


def _page(of: Table) -> str:
    return f"""# Who talks to whom, as what

{MADE}
What has no arrow is refused by the broker, Vault and PostgreSQL, each for itself, and in Kubernetes by the
chart's NetworkPolicies too ([kubernetes](operate/kubernetes.md)); on one machine and with compose no network refuses it.
A command of who operates Kept that speaks to a store (`kept keys`, `kept dlq`, `kept set-aside`) goes as the service
whose store it is.

```mermaid
flowchart LR
{_lines(_diagram(of))}
```

## Arrows

{_lines(_arrows(of))}

## In Vault

{_lines(_in_vault(of))}

## At the broker

{_lines(_at_the_broker(of))}

Who writes a topic reads it too. Each has consumer groups that begin with its own name, and no others.
"""


def _lines(lines: Iterator[str]) -> str:
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _arrows(of: Table) -> Iterator[str]:
    yield _row("from", "to", "why", "where")
    yield _row(*["---"] * 4)
    for one in of.arrows:
        to = f"{one.target}, or {one.either}" if one.either else one.target
        yield _row(one.source, to, one.why or _as(of, one), one.where or "always")


def _at_the_broker(of: Table) -> Iterator[str]:
    yield _row("as", "writes", "reads")
    yield _row(*["---"] * 3)
    for user, may in of.kafka.items():
        yield _row(user, _code(may.writes), _code((*may.reads, *(f"{prefix}*" for prefix in may.reads_prefixes))))


def _diagram(of: Table) -> Iterator[str]:
    for kind in ("outside", "service", "foreign", "server", "operator"):
        yield f"  subgraph {kind}"
        yield from (f"    {name}" for name, party in of.parties.items() if party.kind == kind)
        yield "  end"
    yield from (
        f"  {one.source} {'-.->' if one.where else '-->'} {one.target}" for one in of.arrows if one.source != one.target
    )


def _as(of: Table, one: Arrow) -> str:
    if one.administers:
        return "as its administrator"
    if one.target == "postgres":
        return f"database `{of.databases[one.source]}`" + (", replication" if one.source in of.replicates else "")
    return f"as `{one.source}`"


def _in_vault(of: Table) -> Iterator[str]:
    for name, rights in of.vault.items():
        yield f"- **{name}** ({of.parties[name].what})"
        yield from (f"  - {one.why} {_paths(one)}" for one in rights)
        yield from (f"  - as everybody who has `{one}`" for one in of.sharing[name])
    yield from (f"- `{name}`: {one.why} {_paths(one)}" for name, one in of.shared.items())


def _paths(one: Paths) -> str:
    return ", ".join(f"{'+'.join(may)} `{path}`" for path, may in one.may.items())


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main() -> None:
    for path, text in files(table()).items():
        path.write_text(text)


if __name__ == "__main__":
    main()
