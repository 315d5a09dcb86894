"""The simulators as the demo runs them: a process of their own, reached over HTTP alone, its keys shared through files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core import cache_reset, egress, runtime
from app.core.egress import NotSent
from app.demo.simulators import launch
from app.payments import channels
from config.settings import Egress
from tests import servers
from tests.integration.payments.test_channels import number, payable


@pytest.fixture
def port(app: Any, db: Any, tmp_path: Path) -> Iterator[int]:
    """A running simulator process and settings that lead there."""
    port = servers.free_port()
    demo = launch.build(tmp_path / "simulators", f"http://127.0.0.1:{port}")
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGIONMART_")}
    env |= {"REGIONMART_HOME": str(tmp_path), "REGIONMART_ENVIRONMENT": "testing"}
    process = subprocess.Popen([sys.executable, "-m", "app.cli", "demo", "channels", "--port", str(port)], env=env)
    before = runtime.current()
    payment = before.settings.payment.model_copy(
        update={key: type(getattr(before.settings.payment, key)).model_validate(values) for key, values in demo.settings.items()}
    )
    opened = Egress(internal=(f"127.0.0.1:{port}",), timeout_s=5)
    runtime.install(replace(before, settings=before.settings.model_copy(update={"payment": payment, "egress": opened})))
    cache_reset.reset_all()
    try:
        answers(port)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        runtime.install(before)
        cache_reset.reset_all()


def answers(port: int) -> None:
    """Wait until the process listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            assert egress.call("GET", f"http://127.0.0.1:{port}/play", purpose="test").status == 200
        except NotSent:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the simulators do not answer")


def test_every_channel_takes_a_payment_of_another_process(port: int) -> None:
    for key in channels.NETWORK:
        client, payment_no = channels.get(key), number()
        assert client.create(payable(payment_no)).kind == "qr"
        assert client.query(payment_no).state == "waiting"
        played = f"no={payment_no}&scenario=silent".encode()
        assert egress.call("POST", f"http://127.0.0.1:{port}/play/{key}", body=played, purpose="test").status == 200
        state = client.query(payment_no)
        assert (state.state, state.amount_fen) == ("paid", 500), key
