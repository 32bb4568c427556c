"""docker-compose.yml without an engine: its services run as processes, with their own commands, environment, secrets and health
checks, against a real redis-server and a real PostgreSQL. What only an engine can do (limits, networks, users) is read."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
import yaml

from monitor.alive import said_to_live
from monitor.cli import cli
from monitor.daemon import STOP_WITHIN_S
from tests.abuse import claim_of, post_of, quick_config
from tests.daemon_process import PATIENCE_S, DaemonProcess, run_command, until
from tests.postgres import QUICK, Postgres, running_postgres
from tests.receiver import SECRET, Receiver
from tests.servers import BINARIES

ROOT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
ROLES = ("serve", "deliver", "work", "collect")
OURS = ("tables", *ROLES)


class Place:
    """Where a service's paths and names lie when it runs as a process of this machine."""

    def __init__(self, folder: Path, redis_port: int, postgres_port: int) -> None:
        self.folder = folder
        self.ports = {"redis": redis_port, "postgres": postgres_port}
        self.api_port = 0

    def of(self, service: str, replica: int = 0) -> _Mounted:
        return _Mounted(self, service, self.folder / f"{service}-{replica}")


class _Mounted:
    """One container of a service: the secrets that it is given and no others, and its own /data."""

    def __init__(self, place: Place, service: str, folder: Path) -> None:
        self.place, self.service, self.folder = place, SERVICES[service], folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "secrets").mkdir(exist_ok=True)
        for name in self.service.get("secrets", ()):
            given = place.folder / COMPOSE["secrets"][name]["file"]
            text = given.read_text().replace("@redis:6379", f"@127.0.0.1:{place.ports['redis']}")
            (folder / "secrets" / name).write_text(text.replace("@postgres/", f"@127.0.0.1:{place.ports['postgres']}/"))

    def here(self, text: str) -> str:
        """A text of the compose file as it is on this machine."""
        text = text.replace("/run/secrets/", f"{self.folder}/secrets/").replace("$$", "$")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.place.api_port}")
        return f"{self.folder}/data" if text == "/data" else text

    @property
    def command(self) -> list[str]:
        return [self.here(word) for word in self.service["command"]]

    @property
    def environment(self) -> dict[str, str]:
        (data,) = re.findall(r"EXOWATCH_DATA_DIR=(\S+)", IMAGE)
        return {"EXOWATCH_DATA_DIR": self.here(data)} | {k: self.here(v) for k, v in self.service.get("environment", {}).items()}

    def health(self) -> int:
        """The exit status of its health check."""
        kind, *words = (self.here(word) for word in self.service["healthcheck"]["test"])
        command = (
            ["sh", "-c", *words] if kind == "CMD-SHELL" else [sys.executable if word == "python" else word for word in words]
        )
        environment = {**os.environ, **self.environment, "PGPORT": str(self.place.ports["postgres"])}
        return subprocess.run(command, cwd=ROOT, env=environment, timeout=PATIENCE_S, check=False, capture_output=True).returncode


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Secrets as the script makes them."""
    subprocess.run([ROOT / "docs" / "deploy" / "secrets.sh", tmp_path / "secrets"], check=True, capture_output=True)
    return Place(tmp_path, free_port(), free_port())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def postgres(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """The service `postgres`: set up by the script's SQL, and asking for passwords."""
    port = str(place.ports["postgres"])
    monkeypatch.setenv("PGPORT", port)
    try:
        with running_postgres(*QUICK, "-c", "listen_addresses=127.0.0.1", "-c", f"port={port}") as cluster:
            monkeypatch.setenv("PATH", f"{cluster.binaries}:{os.environ['PATH']}")
            psql: list[str | Path] = [
                cluster.binaries / "psql",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                cluster.folder,
                "-U",
                "exowatch",
            ]
            subprocess.run([*psql, "-d", "postgres", "-f", place.folder / "secrets" / "postgres.sql"], check=True)
            cluster.stop()
            (cluster.folder / "data" / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
            cluster.start()
            yield cluster
    except FileNotFoundError as error:
        pytest.skip(str(error))


@contextmanager
def redis_of(place: Place) -> Iterator[None]:
    """The service `redis` with its own arguments."""
    if not BINARIES or shutil.which("redis-cli") is None:
        pytest.skip("there is no redis-server, or no redis-cli")
    program, *words = place.of("redis").command
    assert program == "redis-server"
    command = [BINARIES[0], *words, "--port", str(place.ports["redis"]), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


async def test_a_post_handed_to_serve_is_judged_by_work_and_told_by_deliver(
    place: Place, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = quick_config(place.folder)
    redis, server = place.of("redis"), place.of("postgres")
    async with Receiver() as receiver, AsyncExitStack() as stack:
        assert redis.health() != 0
        stack.enter_context(redis_of(place))
        await until(async_(redis.health), lambda status: status == 0)
        assert server.health() == 0
        assert place.of("deliver").health() != 0, "nothing runs yet"

        tables = place.of("tables")
        status, out, err = await run_command(*tables.command, **tables.environment)
        assert (status, err) == (0, ""), "with the owner's address and nothing else, and without the config file"
        assert "are up to date" in out

        hook = f'[{{"name": "hook", "kind": "webhook", "url": "{receiver.url}", "secret": "{SECRET}", "allow_private": true}}]'
        monkeypatch.setenv("EXOWATCH_ENDPOINT", hook)
        monkeypatch.setenv("EXOWATCH_API__PORT", "0")
        running: list[tuple[DaemonProcess, _Mounted]] = []
        for role in ROLES:
            for replica in range(SERVICES[role]["deploy"]["replicas"]):
                container = place.of(role, replica)
                with monkeypatch.context() as environment:
                    for name, value in container.environment.items():
                        environment.setenv(name, value)
                    process = DaemonProcess(config, *container.command)
                    await process.start()
                stack.push_async_callback(stop, process)
                running.append((process, container))
        assert len(running) == 6
        address = running[0][0].address
        place.api_port = int(address.rpartition(":")[2])
        assert address.startswith("http://0.0.0.0:")
        address = f"http://127.0.0.1:{place.api_port}"

        token = (place.folder / "secrets" / "api_token").read_text().strip()
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{address}/api/v1/mentions", json=[post_of("1", claim_of(301))]) as answer:
                assert answer.status == 401
            headers = {"Authorization": f"Bearer {token}"}
            async with session.post(f"{address}/api/v1/mentions", json=[post_of("1", claim_of(301))], headers=headers) as answer:
                assert (answer.status, (await answer.json())["accepted"]) == (202, 1)
        (got,) = await receiver.got(1)
        assert got.event["type"] == "claim.new"

        assert [container.health() for _, container in running] == [0] * len(running)
        assert "permission" not in "".join(process.log() for process, _ in running)
        made = {path.name for _, container in running for path in (container.folder / "data").rglob("*")}
        assert not made & {"author.key", "exowatch.sqlite", "redis"}, "what has to outlive a container is not in its /data"
        for process, container in running:
            await process.stop()
            assert container.health() != 0
    assert redis.health() != 0
    postgres.stop()
    assert server.health() != 0


def async_(ask: Any) -> Any:
    async def asked() -> Any:
        return ask()

    return asked


async def stop(process: DaemonProcess) -> None:
    if process.running:
        await process.stop()


async def test_a_process_that_stands_still_or_died_is_not_healthy(place: Place) -> None:
    container = place.of("work")
    data = container.folder / "data"
    async with said_to_live(data, "work"):
        assert container.health() == 0
        (sign,) = (data / "alive").iterdir()
        os.utime(sign, (1, 1))
        assert container.health() != 0
        os.utime(sign)
        (data / "alive" / f"work.{os.getppid()}").touch()  # of one that was killed, whose number another process has now
        assert container.health() == 0
        assert list((data / "alive").iterdir()) == [sign]
    assert container.health() != 0
    assert list((data / "alive").iterdir()) == []


# What is read


def test_the_secrets_are_made_once_and_are_random(place: Place) -> None:
    folder = place.folder / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {one.name for one in folder.iterdir()} >= {Path(one["file"]).name for one in COMPOSE["secrets"].values()}
    assert not [one.name for one in folder.iterdir() if "change-me" in one.read_text()]
    again = subprocess.run([ROOT / "docs" / "deploy" / "secrets.sh", folder], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "there already" in again.stderr
    subprocess.run([ROOT / "docs" / "deploy" / "secrets.sh", place.folder / "other"], check=True, capture_output=True)
    for one in folder.iterdir():
        assert one.read_text() != (place.folder / "other" / one.name).read_text(), one.name


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_few_rights_and_bounds(name: str) -> None:
    one = SERVICES[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert one["read_only"] is True
    assert one["user"].split(":")[0] not in ("0", "root")
    assert "privileged" not in one
    assert "cap_add" not in one
    assert {"memory", "cpus", "pids"} <= set(one["deploy"]["resources"]["limits"])
    assert one["restart"] == ("no" if name == "tables" else "unless-stopped")
    assert one["healthcheck"].get("test") or (name == "tables" and one["healthcheck"]["disable"])
    assert "/" not in one["image"].partition(":")[0], "no registry is named"
    assert set(one.get("secrets", ())) <= set(COMPOSE["secrets"])
    assert set(one["networks"]) <= set(COMPOSE["networks"])
    volumes = [volume.split(":")[0] for volume in one["volumes"]]
    assert all(volume.startswith("./") or volume in COMPOSE["volumes"] for volume in volumes)
    assert set(one.get("depends_on", ())) <= set(SERVICES)
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    text = str(one.get("environment", {}))
    assert not re.search(r"://[^\s']*:[^\s']*@", text), "no password stands in the file"


def test_the_services_fit_the_image_and_each_other() -> None:
    for name in OURS:
        one = SERVICES[name]
        (command,) = one["command"]
        assert cli.get_command(click.Context(cli), command) is not None
        uid, gid = one["user"].split(":")
        assert f"--uid {uid} " in IMAGE
        assert f"--gid {gid} " in IMAGE
        assert int(one["stop_grace_period"].removesuffix("s")) > STOP_WITHIN_S
        written = [*(entry.split(":")[0] for entry in one["tmpfs"]), *(volume.split(":")[1] for volume in one["volumes"])]
        assert {"/data", "/tmp"} <= set(written), "what it writes is not on the read-only root"
    assert [name for name in SERVICES if SERVICES[name].get("ports")] == ["serve"]
    for name in ROLES:
        assert SERVICES[name]["depends_on"]["tables"]["condition"] == "service_completed_successfully"
        assert SERVICES[name]["depends_on"]["redis"]["condition"] == "service_healthy"
        assert "owner_url" not in SERVICES[name]["secrets"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert [SERVICES[name]["networks"] for name in ("redis", "postgres")] == [["inside"], ["inside"]]
    assert '"-m", "monitor.alive"' in IMAGE.split("HEALTHCHECK")[1]
    assert "USER 10001:10001" in IMAGE
    runtime = IMAGE.split("\nFROM ")[-1]
    assert not re.search(r"pip install|gcc|build-essential|-dev\b", runtime), "no tools to build with in what runs"
    assert not re.search(r"FROM \S+[./]\S+/|index-url|https?://", IMAGE), "no registry and no index is named"
