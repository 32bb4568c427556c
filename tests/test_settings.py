"""Settings: what is right is read, what is wrong is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.settings import Settings, SettingsError, load
from monitor.settings.endpoint import Endpoint
from monitor.settings.load import DEFAULT_FILE
from monitor.settings.sources import KINDS
from monitor.settings.tokens import Token

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "monitor.toml"
    file.write_text(text)
    return load(file)


def test_the_shipped_file_starts_without_any_credential() -> None:
    shipped = load(DEFAULT_FILE)
    assert shipped.api.host == "127.0.0.1"
    assert {source.kind for source in shipped.source} == {"feed", "reddit"}
    assert shipped.endpoint == []
    assert shipped.data_dir == DEFAULT_FILE.parent / "var"
    assert (shipped.topic_folder / "register").is_dir()


def test_the_shipped_file_says_the_defaults(tmp_path: Path) -> None:
    shipped, empty = load(DEFAULT_FILE), settings(tmp_path, "")
    for section in ("redis", "store", "api", "privacy", "alerts", "classifier"):
        assert getattr(shipped, section) == getattr(empty, section)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXOWATCH_ALERTS__MIN_CONFIDENCE", "0.7")
    monkeypatch.setenv("EXOWATCH_SOURCE", '[{"name": "q", "kind": "feed", "url": "https://example.org/f"}]')
    read = settings(tmp_path, '[alerts]\nmin_confidence = 0.2\nmax_age = "1d"')
    assert read.alerts.min_confidence == 0.7
    assert read.alerts.max_age == 86400
    assert [source.name for source in read.source] == ["q"]


def test_secrets_come_from_the_environment_and_from_files_and_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    (tmp_path / "token").write_text("s3cret-token\n")
    read = settings(
        tmp_path,
        f"""
        [api]
        token = "file:{tmp_path}/token"
        [[endpoint]]
        name = "a"
        kind = "webhook"
        url = "https://example.org"
        secret = "env:HOOK"
        """,
    )
    assert read.api.token.get_secret_value() == "s3cret-token"
    assert read.endpoint[0].secret[0].get_secret_value() == SECRET
    assert SECRET not in repr(read)
    assert "s3cret" not in repr(read)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('dta_dir = "x"', ["unknown key dta_dir", "data_dir"]),
        ("[alerts]\nmin_confidence = 2", ["alerts.min_confidence", "less than or equal to 1"]),
        ("[alerts]\nmin_confidenc = 0.5", ["unknown key alerts.min_confidenc", "min_confidence"]),
        ('[alerts]\nmax_age = "7 weeks"', ["alerts.max_age", '"7d"']),
        ('[api]\nhost = "0.0.0.0"', ["api.token", "127.0.0.1"]),
        ("[api]\nport = 70000", ["api.port", "65535"]),
        ('[redis]\nurl = "http://x"', ["redis.url", "redis://"]),
        ('[store]\nurl = "mysql://x"', ["store.url", "postgresql://"]),
        ('[store]\nurl = "sqlite:/x"', ["store.url", "sqlite:///path"]),
        ('[store]\nurl = "POSTGRESQL://u:hunter2@h/x"', ["store.url", "postgresql://"]),
        ('[privacy]\nauthors = "all"', ["privacy.authors", "pseudonym"]),
        ('[[source]]\nname = "a"\nkind = "fax"', ["source[0] (a)", "feed"]),
        ('[[source]]\nname = "a"\nkind = "feed"', ["source[0] (a).url", "missing"]),
        ('[[source]]\nname = "a"\nkind = "feed"\nurl = "ftp://x"', ["source[0] (a).url", "http://"]),
        ('[[source]]\nname = "a"\nkind = "feed"\nurl = "http://x"\ninterval = "1s"', ["source[0] (a).interval", '"2s"']),
        (
            '[[source]]\nname = "a"\nkind = "feed"\nurl = "http://x"\nplatfrom = "x"',
            ["unknown key source[0] (a).platfrom", "platform"],
        ),
        ('[[source]]\nname = "a"\nkind = "reddit"\nsubreddits = []', ["source[0] (a).subreddits"]),
        ('[[source]]\nname = "a"\nkind = "reddit"\nsubreddits = ["abc"]\nclient_id = "x"', ["client_secret"]),
        (
            '[[source]]\nname = "a"\nkind = "reddit"\nsubreddits = ["abc"]\nclient_id = "env:NOPE"\nclient_secret = "y"',
            ["source[0] (a).client_id", "NOPE is not set"],
        ),
        (
            '[[source]]\nname = "a"\nkind = "feed"\nurl = "http://x"\n[[source]]\nname = "a"\nkind = "feed"\nurl = "http://y"',
            ["two entries", "'a'"],
        ),
        ('[[endpoint]]\nname = "a"\nkind = "webhook"\nurl = "https://x"', ["endpoint[0] (a)", "secret is missing"]),
        (
            '[[endpoint]]\nname = "a"\nkind = "webhook"\nurl = "https://x"\nsecret = "hunter2"',
            ["endpoint[0] (a).secret", "whsec_"],
        ),
        (
            f'[[endpoint]]\nname = "a"\nkind = "webhook"\nurl = "https://x"\nsecret = "{SECRET}"\nevents = ["claim.old"]',
            ["endpoint[0] (a).events[0]", "claim.new"],
        ),
        ('[store]\nurl = "postgresql://u:hunter2@h:abc/x"', ["store.url", "port"]),
        ('[redis]\nurl = "redis://:hunter2@h:abc/0"', ["redis.url", "port"]),
        ("[alerts", ["not valid TOML", "table declaration"]),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_is_allowed(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, text)
    message = str(caught.value)
    for part in (*said, "monitor.toml"):
        assert part in message
    assert "hunter2" not in message
    assert "Traceback" not in message


def test_a_misspelt_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXOWATCH_ALERT__MIN_CONFIDENCE", "0.7")
    with pytest.raises(SettingsError, match="EXOWATCH_ALERT__MIN_CONFIDENCE"):
        settings(tmp_path, "")


def test_a_variable_that_the_file_names_for_a_secret_is_no_misspelt_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXOWATCH_TOKEN", "s3cret-token")  # the example of the shipped file
    assert settings(tmp_path, '[api]\ntoken = "env:EXOWATCH_TOKEN"').api.token.get_secret_value() == "s3cret-token"


def test_relative_paths_start_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "token").write_text("s3cret-token\n")
    monkeypatch.chdir(tmp_path)
    read = settings(tmp_path / "here", '[api]\ntoken = "file:token"\n[store]\nurl = "sqlite:///db/x.sqlite"')
    assert read.api.token.get_secret_value() == "s3cret-token"
    assert read.sqlalchemy_url == f"sqlite+aiosqlite:///{tmp_path}/here/db/x.sqlite"
    assert read.data_dir == tmp_path / "here" / "var"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "EXOWATCH_SOURCE",
            '[{"name": "a", "kind": "feed", "url": "https://x", "platfrom": "x"}]',
            "unknown key source[0].platfrom",
        ),
        ("EXOWATCH_SOURCE", '[{"name": "a", "kind": "feed"}]', "source[0].url is missing"),
        ("EXOWATCH_SOURCE", '[{"name": "a", "kind": "fax"}]', "a source needs a kind"),
        ("EXOWATCH_ENDPOINT", "hunter2", "EXOWATCH_ENDPOINT or one below it is not JSON"),
        ("EXOWATCH_ALERTS__SPREADING", "ten", "EXOWATCH_ALERTS or one below it is not JSON"),
        ("EXOWATCH_API__PORT", "99999", "api.port"),
    ],
)
def test_what_is_wrong_in_the_environment_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, "")
    assert str(caught.value).startswith("environment: ")
    assert said in str(caught.value)
    assert "monitor.toml" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no config file .*nowhere.toml.*--config"):
        load(tmp_path / "nowhere.toml")


def test_every_key_is_documented() -> None:
    docs = (DEFAULT_FILE.parents[1] / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`([a-z_.]+)`", docs))
    for name, field in Settings.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        if name in ("source", "endpoint", "token"):
            continue
        for key in [f"{name}.{k}" for k in inner] if inner else [name]:
            assert key in named, f"{key} is not in docs/configuration.md"
    for model in (*KINDS.values(), Endpoint, Token):
        for key in model.model_fields:
            assert key in named, f"{key} of {model.__name__} is not in docs/configuration.md"


def test_a_variable_that_overrides_the_file_is_named_where_it_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXOWATCH_API__PORT", "eighty")
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, "[api]\nport = 8080\n")
    assert str(caught.value).startswith("environment: EXOWATCH_API__PORT: api.port: ")
