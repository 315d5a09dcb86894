"""Payment channels: which exist, which are switched on, and the one way to reach each (T06, commerce.md §2.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.core import cache_reset, runtime
from app.core.errors import NotFound
from app.payments.channels import alipay, citizen, simulated, unionpay, wechat
from app.payments.channels.simulated import SIGNATURE_HEADER, compose, sign
from app.payments.channels.values import Channel, Notice, load_notice

__all__ = [
    "BANK", "NETWORK", "OWN", "SIGNATURE_HEADER", "SIMULATOR", "WALLET", "Channel", "Notice", "check", "compose", "get", "names", "parse",
    "read_notice", "sign", "switched_on", "title_of",
]  # fmt: skip

SIMULATOR = simulated.KEY
WALLET, BANK = "wallet", "bank"
OWN = {WALLET: "储值余额", BANK: "银行转账"}
Opener = Callable[[], Channel]
NETWORK: dict[str, tuple[str, Opener]] = {
    module.KEY: (module.TITLE, module.configured) for module in (wechat, alipay, unionpay, citizen)
}  # fmt: skip
_open: dict[str, tuple[object, Channel]] = {}


def title_of(channel: str) -> str:
    """Return a channel's name on screen, also of one that is switched off."""
    if channel == SIMULATOR:
        return simulated.TITLE
    return NETWORK[channel][0] if channel in NETWORK else OWN.get(channel, channel)


def names() -> dict[str, str]:
    """Return the channels a buyer can choose now: key -> zh-CN name."""
    found = {key: title for key, (title, _) in NETWORK.items() if switched_on(key)}
    if runtime.current().settings.payment.bank.number:
        found[BANK] = OWN[BANK]
    return found | ({SIMULATOR: simulated.TITLE} if simulated.enabled() else {})


def switched_on(channel: str) -> bool:
    """Tell whether the settings name this network channel's account."""
    return channel in NETWORK and getattr(runtime.current().settings.payment, channel).app_id != ""


def get(channel: str) -> Channel:
    """Return the client of a network channel, opened once a process and settings. Raises NotFound for one that is not switched on."""
    if not switched_on(channel):
        raise NotFound("payment.channel", "支付通道不存在或未启用")
    current = runtime.current()
    known = _open.get(channel)
    if known is None or known[0] is not current:
        known = _open[channel] = (current, NETWORK[channel][1]())
    return known[1]


def check(channel: str, body: bytes, signature: str) -> Notice:
    """Verify and parse a notice of the simulated channel. Raises NotFound when it is off, else what `simulated.verify` raises."""
    if channel != SIMULATOR or not simulated.enabled():
        raise NotFound("payment.channel", "支付通道不存在或未启用")
    return simulated.verify(body, signature)


def read_notice(channel: str, headers: Mapping[str, str], body: bytes) -> Notice:
    """Verify a notice of any channel; may call out for the channel's key. Raises NotFound, Forbidden(`payment.signature`), Invalid."""
    if channel == SIMULATOR:
        return check(channel, body, headers.get(SIGNATURE_HEADER.lower(), ""))
    return get(channel).verify(headers, body)


def parse(body: bytes) -> Notice:
    """Parse a stored notice body. Raises Invalid(`payment.notice`)."""
    return load_notice(body.decode("utf-8", "replace"))


cache_reset.on_reset(_open.clear)
