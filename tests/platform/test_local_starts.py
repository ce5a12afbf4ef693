"""Starting the local platform where things go wrong: one clear line, an exit code, and nothing lost."""

import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from deploy.local import control, processes
from deploy.local.errors import Exit
from deploy.local.state import REPOSITORY, State
from tests.support.insider import wait_until
from tests.support.made_up import numbers, table
from tests.support.platform import Platform, free_port, seed
from tests.support.staff import signed_in

pytestmark = pytest.mark.platform
KILLS = 4  # how often a first start is killed before it may finish
SEED = int(os.environ.get("KEPT_CHAOS_SEED") or random.SystemRandom().randrange(10**6))


@contextmanager
def fresh() -> Iterator[State]:
    """A state of its own, on a port of its own; stopped and removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="kept-local-"))
    root.chmod(0o711)
    try:
        yield State(root)
    finally:
        control.stop(State(root))
        shutil.rmtree(root, ignore_errors=True)


def kept(state: State, *words: str, port: int, **environment: str) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=900,
        env={**os.environ, "KEPT_STATE": str(state.root), "KEPT_PORT": str(port), **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr
    return done


def family(state: State) -> list[psutil.Process]:
    """The supervisor and everything it started."""
    found = []
    for file in [state.pid, *state.run.glob("*.pid")]:
        process = processes.alive(file)
        if process is not None:
            found += processes.family(process)
    return list(dict.fromkeys(found))


def kill_all(state: State) -> None:
    for process in family(state):
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family(state), timeout=10)


def customers_of(platform: Platform) -> set[str]:
    """Everybody whom Nancy sees: all of them."""
    with signed_in(platform, "nancy") as nancy:
        page = nancy.get("/api/customers", params={"limit": 200}).raise_for_status().json()
    return {one["id"] for one in page["items"]}


def test_a_first_start_killed_at_any_instant_is_finished_by_the_next() -> None:
    print(f"KEPT_CHAOS_SEED={SEED}")
    chance, port = random.Random(SEED), free_port()
    with fresh() as state:
        for _ in range(KILLS):
            starting = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "up"], cwd=REPOSITORY, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={**os.environ, "KEPT_STATE": str(state.root), "KEPT_PORT": str(port)},
            )  # fmt: skip
            with pytest.raises(subprocess.TimeoutExpired):
                starting.wait(chance.uniform(1.0, 12.0))
            # Its supervisor may not have written its pid down yet.
            begun = processes.family(psutil.Process(starting.pid))
            for process in begun:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(begun, timeout=10)
            starting.wait(10)
            kill_all(state)
        done = kept(state, "up", port=port)
        assert done.returncode == 0, done.stdout + done.stderr
        # A service that a busy machine keeps waiting may miss one look.
        wait_until(lambda: kept(state, "status", port=port).returncode == 0, 120.0)


def test_everything_killed_and_started_again_loses_nothing() -> None:
    port = free_port()
    with fresh() as state:
        assert kept(state, "up", port=port).returncode == 0
        platform = Platform(state)
        seed(platform)
        before = customers_of(platform)
        assert len(before) == 59
        kill_all(state)
        assert kept(state, "status", port=port).returncode == Exit.NOT_RUNNING
        assert kept(state, "up", port=port).returncode == 0
        assert customers_of(platform) == before
        assert kept(state, "audit", "verify", port=port).returncode == 0


def test_without_a_jvm_the_small_broker_takes_its_place_and_says_so(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):  # everything but java and mvn
        for program in Path(directory).glob("*") if Path(directory).is_dir() else ():
            if program.name not in ("java", "mvn") and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    port = free_port()
    with fresh() as state:
        done = kept(state, "up", port=port, PATH=str(tools), JAVA_HOME="")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Tansu" in done.stdout, "said in one line at the start"
        platform = Platform(state)
        seed(platform)
        logged(platform, 59)
        platform.kill("kafka")  # it forgets everything; what comes now is in the log all the same
        platform.wait_ready()
        with signed_in(platform, "nancy") as nancy:
            file = {"content": table(numbers(1)), "headers": {"Content-Type": "text/csv"}}
            nancy.post("/api/customers/imports", **file, timeout=60).raise_for_status()
        logged(platform, 60)


def logged(platform: Platform, count: int) -> None:
    """Waits until `count` events of customers are in the log, of all generations of their topic, and all of it verifies."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        done = platform.kept("audit", "verify", "--json")
        found = json.loads(done.stdout) if done.stdout.startswith("{") else {}
        sizes = [
            one["size"] for one in found.get("shards", ()) if one["shard"].startswith(("kept.customers/", "kept.customers~"))
        ]
        if done.returncode == 0 and sum(sizes) >= count:
            return
        time.sleep(1)
    raise AssertionError(f"not in the log within 2 minutes: {done.stdout[:2000]}")


def test_two_first_starts_at_once_make_a_user_once() -> None:
    """Of several that look for a part's user when there is none yet, all get the one that is there afterwards."""
    if os.geteuid() != 0:
        pytest.fail("only root makes users: run the tests as root")
    look = "from deploy.local import users; print(users.user_of('made-at-once').pw_uid)"
    try:
        asking = [subprocess.Popen([sys.executable, "-c", look], cwd=REPOSITORY, stdout=subprocess.PIPE) for _ in range(4)]
        told = {int(one.communicate(timeout=60)[0]) for one in asking}
        assert told == {pwd.getpwnam("kept-made-at-once").pw_uid}
    finally:
        subprocess.run(["userdel", "kept-made-at-once"], check=False)
