"""Review pictures: only pixels survive."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from app.core import pictures
from app.core.errors import Invalid


def _picture(kind: str = "JPEG", size: tuple[int, int] = (60, 40), **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "green").save(out, kind, **options)
    return out.getvalue()


def test_exif_and_appended_data_are_dropped() -> None:
    """Place and device of the buyer do not reach the public page."""
    exif = Image.Exif()
    exif[0x010F] = "secret-camera"
    sent = _picture(exif=exif) + b"<script>appended</script>"
    kept = pictures.reencode(sent)
    assert b"secret-camera" in sent
    assert b"secret-camera" not in kept
    assert b"appended" not in kept
    assert not Image.open(io.BytesIO(kept)).getexif()


def test_orientation_is_applied_before_exif_goes() -> None:
    """A phone picture stays upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert Image.open(io.BytesIO(pictures.reencode(_picture(exif=exif)))).size == (40, 60)


def test_large_pictures_are_made_smaller() -> None:
    """The longest side is 1280 pixels."""
    assert max(Image.open(io.BytesIO(pictures.reencode(_picture("PNG", (3_000, 1_500))))).size) == 1_280


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"%PDF-1.4 not a picture", "picture.type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "picture.type"),
        (b"", "picture.type"),
        (_picture()[:200], "picture.type"),
        (_picture("GIF"), "picture.type"),
        (b"x" * (pictures.MAX_BYTES + 1), "picture.size"),
        (_picture("PNG", (8_000, 6_000)), "picture.pixels"),
    ],
)
def test_bad_pictures_are_refused(data: bytes, code: str) -> None:
    """Other types, broken files, and oversized ones."""
    with pytest.raises(Invalid) as caught:
        pictures.reencode(data)
    assert caught.value.code == code
