"""A person with a browser and a mailbox: what the tests do at the public portal, over real HTTP and real mail."""

import io
import json
import re
import time
import zipfile
from dataclasses import dataclass, field
from typing import Any

import httpx

# Two cores, and other tests beside. What takes longer is stuck, and to wait longer would hide it: once it was a log with
# directories in it that a test had made as root.
WAIT_SECONDS = 120.0


@dataclass
class Person:
    """`origin`: the gateway; `mailbox`: the mail catcher where it is not behind it. Keeps cookies like a browser."""

    origin: str
    email: str
    mailbox: str = ""
    http: httpx.Client = field(init=False)
    request_id: str = ""

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.origin, headers={"Origin": self.origin}, timeout=30)

    def ask(self, right: str, *, place: str = "") -> httpx.Response:
        """Type the address, choose a right, and a place or none."""
        answer = self.http.post("/", data={"right": right, "email": self.email, "place": place})
        found = re.fullmatch(r"/requests/(req_[0-9a-f]{32})", answer.headers.get("location", ""))
        self.request_id = found[1] if found else ""
        return answer

    def code(self) -> str:
        """The code that the mailbox got for this request."""
        return wait_for(lambda: self._code(), "a mail with a code")

    def _code(self) -> str | None:
        for mail in self.mails():
            if self.request_id in mail["text"] and (found := re.search(r"\b(\d{4} \d{4})\b", mail["text"])):
                return found[1]
        return None

    def mails(self) -> list[dict[str, Any]]:
        """This mailbox, newest first."""
        answer = self.http.get(f"{self.mailbox or self.origin}/mail.json", params={"to": self.email})
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()
        return found

    def prove(self) -> httpx.Response:
        return self.http.post(f"/requests/{self.request_id}/code", data={"code": self.code()})

    def page(self) -> str:
        return self.http.get(f"/requests/{self.request_id}").text

    def until(self, words: str) -> str:
        """Refresh until the page says `words`."""
        return wait_for(lambda: page if words in (page := self.page()) else None, f"the page to say {words!r}")

    def package(self, **form: str) -> bytes:
        answer = self.http.post(f"/requests/{self.request_id}/package", data=form)
        answer.raise_for_status()
        return answer.content

    def certificate(self) -> str:
        answer = self.http.get(f"/requests/{self.request_id}/certificate")
        answer.raise_for_status()
        return answer.text

    def say(self, number: str) -> str:
        """Name a record by its number; the notice that follows, or empty."""
        answer = self.http.post(f"/requests/{self.request_id}/person", data={"number": number})
        assert answer.status_code == 303, answer.status_code
        return answer.headers["location"].partition("?say=")[2]

    def go_on(self) -> None:
        """With the records that were named."""
        assert self.http.post(f"/requests/{self.request_id}/person/done").status_code == 303

    def mail(self, words: str) -> str:
        """The text of this request's mail that says `words`."""

        def found() -> str | None:
            texts = (str(one["text"]) for one in self.mails())
            return next((text for text in texts if self.request_id in text and words in text), None)

        return str(wait_for(found, f"a mail that says {words!r}"))


def impersonal(page: str, request_id: str) -> str:
    """A page without what is of this one request: its id, and the number of each form, by which a second click is known."""
    return re.sub(r'name="form" value="[^"]*"', "", page.replace(request_id, ""))


def link(text: str) -> str:
    """The way in that a mail carries."""
    (found,) = re.findall(r"https?://\S+/open/\S+", text)
    return str(found)


def opened(package: bytes) -> dict[str, Any]:
    """name -> parsed JSON, or text, of each file of a package."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in texts.items()}


def wait_for(look: Any, what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first answer of `look` that is not None. AssertionError that says what did not come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found is not None:
            return found
        time.sleep(0.3)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
