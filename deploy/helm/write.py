"""`make arrows`, the chart's part: which path leads where, what may be set, and what an operator makes beside the chart."""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.gateway.routes import FRONT, ROUTES
from deploy.helm import operators
from deploy.helm.schema import schema

HERE = Path(__file__).parent


def files() -> Mapping[Path, str]:
    """All that is written, by place."""
    return {
        HERE / "kept" / "files" / "routes.yaml": _routes(),
        HERE / "kept" / "values.schema.json": json.dumps(schema(), indent=1, ensure_ascii=False) + "\n",
        **{HERE / "examples" / name: text for name, text in operators.files().items()},
    }


def _routes() -> str:
    """Prefixes, as in Kubernetes: each covers itself and what follows it after a "/"."""
    path, service = FRONT
    lines = ["# Written by `make arrows` from deploy/gateway/routes.py: change that, not this.", "front:"]
    lines += [f"  path: {path}", f"  service: {service}", "paths:"]
    return "\n".join([*lines, *(f"  {name}: [{', '.join(paths)}]" for name, paths in ROUTES.items())]) + "\n"


def main() -> None:
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
