"""Channel keys in the settings: plain text, or sealed with the key ring so that the file alone gives nothing away.

A sealed text is bound to its setting's name and to this installation's key ring; `regionmart channel seal` makes it.
"""

from __future__ import annotations

from pydantic import SecretStr

from app.core import runtime
from app.core.errors import Conflict
from security.errors import SecurityError
from security.fields import PREFIX

TABLE = "settings"


def seal(setting: str, value: str) -> str:
    """Return the sealed text of a setting's value."""
    return runtime.current().cipher.encrypt(value, table=TABLE, column=setting, row_id=0)


def stored(secret: SecretStr | None) -> str:
    """Say how a secret stands in the settings, for the operator's page; never what it is."""
    if secret is None or not secret.get_secret_value():
        return "未设置"
    return "已用密钥环封存" if secret.get_secret_value().startswith(PREFIX) else "已设置，未封存"


def opened(secret: SecretStr | None, setting: str) -> str:
    """Return a secret's value. Raises Conflict(`channel.secret`) when it is missing or was sealed elsewhere."""
    if secret is None or not secret.get_secret_value():
        raise Conflict("channel.secret", f"{setting} 未设置")
    text = secret.get_secret_value()
    if not text.startswith(PREFIX):
        return text
    try:
        return runtime.current().cipher.decrypt(text, table=TABLE, column=setting, row_id=0)
    except SecurityError as error:
        raise Conflict("channel.secret", f"{setting} 无法解封：不是本平台密钥环为此项封存的内容") from error
