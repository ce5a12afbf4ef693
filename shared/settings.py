"""What every service is told at start: places and names, from the environment (prefix KEPT_), frozen and validated.

Secrets never stand here. The AppRole's secret id, or a token, is read from a file; everything else secret is asked of Vault
(`kept/<service>/database`, `kept/<service>/kafka`).
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

KafkaSecurity = Literal["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL"]
VaultAuth = Literal["approle", "jwt", "kubernetes"]
SmtpTls = Literal["auto", "starttls", "tls", "none"]


class ServiceSettings(BaseSettings):
    """Base of each service's settings."""

    model_config = SettingsConfigDict(env_prefix="KEPT_", frozen=True, extra="ignore", env_ignore_empty=True)

    service: str = Field(pattern=r"^[a-z]+$")
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535)
    drain_seconds: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="asked to stop, it says so in /readyz and answers on for so long",
    )
    public_origin: str = "http://localhost:8080"
    origins: tuple[str, ...] = Field(default=(), description="other origins under which people reach the same pages")
    hosts: tuple[str, ...] = Field(
        default=(), description="other names, host:port, by which a proxy or a service asks for this one"
    )
    trusted_proxies: tuple[str, ...] = Field(default=(), description="networks whose X-Forwarded-For says who the client is")
    hop_secret_file: Path | None = Field(default=None, description="what such a proxy besides proves to know, in X-Kept-Hop")

    database_host: str = "127.0.0.1"
    database_port: int = Field(default=5432, ge=1, le=65535)
    database_name: str = ""
    database_user: str = ""

    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_security: KafkaSecurity = "SASL_PLAINTEXT"
    kafka_ca_file: Path | None = Field(default=None, description="who vouches for the broker, if not the system's roots")
    kafka_idempotence: bool = Field(default=True, description="off only for a broker without idempotent producers")

    vault_addr: str = "http://127.0.0.1:8200"
    vault_auth: VaultAuth = Field(default="approle", description="how this service shows Vault who it is")
    vault_auth_mount: str = Field(default="", description="where jwt or kubernetes is mounted, if not under its own name")
    vault_role: str = Field(default="", description="its role there, if not the service's name")
    vault_token_file: Path = Path("/var/run/secrets/kept/vault-token")
    vault_role_id: str = ""
    vault_secret_id_file: Path = Path("/run/secrets/vault-secret-id")
    data_keys_cached: int = Field(default=100_000, ge=100, description="people's keys in memory, at most; each takes 310 bytes")

    state_dir: Path = Path(".kept")
    jwks_url: str = "http://localhost:8080/.well-known/jwks.json"
    token_minutes_max: int = Field(default=720, ge=1, le=720, description="a token made for longer is refused")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=1025, ge=1, le=65535)
    smtp_user: str = Field(default="", description="signs in as; the password lies in Vault, kept/<service>/smtp")
    smtp_tls: SmtpTls = Field(default="auto", description="auto: starttls, required, unless the server is on this machine")
    smtp_ca_file: Path | None = Field(default=None, description="who vouches for the mail server, if not the system's roots")
    controller: str = Field(default="Chinook Corporation", description="who answers for the data; stands on every page")
    contact: str = Field(default="privacy@kept.local", description="where a person reaches a human; sender of the mails")
    # `/log` tells its keys from those of holders, `<place>/<service>`: one of them must not speak for the log.
    log_name: str = Field(default="kept.local/log", pattern=r"^[^\s/+]+/log(/[^\s/+]+)*$")

    @field_validator("origins", "hosts", "trusted_proxies", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        """A list is JSON in the environment, and in a file that is read as one."""
        return json.loads(value) if isinstance(value, str) else value

    @property
    def database(self) -> str:
        """The service's database; named like the service unless told otherwise."""
        return self.database_name or self.service

    @property
    def database_role(self) -> str:
        """The service's database role; named like the service unless told otherwise."""
        return self.database_user or self.service
