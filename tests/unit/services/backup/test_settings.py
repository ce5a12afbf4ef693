"""What backup is told."""

from services.backup.settings import BackupSettings


def test_the_log_is_read_at_the_public_origin_unless_it_is_said_where() -> None:
    given = BackupSettings(service="backup", public_origin="https://kept.example.org")
    assert given.log_origin == "https://kept.example.org"
    assert given.model_copy(update={"log_url": "http://audit:8000"}).log_origin == "http://audit:8000"
