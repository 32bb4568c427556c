"""`make api-fuzz`: asks the API whatever its description allows and does not, on both databases, for as long as you like.

Chance begins with another seed each time, which is printed first: the same seed asks the same again. The exit status is 1 where
an answer is not as the description says, and what was asked stands above, as a command for curl.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.settings import Settings, hash_of, new_token
from monitor.store import Database, sources
from tests.api_server import serving
from tests.postgres import running_postgres
from tests.samples import write_some
from tests.servers import BINARIES, RedisServer

DATABASES = ("sqlite", "postgresql")


async def fuzz(kind: str, examples: int, seconds: int | None, seed: int) -> int:
    """One round on one database; exit status."""
    token = new_token()
    entry = {"name": "t", "scopes": ["admin"], "hash": hash_of(token), "rate_limit": 0}
    with _store_url(kind) as url, _redis_url() as redis:
        database = Database(Settings(store={"url": url}).sqlalchemy_url)
        try:
            await database.migrate()
            await write_some(database)
            async with database.write() as connection:
                await sources.declare(connection, {"skincare": "reddit", "tag": "feed", "idle": "feed"})
            async with serving(database, redis, tokens=[entry]) as api:
                arguments = [
                    sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/api/v1/openapi.json",
                    "--header", f"Authorization:Bearer {token}",
                    "--exclude-path-regex", "/live$",  # which never ends
                    # A post that was accepted (202) is on record when it was judged, and here nobody judges.
                    "--exclude-checks", "ensure_resource_availability",
                    "--max-examples", str(examples), "--seed", str(seed), "--request-timeout", "60", "--no-color",
                    "--suppress-health-check", "all", "--continue-on-failure",
                    *([] if seconds is None else ["--max-time", str(seconds)]),
                ]  # fmt: skip
                with tempfile.TemporaryDirectory() as folder:  # what it keeps of a run must not decide the next one
                    environment = {**os.environ, "COLUMNS": "160"}
                    process = await asyncio.create_subprocess_exec(*arguments, cwd=folder, env=environment)
                    try:
                        return await process.wait()
                    finally:
                        if process.returncode is None:
                            process.kill()
        finally:
            await database.close()


@contextmanager
def _store_url(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        folder = Path(tempfile.mkdtemp(prefix="exowatch-fuzz-"))
        try:
            yield f"sqlite:///{folder}/store.sqlite"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    with running_postgres("-c", "fsync=off") as server:
        yield server.empty_database()


@contextmanager
def _redis_url() -> Iterator[str]:
    server = RedisServer(BINARIES[0])
    try:
        server.start()
        yield server.url
    finally:
        server.remove()


def main() -> int:
    """Reads the options."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--examples", type=int, default=100, help="of each operation and database (default: 100)")
    asked.add_argument("--seconds", type=int, help="on each database, again and again until they are over (default: once)")
    asked.add_argument("--seed", type=int, help="what chance begins with (default: another each time)")
    asked.add_argument("--database", choices=DATABASES, help="only this one (default: both)")
    options = asked.parse_args()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    failed = []
    for kind in DATABASES if options.database is None else (options.database,):
        print(f"api-fuzz: {kind}, --seed {seed}", flush=True)
        try:
            status = asyncio.run(fuzz(kind, options.examples, options.seconds, seed))
        except FileNotFoundError as error:
            print(f"api-fuzz: {kind} is left out: {error}", file=sys.stderr)
            continue
        failed += [kind] if status else []
    if failed:
        print(f"api-fuzz: not as described on {' and '.join(failed)}; the same again: --seed {seed}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
