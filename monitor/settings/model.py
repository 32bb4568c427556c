"""The sections of `config/monitor.toml`, one class each; the comments there and `docs/configuration.md` say what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from monitor.settings.endpoint import Endpoint
from monitor.settings.redis_url import RedisUrl
from monitor.settings.section import Section
from monitor.settings.sources import Source
from monitor.settings.tokens import OWN_NAME, Token
from monitor.settings.values import (
    ApiKey,
    ApiUrl,
    Duration,
    FilePath,
    Folder,
    HiddenUrl,
    ModelName,
    Name,
    PublicUrl,
    Retention,
    Secret,
    Timeout,
    with_a_port,
)

SHIPPED = Path(__file__).resolve().parents[2] / "config"
_FEWEST_TOKENS = 1_000  # no request is smaller


class Redis(Section):
    url: RedisUrl = ""
    partitions: int = Field(default=1, ge=1, le=64)


class Store(Section):
    url: HiddenUrl = ""
    retain_text: dict[str, Duration] = Field(default={})

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        if url and not url.startswith(("sqlite://", "postgresql://")):
            raise ValueError('write postgresql://user@host/name, sqlite:///path, or "" for SQLite in data_dir')
        return with_a_port(url)


class Api(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token: Secret = SecretStr("")
    rate_limit: int = Field(default=6_000, ge=0, le=1_000_000)  # requests a minute and token; 0: no limit
    public_url: PublicUrl = ""


class Privacy(Section):
    authors: Literal["pseudonym", "plain", "none"] = "pseudonym"
    key: Secret = SecretStr("")  # of the pseudonyms; empty: made once, in data_dir/author.key


class Alerts(Section):
    jurisdictions: list[str] = Field(default=["US", "UK", "EU"])
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    max_age: Duration = 7 * 86400.0
    spreading: list[Annotated[int, Field(ge=1)]] = Field(default=[10, 100, 1000])
    resurfaced_after: Duration = 90 * 86400.0


class Classifier(Section):
    """Who judges posts: the topic pack's model and rules on this machine, or a language model behind an OpenAI-compatible server,
    with those to fall back on.

    `daily_cap` is in US dollars where both prices (per million tokens) are given, and in tokens where neither is.
    """

    kind: Literal["local", "openai"] = "local"
    base_url: ApiUrl = ""
    model: ModelName = ""
    api_key: ApiKey = SecretStr("")
    timeout: Timeout = 20.0
    concurrency: int = Field(default=4, ge=1, le=64)
    daily_cap: float | None = Field(default=None, ge=0, le=1e9)
    price_in: float | None = Field(default=None, ge=0, le=1e6)
    price_out: float | None = Field(default=None, ge=0, le=1e6)

    @model_validator(mode="after")
    def _complete(self) -> Classifier:
        if self.kind == "openai" and not (self.base_url and self.model):
            raise ValueError('kind = "openai" needs base_url (as in "http://127.0.0.1:8000/v1") and model')
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out go together: US dollars per million tokens")
        if self.daily_cap and not self.priced and self.daily_cap < _FEWEST_TOKENS:
            raise ValueError(
                f"daily_cap = {self.daily_cap:g} counts tokens, since price_in and price_out are not set, and pays for no "
                f"request: set both prices and it is in US dollars, or allow at least {_FEWEST_TOKENS} tokens"
            )
        return self

    @property
    def priced(self) -> bool:
        """Whether money is counted, and not tokens."""
        return self.price_in is not None


class Deliveries(Section):
    """Of every endpoint: how long the log is kept, and after how long without a single success an endpoint is disabled."""

    retain: Retention = 90 * 86400.0
    disable_after: Retention = 5 * 86400.0


class Telemetry(Section):
    """Traces: where to (an OTLP receiver over HTTP; empty: none are made), and how large a share of them."""

    otlp: ApiUrl = ""
    sample: float = Field(default=1.0, ge=0, le=1)


class _Environment(EnvSettingsSource):
    """The environment, but for EXOWATCH_TOKEN: where it is set it holds a token (`token = "env:EXOWATCH_TOKEN"`), and no list."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return (None, field_name, False) if field_name == "token" else super().get_field_value(field, field_name)

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        if field_name == "token":
            return None
        return super().prepare_field_value(field_name, field, value, value_is_complex)


