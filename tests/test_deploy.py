"""The examples of docs/deploy name what is there: commands, settings, paths and ports; systemd itself takes the unit."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import click
import pytest
import yaml

from monitor.api.guard import OPEN
from monitor.cli import cli
from monitor.daemon import STOP_WITHIN_S
from monitor.settings import load
from tests.daemon_process import run_command, running_daemon

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "docs" / "deploy"
UNIT = (DEPLOY / "exowatch.service").read_text(encoding="utf-8")
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
DEPLOYMENTS = [one for one in OBJECTS if one["kind"] == "Deployment"]
IMAGE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def words_of(section: str, key: str) -> list[str]:
    """What the unit says under a key, each time that it does; a comment in between is none of it."""
    body = re.split(r"^\[(\w+)\]\n", UNIT, flags=re.MULTILINE)
    return re.findall(rf"^{key}=(.*)$", body[body.index(section) + 1], re.MULTILINE)


def exists(command: str) -> bool:
    return cli.get_command(click.Context(cli), command) is not None


# systemd


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    unit = tmp_path / "exowatch.service"
    unit.write_text(UNIT.replace("/opt/exowatch/.venv/bin/python", sys.executable))
    told = subprocess.run([analyze, "verify", unit], capture_output=True, text=True, check=False)
    assert (told.returncode, [line for line in told.stderr.splitlines() if "exowatch" in line]) == (0, []), told.stderr


def test_the_unit_starts_a_command_with_settings_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (start,) = words_of("Service", "ExecStart")
    program, _, module, *words = start.split()
    assert program == f"{words_of('Service', 'WorkingDirectory')[0]}/.venv/bin/python"
    assert module == "monitor"
    assert (ROOT / module / "__main__.py").exists()
    assert len(words) == 1
    assert exists(words[0])
    given = dict(pair.split("=", 1) for line in words_of("Service", "Environment") for pair in line.split())
    assert set(given) == {"EXOWATCH_CONFIG", "EXOWATCH_DATA_DIR", "TMPDIR"}
    monkeypatch.setenv("EXOWATCH_DATA_DIR", given["EXOWATCH_DATA_DIR"])
    (tmp_path / "monitor.toml").write_text("")
    (state,), (runtime,) = words_of("Service", "StateDirectory"), words_of("Service", "RuntimeDirectory")
    assert str(load(tmp_path / "monitor.toml").data_dir) == f"/var/lib/{state}", "the only folder that it may write to"
    assert given["TMPDIR"] == f"/run/{runtime}"


# Kubernetes


def named(kind: str, name: str = "exowatch") -> dict[str, Any]:
    (one,) = (one for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return one


def container_of(deployment: dict[str, Any]) -> dict[str, Any]:
    (one,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(one)


def lives(deployment: dict[str, Any]) -> bool:
    """What the liveness probe of a pod without HTTP finds."""
    program, *words = container_of(deployment)["livenessProbe"]["exec"]["command"]
    assert program == "python"
    return subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0


def probes_of(deployment: dict[str, Any]) -> list[str]:
    return [container_of(deployment)[f"{probe}Probe"]["httpGet"]["path"] for probe in ("readiness", "liveness")]


def test_each_role_has_a_deployment_with_a_command_that_exists() -> None:
    roles = [container_of(one)["args"] for one in DEPLOYMENTS]
    assert roles == [["collect"], ["work"], ["deliver"], ["serve"]]
    assert all(exists(role) for (role,) in roles)
    replicas = {one["metadata"]["name"]: one["spec"]["replicas"] for one in DEPLOYMENTS}
    assert replicas["exowatch-collect"] == 2, "they share the sources out"
    assert all(one["spec"]["strategy"] == {"type": "Recreate"} for one in DEPLOYMENTS), "old and new are not to be mixed"


def test_the_settings_of_the_pods_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(named("ConfigMap")["data"]["monitor.toml"])
    for name, value in named("Secret")["stringData"].items():
        monkeypatch.setenv(name, value)
    for deployment in DEPLOYMENTS:
        for one in container_of(deployment)["env"]:
            monkeypatch.setenv(one["name"], one["value"])
        settings = load(config)
        assert settings.redis.url.startswith("redis://exowatch:")
        assert settings.store.url.startswith("postgresql://exowatch_daemon:")
        assert settings.api.host == "0.0.0.0"
        assert settings.api.token.get_secret_value() == "change-me-to-something-long"
        assert settings.privacy.key.get_secret_value()
        mounts = {one["mountPath"]: one for one in container_of(deployment)["volumeMounts"]}
        assert str(settings.data_dir) in mounts
        assert mounts["/etc/exowatch"]["readOnly"]


async def test_each_pod_gets_ready_with_its_command_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, sqlite_with_tables: Path
) -> None:
    config = tmp_path / "monitor.toml"
    config.write_text(named("ConfigMap")["data"]["monitor.toml"])
    here = {
        "EXOWATCH_REDIS__URL": redis_url,
        "EXOWATCH_STORE__URL": f"sqlite:///{shutil.copy(sqlite_with_tables, tmp_path)}",
        "EXOWATCH_DATA_DIR": str(tmp_path / "data"),
        "EXOWATCH_API__HOST": "127.0.0.1",
        "EXOWATCH_API__PORT": "0",
        "EXOWATCH_SOURCE": "[]",
    }
    for name, value in {**named("Secret")["stringData"], **here}.items():
        monkeypatch.setenv(name, value)
    for deployment in DEPLOYMENTS:
        async with running_daemon(config, *container_of(deployment)["args"]) as pod:
            if pod.address:
                assert [(await pod.raw(path))[0] for path in probes_of(deployment)] == [200, 200]
            else:
                assert lives(deployment)
        assert pod.address or not lives(deployment)


async def test_a_login_at_one_pod_is_known_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str, sqlite_with_tables: Path
) -> None:
    monkeypatch.setenv("EXOWATCH_REDIS__URL", redis_url)
    monkeypatch.setenv("EXOWATCH_STORE__URL", f"sqlite:///{shutil.copy(sqlite_with_tables, tmp_path)}")
    serve = DEPLOYMENTS[-1]
    assert serve["spec"]["replicas"] == 2
    (mount,) = (one for one in container_of(serve)["volumeMounts"] if one["name"] == "logins")
    (volume,) = (one for one in serve["spec"]["template"]["spec"]["volumes"] if one["name"] == "logins")
    assert mount["mountPath"] == "/data/login.key", "where a pod looks for it"
    assert mount["subPath"] in named("Secret", volume["secret"]["secretName"])["stringData"]
    key, token = secrets.token_hex(32), "a-token-of-a-reader"
    pods = []
    for name in ("one", "two"):
        (tmp_path / name / "data").mkdir(parents=True)
        mounted = tmp_path / name / "data" / mount["subPath"]
        mounted.write_text(key)
        mounted.chmod(volume["secret"]["defaultMode"])
        config = tmp_path / name / "monitor.toml"
        config.write_text(
            'data_dir = "data"\n[api]\nport = 0\n'
            f'[[token]]\nname = "ann"\nscopes = ["read"]\nhash = "sha256:{hashlib.sha256(token.encode()).hexdigest()}"\n'
        )
        pods.append(running_daemon(config, "serve"))
    async with pods[0] as one, pods[1] as two, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as browser:
        async with browser.post(one.address + "/login", data={"token": token}, allow_redirects=False) as answer:
            cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
        for pod in (one, two):
            async with browser.get(pod.address + "/api/v1/claims", cookies=cookies) as answer:
                assert answer.status == 200, await answer.text()
        async with browser.get(two.address + "/api/v1/claims") as answer:
            assert answer.status == 401, "without it nobody is let in"


async def test_the_job_makes_the_tables_with_its_command_and_environment(tmp_path: Path) -> None:
    owner, job = yaml.safe_load_all((DEPLOY / "kubernetes-migrate.yaml").read_text(encoding="utf-8"))
    container = container_of(job)
    assert container["envFrom"] == [{"secretRef": {"name": owner["metadata"]["name"]}}]
    assert set(owner["stringData"]) == {"EXOWATCH_STORE__URL"}
    given = {one["name"]: one["value"] for one in container["env"]}
    assert given.pop("EXOWATCH_DATA_DIR") in {one["mountPath"] for one in container["volumeMounts"]}
    file = tmp_path / "store.sqlite"
    here = {"EXOWATCH_DATA_DIR": str(tmp_path / "data"), "EXOWATCH_STORE__URL": f"sqlite:///{file}"}
    status, out, err = await run_command(*container["args"], **given, **here)
    assert status == 0, out + err
    with sqlite3.connect(file) as plain:
        assert plain.execute("SELECT COUNT(*) FROM mention").fetchone() == (0,)


def test_the_pods_fit_the_image_and_each_other() -> None:
    for deployment in DEPLOYMENTS:
        pod, container = deployment["spec"]["template"]["spec"], container_of(deployment)
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == labels
        assert labels["role"] == container["args"][0]
        assert f"--uid {pod['securityContext']['runAsUser']} " in IMAGE
        assert pod["terminationGracePeriodSeconds"] > STOP_WITHIN_S
        assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in pod["volumes"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        (environment,) = container["envFrom"]
        assert environment["secretRef"]["name"] == named("Secret")["metadata"]["name"]
    serve = container_of(DEPLOYMENTS[-1])
    (port,) = serve["ports"]
    assert f"EXPOSE {port['containerPort']}" in IMAGE
    assert set(probes_of(DEPLOYMENTS[-1])) <= OPEN, "what needs no token"
    service = named("Service")["spec"]
    assert service["selector"] == DEPLOYMENTS[-1]["spec"]["selector"]["matchLabels"]
    assert [one["targetPort"] for one in service["ports"]] == [port["name"]]
