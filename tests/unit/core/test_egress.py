"""The one way out: what is let through, where to, and how a hostile or slow other side is borne (real sockets on loopback)."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import clock, egress, runtime, tx
from app.core.egress import NotSent, Unanswered
from config.settings import Egress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: 1\r\n\r\nhi"


class Server:
    """Answers every connection by a function of (socket, request bytes); keeps what it was sent."""

    def __init__(self, answer: Callable[[socket.socket], None] | bytes, context: ssl.SSLContext | None = None) -> None:
        self.answer, self.context, self.seen = answer, context, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(raw,), daemon=True).start()

    def _one(self, raw: socket.socket) -> None:
        try:
            connection = self.context.wrap_socket(raw, server_side=True) if self.context else raw
            with connection:
                self.seen.append(request(connection))
                if callable(self.answer):
                    self.answer(connection)
                else:
                    connection.sendall(self.answer)
        except OSError:
            pass

    def close(self) -> None:
        self.listener.close()


def request(connection: socket.socket) -> bytes:
    """Read a whole request, body included."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"Content-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers and closes them afterwards."""
    made: list[Server] = []

    def start(answer: Any, context: ssl.SSLContext | None = None) -> Server:
        made.append(Server(answer, context))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.fixture
def using(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts settings of egress in force."""

    def use(**values: Any) -> None:
        settings = Egress(**{"timeout_s": 2, "connect_timeout_s": 1, **values})
        monkeypatch.setattr(runtime, "current", lambda: SimpleNamespace(settings=SimpleNamespace(egress=settings)))
        monkeypatch.setattr(tx, "in_transaction", lambda: False)

    return use


def call(url: str, **more: Any) -> egress.Answer:
    return egress.call("GET", url, purpose="test", **more)


def test_an_internal_host_answers(serve: Any, using: Any) -> None:
    server = serve(OK)
    using(internal=(f"127.0.0.1:{server.port}",))
    answer = egress.call("POST", f"http://127.0.0.1:{server.port}/a?b=c", headers={"X-One": "1"}, body=b"body", purpose="test")
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (200, b"hi", "1")
    sent = server.seen[0]
    assert sent.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n".encode() in sent
    assert sent.endswith(b"\r\n\r\nbody")


@pytest.mark.parametrize(
    ("url", "allow", "code"),
    [
        ("https://api.example.cn/x", (), "egress.refused"), ("https://api.example.cn:8443/x", ("api.example.cn:443",), "egress.refused"),
        ("http://api.example.cn/x", ("api.example.cn:80",), "egress.refused"), ("ftp://api.example.cn/x", ("api.example.cn:21",), "egress.refused"),
        ("https://api.example.cn.evil.example/x", ("api.example.cn:443",), "egress.refused"),
        ("https://api.example.cn@evil.example/x", ("api.example.cn:443",), "egress.refused"),
        ("https://user:x@api.example.cn/x", ("api.example.cn:443",), "egress.refused"),
        ("https://api.example.cn:99999/x", ("api.example.cn:443",), "egress.refused"), ("file:///etc/passwd", (), "egress.refused"),
        ("https://api.example.cn/x", ("api.example.cn:443=127.0.0.1",), "egress.address"),
        ("https://api.example.cn/x", ("api.example.cn:443=10.1.2.3",), "egress.address"),
        ("https://api.example.cn/x", ("api.example.cn:443=169.254.169.254",), "egress.address"),
        ("https://api.example.cn/x", ("api.example.cn:443=::1",), "egress.address"),
        ("https://api.example.cn/x", ("api.example.cn:443=::ffff:127.0.0.1",), "egress.address"),
        ("https://api.example.cn/x", ("api.example.cn:443=8.8.8.8|192.168.0.1",), "egress.address"),
    ],
)
def test_what_is_not_on_the_list_is_not_reached(using: Any, monkeypatch: pytest.MonkeyPatch, url: str, allow: tuple[str, ...], code: str) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("connected"))
    using(allow=allow)
    with pytest.raises(NotSent) as caught:
        call(url)
    assert caught.value.code == code


