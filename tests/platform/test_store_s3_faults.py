"""What the S3 store does when the server asks for patience, hangs, or loses an answer; and which buckets are refused at start.

The server is real; what cannot be had from it (a store that ignores conditions, a lost answer) is made by a gateway before it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.compose import setup
from shared.blobs import YEARS, UnfitStoreError, open_store, s3_calls
from shared.blobs.s3 import S3Store
from shared.blobs.s3_calls import Credentials, connect
from shared.errors import ConflictError, MalformedError, NotFoundError, TamperError, UnavailableError
from tests.support import s3
from tests.support.s3 import Between, Request


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_calls, "WAIT_SECONDS", (0.01, 0.01, 0.01))


@contextmanager
def reached(server: s3.Server, between: Between, bucket: str = "", years: int = 10) -> Iterator[S3Store]:
    with between.running() as endpoint:
        yield S3Store(connect(endpoint, s3.REGION, s3.KEYS), bucket or server.bucket(), "log", years)


class Once:
    """The fault, at the first request of a kind."""

    def __init__(self, fault: str, method: str = "PUT", times: int = 1) -> None:
        self.fault, self.method, self.left = fault, method, times

    def __call__(self, request: Request) -> str | None:
        if request.method != self.method or not self.left:
            return None
        self.left -= 1
        return self.fault


# -- while it runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["503", "500", "429", "reset", "lost"])
def test_a_write_that_fails_once_is_done_once(s3_server: s3.Server, fault: str) -> None:
    """`lost`: it was done, and nobody said so; the second try finds its own work."""
    between = Between(s3_server.endpoint)
    with reached(s3_server, between) as store:
        for verb in ("put_new", "put_same", "replace"):
            between.fault = Once(fault)
            getattr(store, verb)(f"a/{verb}", b"1")
            assert store.get(f"a/{verb}") == b"1"
        between.fault = Once(fault)
        store.replace_if("a/replace", b"2", b"1")
        between.fault = Once(fault)
        store.replace_if("a/c", b"1", None)
        between.fault = Once(fault, times=3)
        store.put_all_same([(f"b/{n}", b"%d" % n) for n in range(5)])
        assert (store.get("a/replace"), store.get("a/c")) == (b"2", b"1")
        versions = {one.path for one in store.overlaid(lambda path: path == "a/replace")}
        assert versions == set()  # nothing twice


@pytest.mark.parametrize("fault", ["503", "reset"])
def test_a_read_that_fails_once_is_read(s3_server: s3.Server, fault: str) -> None:
    between = Between(s3_server.endpoint)
    with reached(s3_server, between) as store:
        store.put_new("a", b"1")
        between.fault = Once(fault, "GET")
        assert store.get("a") == b"1"
        between.fault = Once(fault, "GET")
        assert list(store.list("")) == ["a"]


def test_a_hanging_server_is_a_part_that_is_away(s3_server: s3.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_calls, "READ_SECONDS_MAX", 0.1)
    between = Between(s3_server.endpoint, hang_seconds=0.5)
    with reached(s3_server, between) as store:
        between.fault = lambda _: "hang"
        for act in (lambda: store.put_same("a", b"1"), lambda: store.get("a"), lambda: list(store.list(""))):
            with pytest.raises(UnavailableError, match="does not answer"):
                act()
        between.fault = lambda _: None
        store.put_same("a", b"1")


def test_a_conflict_is_not_taken_for_a_lost_answer(s3_server: s3.Server) -> None:
    """Another writer was faster, with the very same bytes, while our own try failed: we did not win."""
    between = Between(s3_server.endpoint)
    with reached(s3_server, between) as store:
        store.put_new("c", b"0")

        def faster(request: Request) -> str | None:
            if request.method != "PUT":
                return None
            between.fault = lambda _: None
            s3_server.store(store.bucket, "log").replace_if("c", b"1", b"0")
            return "503"

        between.fault = faster
        with pytest.raises(ConflictError):
            store.replace_if("c", b"1", b"0")
        between.fault = Once("503")
        with pytest.raises(ConflictError):
            store.put_new("c", b"1")
        between.fault = Once("503")
        store.put_same("c", b"1")


def test_a_batch_ends_before_it_fails(s3_server: s3.Server) -> None:
    between = Between(s3_server.endpoint)
    with reached(s3_server, between) as store:
        store.put_new("b/3", b"other")
        between.fault = lambda request: "503" if request.path.endswith("/b/1") else None
        with pytest.raises(TamperError):  # the alarm goes before what a later try may mend
            store.put_all_same([(f"b/{n}", b"1") for n in range(40)])
        running = [t for t in threading.enumerate() if t.name.startswith("s3")]
        assert len(running) <= s3_calls.CONNECTIONS_MAX
        assert set(store.list("b")) == {f"b/{n}" for n in range(40) if n != 1}
        with pytest.raises(UnavailableError):
            store.put_all_same([(f"b/{n}", b"1") for n in range(3)])


def test_who_may_not_come_in_is_told_why_and_no_secret_is(s3_server: s3.Server) -> None:
    bucket = s3_server.bucket()
    s3_server.store(bucket).put_new("a", b"1")
    for keys in (Credentials("kept", "another-secret"), Credentials("nobody", "another-secret")):
        store = S3Store(connect(s3_server.endpoint, s3.REGION, keys), bucket, "", 10)
        for act in (
            lambda s=store: s.put_same("a", b"1"),
            lambda s=store: s.get("a"),
            lambda s=store: [*s.list()],
            store.check,
        ):
            with pytest.raises(UnavailableError, match=r"does not let this service in \(\w+\)") as told:
                act()
            assert "secret" not in str(told.value)
    moved = Between(s3_server.endpoint, fault=lambda request: "301" if request.method == "GET" else None)
    with reached(s3_server, moved, bucket) as store, pytest.raises(UnavailableError, match="in another region"):
        store.get("a")
    with pytest.raises(UnavailableError, match="bucket does not exist"):
        s3_server.store("nowhere").put_same("a", b"1")
    with pytest.raises(UnavailableError, match="does not answer"):
        S3Store(connect(f"http://127.0.0.1:{s3.free_port()}", s3.REGION, s3.KEYS), bucket, "", 10).get("a")


# -- at start ---------------------------------------------------------------------------------------------------------


def test_a_fit_bucket_says_what_it_enforces(s3_server: s3.Server) -> None:
    store = s3_server.store(prefix="log")
    for _ in range(3):  # every start
        assert "Object Lock COMPLIANCE, new files for 10 years" in store.check()
    assert list(store.list("")) == [] and list(store.overlaid(lambda _: False)) == []
    probes = store.client.list_object_versions(Bucket=store.bucket)["Versions"]
    assert [one["Key"] for one in probes] == ["log/.tmp-probe"]


@pytest.mark.parametrize(
    ("bucket", "wanted"),
    [
        ({"lock": False}, r"versioning is off: switch it on .*; Object Lock is off: make a new bucket"),
        ({"mode": ""}, "there is no default retention: set it with put-object-lock-configuration"),
        ({"mode": "GOVERNANCE"}, "the default retention is GOVERNANCE, which the right to bypass undoes"),
        ({"years": 9}, "the default retention is 9 years, less than 10"),
        ({"days": 30}, r"the default retention is 0\.08\d* years, less than 10"),
    ],
)
def test_a_bucket_set_up_wrongly_is_refused(s3_server: s3.Server, bucket: dict[str, int], wanted: str) -> None:
    with pytest.raises(UnfitStoreError, match=wanted):
        s3_server.store(s3_server.bucket(**bucket)).check()  # type: ignore[arg-type]  # the cases' own words


def test_a_lock_that_was_taken_off_later_is_found_at_the_next_start(s3_server: s3.Server) -> None:
    store = s3_server.store()
    store.put_new("a", b"1")
    store.check()
    for rule in ({}, {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}):
        store.client.put_object_lock_configuration(
            Bucket=store.bucket,
            ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", **rule},  # type: ignore[typeddict-item]
        )
        with pytest.raises(UnfitStoreError, match="default retention"):
            store.check()
        store.put_new(f"b{len(rule)}", b"1")  # ours carries its own
        kept = store.client.get_object_retention(Bucket=store.bucket, Key=f"b{len(rule)}")["Retention"]
        assert kept["Mode"] == "COMPLIANCE"


def test_there_is_no_such_bucket(s3_server: s3.Server) -> None:
    with pytest.raises(UnfitStoreError, match="there is no such bucket: make a new bucket with Object Lock on"):
        s3_server.store("nowhere").check()


def versioned(request: Request) -> bool:
    return "versionId=" in request.path


@pytest.mark.parametrize(
    ("between", "wanted"),
    [
        ({"drop": {"if-none-match"}}, "ignores If-None-Match"),
        ({"drop": {"if-match"}}, "ignores If-Match"),
        ({"fault": lambda r: "501" if "if-none-match" in r.headers else None}, "must be possible"),
        ({"fault": lambda r: "200" if r.method == "PUT" and "retention" in r.path else None}, "can be shortened"),
        ({"fault": lambda r: "204" if r.method == "DELETE" and versioned(r) else None}, "under retention can be deleted"),
        ({"fault": lambda r: "404" if r.method == "GET" and "retention" in r.path else None}, "does not keep a retention"),
    ],
    ids=["no If-None-Match", "no If-Match", "no conditions", "shortens", "deletes", "no retention"],
)
def test_a_store_that_does_not_enforce_is_refused(s3_server: s3.Server, between: dict[str, object], wanted: str) -> None:
    """Made by a gateway: it hides a header from the real server, or says yes where that would say no."""
    made = Between(s3_server.endpoint, **between)  # type: ignore[arg-type]  # the cases' own words
    with reached(s3_server, made) as store, pytest.raises(UnfitStoreError, match=wanted):
        store.check()


def test_a_server_that_is_away_at_start_is_waited_for(s3_server: s3.Server) -> None:
    with reached(s3_server, Between(s3_server.endpoint, fault=lambda _: "503")) as store, pytest.raises(UnavailableError):
        store.check()


# -- by its address ---------------------------------------------------------------------------------------------------


def test_a_store_is_opened_by_its_address(s3_server: s3.Server) -> None:
    bucket = s3_server.bucket()
    keys = {"access_key": s3.KEYS.access_key, "secret_key": s3.KEYS.secret_key}
    store = open_store(f"s3://{bucket}/a/log?endpoint={s3_server.endpoint}&region={s3.REGION}", keys=keys)
    store.put_new("x", b"1")
    assert s3_server.store(bucket, "a/log").get("x") == b"1" and store.check()
    with pytest.raises(NotFoundError):
        open_store(f"s3://{bucket}?endpoint={s3_server.endpoint}&region={s3.REGION}", keys=keys).get("x")


@pytest.mark.parametrize(
    "address", ["s3:///a", "s3://k:s@b/a", "s3://b/a?key=1", "s3://b/a?region", "http://b/a", "s3://b/../a"]
)
def test_an_address_has_one_accepted_form(address: str) -> None:
    with pytest.raises(MalformedError):
        open_store(address)


def test_a_container_deployment_makes_a_fit_bucket(s3_server: s3.Server, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"access_key": s3.KEYS.access_key, "secret_key": s3.KEYS.secret_key}
    address = f"s3://made-by-setup/log?endpoint={s3_server.endpoint}&region={s3.REGION}"
    for _ in range(2):  # it is idempotent
        setup.bucket(address, keys, YEARS)
    assert capsys.readouterr().out.count("Object Lock COMPLIANCE") == 2
