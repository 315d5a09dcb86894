"""Log lines are JSON with bound ids and without personal data."""

import json
from collections.abc import Iterator

import pytest
import structlog

from config.logging import configure_logging
from config.settings import Settings


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)


def settings(level: str = "INFO") -> Settings:
    return Settings.model_validate({"log": {"level": level}})


def test_a_line_is_json_with_event_level_time_and_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings())
    structlog.contextvars.bind_contextvars(request_id="r-1", job_id="7")
    structlog.get_logger().info("order.paid", amount_fen=1200)
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "order.paid"
    assert (line["level"], line["request_id"], line["job_id"], line["amount_fen"]) == ("info", "r-1", "7", 1200)
    assert line["timestamp"].endswith("Z")


def test_phones_and_identity_numbers_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings())
    structlog.get_logger().info("sms.sent to 13800138000", note="身份证 11010519491231002X")
    text = capsys.readouterr().err
    assert "13800138000" not in text
    assert "11010519491231002X" not in text


def test_traces_are_masked_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings())
    try:
        raise ValueError("no account for 13800138000")
    except ValueError:
        structlog.get_logger().exception("failed")
    line = json.loads(capsys.readouterr().err)
    assert "ValueError" in line["exception"]
    assert "13800138000" not in line["exception"]


def test_quieter_levels_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings("WARNING"))
    structlog.get_logger().info("dropped")
    assert capsys.readouterr().err == ""
