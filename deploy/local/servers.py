"""PostgreSQL, Vault and Kafka alone, for development and tests.

python -m deploy.local.servers [--detach | --stop]
"""

import sys

from deploy.local import control, environment, supervisor
from deploy.local.errors import PlatformError
from deploy.local.state import State


def main(arguments: list[str]) -> int:
    state = State.find()
    try:
        if "--stop" in arguments:
            control.stop(state)
        elif "--detach" in arguments:
            control.start(state, only_servers=True)
            environment.write_all(state)
            print(f"PostgreSQL, Vault and Kafka are ready; ports in {state.root / 'ports.json'}")
        else:
            return supervisor.main(only_servers=True)
    except PlatformError as error:
        print(error.line, file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
