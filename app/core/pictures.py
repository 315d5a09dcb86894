"""Pictures people upload are decoded and written anew: only pixels survive, no EXIF, no appended data."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from app.core.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_SIDE = 1_280
MAX_COUNT = 4
FORMATS = ("JPEG", "PNG", "WEBP")
QUALITY = 82


def reencode(data: bytes) -> bytes:
    """Return a JPEG of at most 1280 px a side. Raises Invalid(`picture.size|type|pixels`).

    Only the header is read before size and format are known, so a decompression bomb costs nothing.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("picture.size", "图片不能超过 5 MB", field="pictures")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if picture.width * picture.height > MAX_PIXELS:
            raise Invalid("picture.pixels", "图片尺寸太大，请压缩后再上传", field="pictures")
        picture.draft("RGB", (MAX_SIDE, MAX_SIDE))
        upright = ImageOps.exif_transpose(picture)
        upright.thumbnail((MAX_SIDE, MAX_SIDE))
        flat = Image.new("RGB", upright.size, "white")
        flat.paste(upright.convert("RGBA"), mask=upright.convert("RGBA").getchannel("A"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Invalid("picture.type", "只能上传 JPG、PNG 或 WebP 图片", field="pictures") from None
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()
