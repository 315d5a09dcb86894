"""Masks for personal data on screens and in logs; the one place that decides how much is shown."""

import re

_STAR = "*"


def mask_name(name: str) -> str:
    """张三 -> 张*, 欧阳娜娜 -> 欧***; a single character is hidden altogether."""
    text = name.strip()
    if len(text) < 2:
        return _STAR * len(text)
    return text[0] + _STAR * (len(text) - 1)


def _keep(text: str, head: int, tail: int) -> str:
    """Head and tail stay; a text too short to hide at least as much as it shows is hidden whole."""
    if len(text) < 2 * (head + tail) - 3:
        return _STAR * len(text)
    return text[:head] + _STAR * (len(text) - head - tail) + text[len(text) - tail:]


def mask_phone(phone: str) -> str:
    """13800138000 -> 138****8000; a +86 prefix is dropped; anything shorter is hidden whole."""
    text = re.sub(r"[\s-]", "", phone)
    text = re.sub(r"^(?:\+|00)86(?=1\d{10}$)", "", text)
    return _keep(text, 3, 4)


def mask_id_number(number: str) -> str:
    """110101199001011234 -> 110***********1234."""
    return _keep(re.sub(r"\s", "", number), 3, 4)


def mask_address(address: str) -> str:
    """Keep province, city and district, at most the first 6 characters and half: 杭州市西湖区******."""
    text = address.strip()
    region = re.match(
        r"(?:.{2,7}?(?:省|自治区|特别行政区))?(?:.{1,9}?(?:市|自治州|盟))?(?:.{1,9}?(?:区|县|旗))?", text)
    shown = len(region.group(0)) if region else 0
    if shown == 0 or shown == len(text):
        shown = min(6, len(text) // 2)
    return text[:shown] + _STAR * 6 if text else ""


_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}(?:18|19|20)\d{9}[0-9Xx](?![0-9A-Za-z])")
_PHONE = re.compile(r"(?<!\d)(?:(?:\+|00)86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}(?!\d)")
_CARD = re.compile(r"(?<![0-9A-Za-z])[3-6]\d{14,18}(?![0-9A-Za-z])")
_EMAIL = re.compile(r"([A-Za-z0-9])[A-Za-z0-9._%+-]*@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_SEALED = re.compile(r"gm1:[A-Za-z0-9_=-]+")
_SECRET = re.compile(
    r"(?i)(\"?(?:password|passwd|passphrase|secret|token|authorization|cookie|api_?key|密码)\"?\s*[:=：]\s*)"
    r"(\"[^\"]*\"|(?:bearer\s+|basic\s+)?[^\s,;&}]+)")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)


def redact(text: str) -> str:
    """Hide identity numbers, phones, cards, mail names, sealed fields, secrets and private keys in a
    log line. A safety net with false positives; the first rule is not to log such data."""
    text = _PEM.sub("[private key]", text)
    text = _SECRET.sub(lambda m: m.group(1) + "[hidden]", text)
    text = _SEALED.sub("gm1:[sealed]", text)
    text = _ID_NUMBER.sub(lambda m: mask_id_number(m.group(0)), text)
    text = _CARD.sub(lambda m: _STAR * (len(m.group(0)) - 4) + m.group(0)[-4:], text)
    text = _PHONE.sub(lambda m: mask_phone(m.group(0)), text)
    return _EMAIL.sub(r"\1***@\2", text)
