"""Pictures and evidence files that come from outside: checked by content, pictures re-encoded."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from app.core import runtime
from app.core.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 24_000_000
MAX_SIDE = 1_600


def store_picture(data: bytes, *, field: str = "image") -> str:
    """Store a picture as JPEG without its metadata and return the key. Raises Invalid(`upload.*`) naming the field."""
    if not 0 < len(data) <= MAX_BYTES:
        raise Invalid("upload.size", "图片须不超过 5 MB", field=field)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise Invalid("upload.pixels", "图片尺寸过大，请缩小到 2400 万像素以内", field=field)
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Invalid("upload.type", "请上传 JPG、PNG 或 WebP 图片", field=field) from None
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, optimize=True)
    return runtime.current().storage.put(out.getvalue(), "jpg")


def store_evidence(data: bytes, *, field: str = "file") -> str:
    """Store a PDF as it is or a picture re-encoded; return the key. Raises Invalid(`upload.*`)."""
    if data.startswith(b"%PDF-"):
        if len(data) > MAX_BYTES:
            raise Invalid("upload.size", "文件须不超过 5 MB", field=field)
        return runtime.current().storage.put(data, "pdf")
    return store_picture(data, field=field)
