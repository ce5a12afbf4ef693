"""`make contracts`: writes docs/contracts from the code. Refuses a change that breaks the committed contract.

`--break "why"` is the deliberate act before a release that says so: the reason goes into the changelog by hand, beside the
new version. Exit 0: written, 1: refused.
"""

import asyncio
import sys

from tests.contracts.built import SERVICES, build
from tests.contracts.compatible import all_breaks
from tests.contracts.documents import ROOT, committed, documents, text


async def main() -> int:
    found = documents([await build(name) for name in SERVICES])
    broken = all_breaks(committed(), found)
    if broken and "--break" not in sys.argv:
        print("This breaks who relies on the contract; make a new version beside the old one instead:", file=sys.stderr)
        print("\n".join(f"  {one}" for one in broken), file=sys.stderr)
        return 1
    for name, document in found.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(document), encoding="utf-8")
    for name in committed().keys() - found.keys():
        (ROOT / name).unlink()
    print(f"{len(found)} documents in docs/contracts")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