class Settings(BaseSettings):
    """Everything a user may set. `config_file` is where it was read from; relative paths start beside it."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="EXOWATCH_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    data_dir: Folder = Path("var")
    topic: Name = "exosomes"
    watchlist: FilePath = ""
    redis: Redis = Redis()
    store: Store = Store()
    api: Api = Api()
    privacy: Privacy = Privacy()
    alerts: Alerts = Alerts()
    classifier: Classifier = Classifier()
    deliveries: Deliveries = Deliveries()
    telemetry: Telemetry = Telemetry()
    source: list[Source] = []
    endpoint: list[Endpoint] = []
    token: list[Token] = []

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is the library's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _Environment(settings_cls), init_settings  # the environment wins over the file, whose content comes by `init`

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Settings:
        named = {"source": self.source, "endpoint": self.endpoint, "token": self.token}
        for what, names in ((what, [one.name for one in entries]) for what, entries in named.items()):  # type: ignore[attr-defined]
            twice = {name for name in names if names.count(name) > 1}
            if twice:
                raise ValueError(f"two entries of [[{what}]] are named {sorted(twice)[0]!r}; names are distinct")
        if any(one.name == OWN_NAME for one in self.token):
            raise ValueError(f'token: "{OWN_NAME}" is the name of api.token itself; give this one another name')
        return self

    @model_validator(mode="after")
    def _token_where_others_can_reach(self) -> Settings:
        if self.api.host not in ("127.0.0.1", "::1", "localhost") and not self.locked:
            raise ValueError(
                f'api.host "{self.api.host}" can be reached by others: set api.token or a [[token]] too, '
                'or keep api.host = "127.0.0.1"'
            )
        return self

    @property
    def locked(self) -> bool:
        """Whether callers of the API have to show a token."""
        return bool(self.api.token.get_secret_value() or self.token)

    _file: Path = PrivateAttr(default=SHIPPED / "monitor.toml")

    @property
    def file(self) -> Path:
        """Where the settings were read from."""
        return self._file

    @property
    def topic_folder(self) -> Path:
        """The topic pack: beside the config file where there is one of that name, else the shipped one."""
        own = self.file.parent / "topics" / self.topic
        return own if own.is_dir() else SHIPPED / "topics" / self.topic

    @property
    def watchlist_file(self) -> Path | None:
        """The user's own watchlist, where the settings name one."""
        return self.file.parent / self.watchlist if self.watchlist else None

    @property
    def sqlalchemy_url(self) -> str:
        """The database in SQLAlchemy's words (aiosqlite or asyncpg)."""
        if not self.store.url:
            return f"sqlite+aiosqlite:///{self.data_dir / 'exowatch.sqlite'}"
        scheme, rest = self.store.url.split("://", 1)
        driver = {"sqlite": "aiosqlite", "postgresql": "asyncpg"}[scheme]
        return f"{scheme}+{driver}://{rest}"


def known_environment(environ: dict[str, str]) -> list[str]:
    """Variables that start with EXOWATCH_ and name no setting, so that a misspelt one is not silently ignored."""
    unknown = []
    for name in environ:
        if not name.startswith("EXOWATCH_") or name == "EXOWATCH_CONFIG":
            continue
        section, _, key = name.removeprefix("EXOWATCH_").lower().partition("__")
        field: Any = Settings.model_fields.get(section) if section != "token" else None  # see `_Environment`
        if field is None or (key and not _has_field(field.annotation, key.split("__")[0])):
            unknown.append(name)
    return sorted(unknown)


def _has_field(annotation: Any, key: str) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel) and key in annotation.model_fields
