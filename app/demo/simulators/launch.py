"""Builds the simulated channels with their keys, and says what settings our side needs to reach them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.demo.simulators import alipay, citizen, keys, unionpay, wechat
from app.demo.simulators.server import Channels, Simulated, serve
from security import sm

WECHAT_APP, WECHAT_MCH, WECHAT_SERIAL = "wxd678efh567hg6787", "1230000109", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
BANK = {"HOLDER": "澜州市电商运营有限公司", "BANK_NAME": "澜州银行营业部", "NUMBER": "6222 0200 1122 3344"}
ALIPAY_APP, ALIPAY_SELLER = "2014072300007148", "2088102146225135"
UNIONPAY_MER, UNIONPAY_NAME = "777290058110048", "041@Z12@中国银联股份有限公司@00000001"
CITIZEN_MERCHANT = "LZ-SHOP-0001"
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
    channels: list[Simulated] = [wechat.Wechat(merchant, wechat.platform(algorithm, theirs), own_url)]
    settings: dict[str, dict[str, str]] = {
        "wechat": {
            "base_url": own_url, "app_id": WECHAT_APP, "mch_id": WECHAT_MCH, "serial_no": WECHAT_SERIAL, "private_key": ours,
            "api_v3_key": api_key, "algorithm": algorithm,
        },
    }  # fmt: skip
    for add in (_alipay, _unionpay, _citizen):
        add(folder, own_url, channels, settings)
    return Demo(Channels(channels, late_s), settings)


def _alipay(folder: Path, own_url: str, channels: list[Simulated], settings: dict[str, dict[str, str]]) -> None:
    ours = keys.kept(folder, "alipay-merchant.pem", keys.rsa_private)
    theirs = keys.kept(folder, "alipay-platform.pem", keys.rsa_private)
    channels.append(alipay.Alipay(alipay.Merchant(ALIPAY_APP, ALIPAY_SELLER, keys.rsa_public(ours)), theirs, own_url))
    settings["alipay"] = {
        "gateway": f"{own_url}/gateway.do", "app_id": ALIPAY_APP, "seller_id": ALIPAY_SELLER, "private_key": ours,
        "alipay_key": keys.rsa_public(theirs),
    }  # fmt: skip


def _unionpay(folder: Path, own_url: str, channels: list[Simulated], settings: dict[str, dict[str, str]]) -> None:
    ours = keys.kept(folder, "unionpay-merchant.pem", keys.rsa_private)
    theirs = keys.kept(folder, "unionpay-platform.pem", keys.rsa_private)
    root = keys.kept(folder, "unionpay-root.pem", keys.rsa_private)
    own = keys.kept(folder, "unionpay-merchant.crt", lambda: keys.rsa_certificate(ours, f"041@{UNIONPAY_MER}@SIGN"))
    issuer = keys.kept(folder, "unionpay-root.crt", lambda: keys.rsa_certificate(root, "CFCA TEST OCA1 (simulated)"))
    signer = keys.kept(folder, "unionpay-platform.crt", lambda: keys.rsa_certificate(theirs, UNIONPAY_NAME, issuer=(root, issuer)))
    channels.append(unionpay.UnionPay(unionpay.Merchant(UNIONPAY_MER, own), theirs, signer))
    settings["unionpay"] = {
        "gateway": own_url, "file_url": f"{own_url}/unionpay-file", "app_id": UNIONPAY_MER, "private_key": ours, "certificate": own,
        "issuers": issuer,
    }  # fmt: skip


def _citizen(folder: Path, own_url: str, channels: list[Simulated], settings: dict[str, dict[str, str]]) -> None:
    ours = keys.kept(folder, "citizen-merchant.pem", keys.sm2_private)
    theirs = sm.load_private_pem(keys.kept(folder, "citizen-centre.pem", keys.sm2_private))
    point = sm.load_public_pem(keys.sm2_public(ours))
    channels.append(citizen.CitizenCard(citizen.Merchant(CITIZEN_MERCHANT, point), theirs, own_url))
    centre = sm.save_public_pem(sm.public_from_private(theirs))
    settings["citizen"] = {"base_url": own_url, "app_id": CITIZEN_MERCHANT, "private_key": ours, "centre_key": centre}


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
