"""The private servers of the test tree: they answer, keep apart, stop by pid and leave nothing behind."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from dbadapters import open_adapter
from tests import servers


def gone(server: servers.Server) -> bool:
    """Tell whether a server's process and folder are gone."""
    return server.process is not None and server.process.poll() is not None and not server.folder.exists()


def test_redis() -> None:
    with servers.RedisServer() as server:
        client = redis.Redis.from_url(server.url)
        client.set("a", "1")
        assert client.get("a") == b"1"
        client.close()
    assert gone(server)


def test_nginx_serves_the_callers_configuration() -> None:
    conf = 'server { listen 127.0.0.1:{port}; location / { return 200 "hello"; } }'
    with servers.NginxServer(conf) as server, urllib.request.urlopen(server.url) as answer:
        assert answer.read() == b"hello"
    assert gone(server)


def test_nginx_with_a_broken_configuration_says_why() -> None:
    server = servers.NginxServer("no_such_directive on;")
    with pytest.raises(RuntimeError, match="no_such_directive"), server:
        pass
    assert not server.folder.exists()


def test_durable_servers_flush_on_commit() -> None:
    with servers.MariaDBServer(durable=True) as server:
        urls = [server.create_database(name) for name in ("one", "two")]
        for url, own in zip(urls, ("one", "two"), strict=True):
            engine = open_adapter(url).create_engine()
            with engine.connect() as connection:
                row = connection.execute(text("SELECT DATABASE(), @@innodb_flush_log_at_trx_commit")).one()
            engine.dispose()
            assert tuple(row) == (own, 1)
    assert gone(server)
    with servers.PostgresServer(durable=True) as postgres:
        engine = open_adapter(postgres.create_database("one")).create_engine()
        with engine.connect() as connection:
            assert connection.execute(text("SHOW fsync")).scalar() == "on"
        engine.dispose()
    assert gone(postgres)


def test_kingbase_emulation(all_servers: None) -> None:
    engine = open_adapter(servers.postgres().create_database("emulation")).create_engine()
    with engine.begin() as connection:
        assert "KingbaseES V008R006C009B0014" in str(connection.execute(text("SELECT version()")).scalar())
        connection.execute(text("CREATE TABLE e (a text)"))
        connection.execute(text("INSERT INTO e VALUES (''), ('x')"))
        assert connection.execute(text("SELECT count(*) FROM e WHERE a IS NULL")).scalar() == 1
    engine.dispose()


def test_two_servers_do_not_share_a_port() -> None:
    with servers.RedisServer() as one, servers.RedisServer() as two:
        assert one.port != two.port
    assert not Path(one.folder).exists()
