"""Checks of a file before anything parses it: size, zip bombs, kind, number of rows."""

from __future__ import annotations

import zipfile
from pathlib import Path

from app.core.errors import Invalid

MAX_BYTES = 32 * 1024 * 1024
MAX_UNPACKED = 400 * 1024 * 1024
MAX_RATIO = 200
RATIO_FROM = 10 * 1024 * 1024
MAX_MEMBERS = 2_000
MAX_ROWS = 200_000
BLOCK = 1 << 20
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def check(path: Path) -> None:
    """Refuse what is not a spreadsheet we can read in bounded memory. Raises Invalid(`import.*`)."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Invalid("import.size", f"文件超过 {MAX_BYTES >> 20} MB，请拆分后分批导入")
    with path.open("rb") as handle:
        start = handle.read(8)
    if start == _OLE:
        raise Invalid("import.xls", "这是旧版 xls 文件或加密的文件，请在表格软件中另存为不加密的 .xlsx 后上传")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive, size)
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, RuntimeError, ValueError):
        raise Invalid("import.type", "不是有效的电子表格文件，请上传 .xlsx 文件") from None


def _check_archive(archive: zipfile.ZipFile, size: int) -> None:
    members = archive.infolist()
    unpacked = sum(m.file_size for m in members)
    too_many = len(members) > MAX_MEMBERS or unpacked > MAX_UNPACKED
    packed = max(1, sum(m.compress_size for m in members))
    if too_many or (unpacked > RATIO_FROM and unpacked / min(packed, max(1, size)) > MAX_RATIO):
        raise Invalid("import.bomb", "文件解压后过大，已拒绝处理；请减少内容或拆分后上传")
    names = {m.filename for m in members}
    if "[Content_Types].xml" not in names or "xl/workbook.xml" not in names:
        raise Invalid("import.type", "不是有效的电子表格文件，请上传 .xlsx 文件")
    if any(m.flag_bits & 1 for m in members):
        raise Invalid("import.encrypted", "文件已加密，请取消密码后上传")
    for member in members:
        if member.filename.startswith("xl/worksheets/") and member.filename.endswith(".xml"):
            _check_rows(archive, member)


def _check_rows(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Count rows while inflating; a wrong declared size ends in BadZipFile by the checksum."""
    rows, tail = 0, b""
    with archive.open(member) as stream:
        while block := stream.read(BLOCK):
            data = tail + block
            rows += data.count(b"<row ") + data.count(b"<row>")
            tail = data[-4:]
            if rows > MAX_ROWS + 100:
                raise Invalid("import.rows", f"超过 {MAX_ROWS:,} 行，请拆分后分批导入")
