"""Where the broker speaks TLS its certificate is verified, by every client that we have."""

import ssl
from pathlib import Path

import pytest

from shared.bus.broker import BrokerSettings
from tests.support import tls

OVER_TLS = BrokerSettings("kafka:9093", "SASL_SSL", "audit", "word")


async def test_over_tls_every_client_can_be_made() -> None:
    context = OVER_TLS.client()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    for client in (OVER_TLS.producer(), OVER_TLS.consumer(), OVER_TLS.admin()):
        assert client is not None
    security = OVER_TLS.faststream()
    assert security is not None and security.use_ssl
    assert security.ssl_context is not None and security.ssl_context.check_hostname


def test_who_vouches_can_be_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        BrokerSettings("kafka:9093", "SASL_SSL", "audit", "word", ca_file=tmp_path / "none.pem").client()
    _, place = tls.vouched(tmp_path)
    (one,) = BrokerSettings("kafka:9093", "SASL_SSL", "audit", "word", ca_file=place).client()["ssl_context"].get_ca_certs()
    assert one


def test_in_clear_there_is_no_tls() -> None:
    assert "ssl_context" not in BrokerSettings("kafka:9092", "SASL_PLAINTEXT", "audit", "word").client()