def test_an_answer_of_the_name_server_that_points_inside_is_refused(using: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look_up(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(0, 0, 0, "", ("93.184.216.34", port)), (0, 0, 0, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", lambda *_a, **_k: pytest.fail("connected"))
    using(allow=("api.example.cn:443",))
    with pytest.raises(NotSent):
        call("https://api.example.cn/x")
    assert asked == ["api.example.cn"]


def test_the_judged_address_is_the_one_connected_to(serve: Any, using: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that changes its mind between two questions is asked once."""
    server = serve(OK)
    answers = iter(["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: [(0, 0, 0, "", (next(answers), port))])
    real = socket.create_connection
    reached: list[Any] = []
    monkeypatch.setattr(egress.socket, "create_connection", lambda address, timeout: reached.append(address) or _direct(real, address, timeout))
    using(internal=(f"inner.example:{server.port}",))
    assert call(f"http://inner.example:{server.port}/").body == b"hi"
    assert reached == [("127.0.0.1", server.port)]


def _direct(real: Any, address: tuple[str, int], timeout: float) -> socket.socket:
    made = socket.socket(socket.AF_INET)
    made.settimeout(timeout)
    made.connect(address)
    return made


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(serve: Any, using: Any, status: int) -> None:
    server = serve(f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".encode())
    using(internal=(f"127.0.0.1:{server.port}",))
    with pytest.raises(Unanswered) as caught:
        call(f"http://127.0.0.1:{server.port}/")
    assert caught.value.code == "egress.redirect"


def drip(connection: socket.socket) -> None:
    stopped = threading.Event()
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not stopped.wait(0.05):
        connection.sendall(b"x")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", b"not http at all\r\n\r\n", drip, lambda connection: threading.Event().wait(3)],
    ids=["nothing", "cut short", "nonsense", "dripping", "silent"],
)
def test_an_answer_that_is_not_whole_leaves_the_outcome_open(serve: Any, using: Any, answer: Any) -> None:
    server = serve(answer)
    using(internal=(f"127.0.0.1:{server.port}",), timeout_s=0.5)
    with pytest.raises(Unanswered):
        call(f"http://127.0.0.1:{server.port}/")


def test_an_answer_larger_than_allowed_is_refused(serve: Any, using: Any) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2_000)
    using(internal=(f"127.0.0.1:{server.port}",), max_bytes=1_999)
    with pytest.raises(Unanswered) as caught:
        call(f"http://127.0.0.1:{server.port}/")
    assert caught.value.code == "egress.size"
    using(internal=(f"127.0.0.1:{server.port}",), max_bytes=2_000)
    assert len(call(f"http://127.0.0.1:{server.port}/").body) == 2_000


def test_nobody_listens(using: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    using(internal=(f"127.0.0.1:{port}",))
    with pytest.raises(NotSent) as caught:
        call(f"http://127.0.0.1:{port}/")
    assert caught.value.code == "egress.unreachable"


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate of a host and the server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(7).not_valid_before(clock.now() - timedelta(days=1)).not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    file, private = folder / f"{name}.pem", folder / f"{name}.key"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return file, context


def test_tls_trusts_the_pinned_root_alone(serve: Any, using: Any, tmp_path: Path) -> None:
    file, context = certificate(tmp_path, "pay.example.cn")
    other, _ = certificate(tmp_path, "other.example.cn")
    server = serve(OK, context)
    line = (f"pay.example.cn:{server.port}=127.0.0.1",)
    using(internal=line, ca_file=str(file))
    assert call(f"https://pay.example.cn:{server.port}/").body == b"hi"
    for ca_file in ("", str(other)):
        using(internal=line, ca_file=ca_file)
        with pytest.raises(NotSent):
            call(f"https://pay.example.cn:{server.port}/")
    using(internal=(f"bank.example.cn:{server.port}=127.0.0.1",), ca_file=str(file))
    with pytest.raises(NotSent):
        call(f"https://bank.example.cn:{server.port}/")  # the certificate is another host's


def test_no_call_inside_a_transaction(using: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    using()
    monkeypatch.setattr(tx, "in_transaction", lambda: True)
    with pytest.raises(RuntimeError):
        call("https://api.example.cn/")


@pytest.mark.parametrize("line", ["nohost", "host:", ":443", "host:x", "host:443=notanaddress"])
def test_a_malformed_line_of_the_list_is_an_error(using: Any, line: str) -> None:
    using(allow=(line,))
    with pytest.raises(ValueError):
        call("https://api.example.cn/")
