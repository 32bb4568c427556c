"""What `redis.url` may say, and what is answered where it says something else."""

from __future__ import annotations

import pytest

from monitor.settings.redis_url import read_redis_url


def test_a_server_is_taken_as_it_is() -> None:
    for url, where in (
        ("redis://me:secret@host:7000/2?ssl_check_hostname=false", "host:7000"),
        ("rediss://host", "host"),
        ("unix://:secret@/run/redis.sock", "/run/redis.sock"),
    ):
        address = read_redis_url(url)
        assert (address.kind, address.url, address.where) == ("server", url, where)
        assert "secret" not in repr(address)


def test_sentinels_name_a_service_and_have_a_login_of_their_own() -> None:
    address = read_redis_url(
        "redis+sentinel://me:a%2Fb@one:26380,two,[::1]:7/posts/3?sentinel_password=c%2Fd&health_check_interval=5"
    )
    assert (address.kind, address.service, address.hosts) == ("sentinel", "posts", (("one", 26380), ("two", 26379), ("::1", 7)))
    assert address.server("10.0.0.1", 6379) == "redis://me:a%2Fb@10.0.0.1:6379/3?health_check_interval=5"
    assert address.sentinel("::1", 7) == "redis://:c%2Fd@[::1]:7/0?health_check_interval=5"
    assert address.where == "one:26380,two,[::1]:7"
    plain = read_redis_url("rediss+sentinel://one/posts")
    assert plain.sentinel("one", 26379) == "rediss://one:26379/0"
    assert plain.server("one", 6379) == "rediss://one:6379/0"


def test_a_cluster_is_some_of_its_nodes() -> None:
    address = read_redis_url("redis+cluster://me:pw@one:7000,two")
    assert (address.kind, address.hosts) == ("cluster", (("one", 7000), ("two", 6379)))
    assert address.server("three", 7) == "redis://me:pw@three:7/0"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://s3cret@host", "redis+sentinel://"),
        ("redis://:s3cret@host:port", "not a number"),
        ("redis+sentinel://:s3cret@one,two", "name the service"),
        ("redis+sentinel://:s3cret@one:x/posts", "not a number"),
        ("redis+sentinel://:s3cret@one,,two/posts", "host:port,host:port"),
        ("redis+sentinel://:s3cret@one/posts/zero", "the database"),
        ("redis+sentinel://:s3c/ret@one/posts", "%2F and %40"),
        ("redis+cluster://:s3cret@one/4", "no database but 0"),
        ("redis+cluster://", "host:port,host:port"),
        ("unix://", "a path of at most"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_without_a_secret(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("+", r"\+")) as refused:
        read_redis_url(url)
    assert "s3c" not in str(refused.value)
