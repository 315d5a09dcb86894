"""Builds the simulated channels with their keys, and says what settings our side needs to reach them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.demo.simulators import keys, wechat
from app.demo.simulators.server import Channels, serve

WECHAT_APP, WECHAT_MCH, WECHAT_SERIAL = "wxd678efh567hg6787", "1230000109", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
BANK = {"HOLDER": "澜州市电商运营有限公司", "BANK_NAME": "澜州银行营业部", "NUMBER": "6222 0200 1122 3344"}
Algorithm = Literal["rsa", "sm"]


@dataclass(frozen=True)
class Demo:
    """The channels and the settings of our side, as a tree."""

    channels: Channels
    settings: dict[str, dict[str, str]]


def build(folder: Path, own_url: str, *, algorithm: Algorithm = "rsa", late_s: float = 45.0) -> Demo:
    """Build all channels; keys are kept in a folder. own_url: where the simulators will listen."""
    make, public = (keys.rsa_private, keys.rsa_public) if algorithm == "rsa" else (keys.sm2_private, keys.sm2_public)
    ours = keys.kept(folder, f"wechat-merchant-{algorithm}.pem", make)
    theirs = keys.kept(folder, f"wechat-platform-{algorithm}.pem", make)
    api_key = keys.kept(folder, "wechat-api-v3-key", lambda: secrets.token_hex(16))
    merchant = wechat.Merchant(WECHAT_MCH, WECHAT_APP, WECHAT_SERIAL, public(ours), api_key, algorithm)
    made = Channels([wechat.Wechat(merchant, wechat.platform(algorithm, theirs), own_url)], late_s)
    settings = {
        "wechat": {
            "base_url": own_url, "app_id": WECHAT_APP, "mch_id": WECHAT_MCH, "serial_no": WECHAT_SERIAL, "private_key": ours,
            "api_v3_key": api_key, "algorithm": algorithm,
        },
    }  # fmt: skip
    return Demo(made, settings)


def environment(demo: Demo, port: int, public_url: str) -> dict[str, str]:
    """Return the environment variables that connect our side with simulators on a port of this host."""
    found = {"REGIONMART_PAYMENT__PUBLIC_URL": public_url, "REGIONMART_EGRESS__INTERNAL": f"127.0.0.1:{port}=127.0.0.1"}
    found |= {f"REGIONMART_PAYMENT__BANK__{name}": value for name, value in BANK.items()}
    for channel, values in demo.settings.items():
        found |= {f"REGIONMART_PAYMENT__{channel}__{name}".upper(): value for name, value in values.items()}
    return found


def run(folder: Path, port: int) -> None:
    """Serve until the process is stopped."""
    serve(build(folder, f"http://127.0.0.1:{port}").channels, "127.0.0.1", port).serve_forever()
