"""The mail server: connected to, told one sender and one recipient, and what it answers made into ours."""

import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPSenderRefused

from shared.errors import UnavailableError
from shared.mail.message import Outgoing
from shared.mail.model import RefusedMailError
from shared.settings import ServiceSettings

ANSWER_SECONDS_MAX = 20  # for one answer of the server
Secret = Callable[[], Awaitable[str]]


def is_loopback(host: str) -> bool:
    """Whether a server of this name is on this machine: nobody listens between."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class MailServer:
    """One for the service. `password`: asked of Vault for each connection, where a user is set."""

    def __init__(self, settings: ServiceSettings, password: Secret) -> None:
        self._settings, self._password = settings, password
        chosen = settings.smtp_tls
        self._tls = ("none" if is_loopback(settings.smtp_host) else "starttls") if chosen == "auto" else chosen
        bundle = settings.smtp_ca_file
        self._context = None if self._tls == "none" else ssl.create_default_context(cafile=str(bundle) if bundle else None)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Connection"]:
        """A connection for one mail. UnavailableError before anything of it was said: whatever goes wrong here (a server away,
        a wrong password, no TLS) is nothing against the mail."""
        try:
            client = await self._connect()
        except UnavailableError:
            raise
        except Exception as error:  # its text may quote what the server says, which may quote us
            raise UnavailableError(f"the mail server: {_named(error)}") from None
        try:
            yield Connection(client)
        finally:
            client.close()

    async def _connect(self) -> SMTP:
        settings, user = self._settings, self._settings.smtp_user
        client = SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            timeout=ANSWER_SECONDS_MAX,
            use_tls=self._tls == "tls",
            start_tls=self._tls == "starttls",  # True: required; an answer without it ends the connection
            tls_context=self._context,
        )
        await client.connect()
        try:
            await client.ehlo()
            if user:
                await client.login(user, await self._password())
        except BaseException:
            client.close()
            raise
        return client


class Connection:
    """Said hello."""

    def __init__(self, client: SMTP) -> None:
        self._client = client

    async def send(self, mail: Outgoing) -> None:
        """MAIL FROM, exactly one RCPT TO, DATA. RefusedMailError where it will never be taken; any other error: try again."""
        options = []
        if mail.utf8:
            if not self._client.supports_extension("smtputf8"):
                raise RefusedMailError("the mail server takes no such address (SMTPUTF8)")
            options = ["SMTPUTF8"]
        encoding = "utf-8" if mail.utf8 else "ascii"
        try:
            await self._client.mail(mail.sender, options=options, encoding=encoding)
            await self._client.rcpt(mail.recipient, encoding=encoding)
            await self._client.data(mail.content)
        except SMTPSenderRefused:  # of us, not of this mail: told again and again until somebody looks
            raise
        except SMTPResponseException as error:
            if 500 <= error.code < 600:
                raise RefusedMailError(_named(error)) from None
            raise
        with suppress(SMTPException, OSError):  # it has the mail; how it says good-bye is its own affair
            await self._client.quit()


def _named(error: BaseException) -> str:
    code = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return f"{type(error).__name__}{code}"
