"""The contract of write-once stores, as a suite: a store's tests subclass `BlobContract` and say how to make one."""

import threading
from abc import ABC, abstractmethod

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.blobs import BlobStore
from shared.errors import ConflictError, MalformedError, NotFoundError, TamperError

GOOD = st.lists(st.text("abxy09", min_size=1, max_size=4), min_size=1, max_size=3).map("/".join)
BAD = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/../b",
    "a/.",
    "a\\b",
    "a b",
    "a\n",
    "é",
    "a\x00",
    "a" * 201,
    "a/" * 300 + "a",
    ".tmp-a",
]


class BlobContract(ABC):
    """Every test gets an empty store from `make()`."""

    @abstractmethod
    def make(self) -> BlobStore: ...

    @pytest.fixture
    def store(self) -> BlobStore:
        return self.make()

    def test_what_was_put_is_there(self, store: BlobStore) -> None:
        store.put_new("tile/0/x001/067", b"\x00\xff")
        assert store.get("tile/0/x001/067") == b"\x00\xff"
        store.put_new("empty", b"")
        assert store.get("empty") == b""

    def test_what_was_not_put_is_not(self, store: BlobStore) -> None:
        store.put_new("a/b", b"1")
        for path in ("b", "a", "a/c", "a/b/c"):
            with pytest.raises(NotFoundError):
                store.get(path)

    def test_a_name_is_written_once(self, store: BlobStore) -> None:
        store.put_new("a", b"1")
        for data in (b"1", b"2"):
            with pytest.raises(ConflictError):
                store.put_new("a", data)
        assert store.get("a") == b"1"

    def test_the_same_bytes_again_are_no_conflict_and_others_are_tampering(self, store: BlobStore) -> None:
        store.put_same("a", b"1")
        store.put_same("a", b"1")
        with pytest.raises(TamperError):
            store.put_same("a", b"2")
        assert store.get("a") == b"1"

    def test_a_batch_is_as_one_by_one(self, store: BlobStore) -> None:
        files = [(f"tile/{n % 3}/x{n:03}", bytes([n]) * (n * 7)) for n in range(140)]
        store.put_new("tile/1/x001", files[1][1])  # the one before died in the middle
        store.put_all_same(iter(files))
        store.put_all_same(files)
        store.put_all_same([])
        assert sorted(store.list("")) == sorted(name for name, _ in files)
        assert all(store.get(name) == data for name, data in files)

    def test_a_batch_finds_tampering_and_keeps_the_rest_whole(self, store: BlobStore) -> None:
        store.put_new("b", b"other")
        with pytest.raises(TamperError, match="b holds other bytes"):
            store.put_all_same([("a", b"1"), ("b", b"2"), ("c", b"3")])
        assert store.get("b") == b"other"
        assert {name: store.get(name) for name in store.list("") if name != "b"}.items() <= {("a", b"1"), ("c", b"3")}
        store.put_all_same([("d", b"1"), ("d", b"1")])
        with pytest.raises(TamperError):
            store.put_all_same([("e", b"1"), ("e", b"2")])

    @pytest.mark.parametrize("torn", [b"", b"123", b"1234\0\0\0\0"])
    def test_a_torn_file_is_tampering(self, store: BlobStore, torn: bytes) -> None:
        """A name is given to bytes that are whole and durable: half of them under it are not from us."""
        store.put_new("a", torn)
        with pytest.raises(TamperError):
            store.put_same("a", b"12345678")
        assert store.get("a") == torn

    def test_replace_if_compares_and_swaps(self, store: BlobStore) -> None:
        with pytest.raises(ConflictError):
            store.replace_if("c", b"2", b"1")
        store.replace_if("c", b"1", None)
        for old in (None, b"0", b"", b"11"):
            with pytest.raises(ConflictError):
                store.replace_if("c", b"2", old)
        assert store.get("c") == b"1"
        store.replace_if("c", b"2", b"1")
        store.replace_if("c", b"2", b"2")
        assert store.get("c") == b"2"

    def test_of_many_who_swap_the_same_one_wins(self, store: BlobStore) -> None:
        store.replace("n", b"0")

        def count() -> None:
            for _ in range(5):
                while True:
                    old = store.get("n")
                    try:
                        store.replace_if("n", str(int(old) + 1).encode(), old)
                        break
                    except ConflictError:
                        continue

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.get("n") == b"20"

    def test_replace_moves_a_name(self, store: BlobStore) -> None:
        for data in (b"1", b"22", b""):
            store.replace("checkpoint", data)
            assert store.get("checkpoint") == data

    def test_list_is_all_in_order(self, store: BlobStore) -> None:
        for path in ("b/2", "a", "b/1/x", "b10/1", "c"):
            store.put_new(path, b"")
        assert list(store.list("")) == ["a", "b/1/x", "b/2", "b10/1", "c"]
        assert list(store.list("b")) == ["b/1/x", "b/2"]
        assert list(store.list("nothing")) == []

    @pytest.mark.parametrize("path", BAD)
    def test_a_path_has_one_accepted_form(self, store: BlobStore, path: str) -> None:
        for act in (
            store.get,
            lambda p: store.put_new(p, b""),
            lambda p: store.put_same(p, b""),
            lambda p: store.put_all_same([(p, b"")]),
            lambda p: store.replace(p, b""),
            lambda p: store.replace_if(p, b"", None),
            lambda p: store.replace_if(p, b"", b""),
        ):
            with pytest.raises(MalformedError):
                act(path)
        assert list(store.list("")) == []

    def test_of_many_writers_one_wins(self, store: BlobStore) -> None:
        won: list[bytes] = []
        start = threading.Barrier(8)

        def write(data: bytes) -> None:
            start.wait()
            try:
                store.put_new("race/one", data)
                won.append(data)
            except ConflictError:
                pass

        threads = [threading.Thread(target=write, args=(bytes([n]) * 5000,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1 and store.get("race/one") == won[0]

    def test_a_reader_sees_the_old_bytes_or_the_new_ones(self, store: BlobStore) -> None:
        kinds = [bytes([n]) * 20_000 for n in range(3)]
        store.replace("c", kinds[0])
        done = threading.Event()

        def write() -> None:
            for n in range(30):
                store.replace("c", kinds[n % 3])
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            assert store.get("c") in kinds
        writer.join()

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(
        st.lists(st.tuples(st.sampled_from(["new", "same", "all", "replace", "swap"]), GOOD, st.binary(max_size=3)), max_size=8)
    )
    def test_it_behaves_like_a_dictionary(self, steps: list[tuple[str, str, bytes]]) -> None:
        store, model = self.make(), dict[str, bytes]()
        for verb, path, data in steps:
            if any(path.startswith(f"{one}/") or one.startswith(f"{path}/") for one in model):
                continue  # a name that is another's directory: stores differ, nobody does it
            if verb == "new" and path in model:
                with pytest.raises(ConflictError):
                    store.put_new(path, data)
                continue
            if verb in ("same", "all") and model.get(path, data) != data:
                with pytest.raises(TamperError):
                    store.put_same(path, data) if verb == "same" else store.put_all_same([(path, data)])
                continue
            if verb in ("all", "swap"):
                old = model.get(path)
                store.put_all_same([(path, data)]) if verb == "all" else store.replace_if(path, data, old)
            else:
                {"new": store.put_new, "same": store.put_same, "replace": store.replace}[verb](path, data)
            model[path] = data
        assert {path: store.get(path) for path in store.list("")} == model
