"""Product pictures drawn as SVG from a few shapes and a seed; no photographs, no third-party art."""

from __future__ import annotations

from html import escape

_GROUNDS = (
    ("#eef5ea", "#cfe3c6"), ("#fdf1e3", "#f7d9b4"), ("#eaf2f8", "#c5dcea"), ("#fbeeee", "#f0cfcf"), ("#f4f0fa", "#dacff0"),
    ("#fff8e4", "#f5e3a8"), ("#edf6f4", "#bfe0d8"),
)  # fmt: skip


def _jar(a: str, b: str) -> str:
    return (
        f'<rect x="140" y="120" width="120" height="34" rx="8" fill="{b}"/><rect x="128" y="150" width="144" height="170" rx="22" '
        f'fill="{a}"/><rect x="128" y="196" width="144" height="78" fill="#fffdf5"/><path d="M150 256q50-56 100 0z" fill="{b}"/>'
    )


def _round(a: str, b: str) -> str:
    balls = ((150, 260), (250, 260), (200, 250), (200, 190))
    fruit = "".join(
        f'<circle cx="{x}" cy="{y}" r="54" fill="{a}"/><circle cx="{x - 16}" cy="{y - 18}" r="12" fill="#fff" opacity=".35"/>'
        for x, y in balls
    )
    return fruit + f'<path d="M200 136q30-40 66-22q-22 38-66 22z" fill="{b}"/>'


def _sack(a: str, b: str) -> str:
    return (
        f'<path d="M130 140h140l22 180q2 14-14 14H122q-16 0-14-14z" fill="{a}"/><path d="M130 140q70 34 140 0l-8-26H138z" fill="{b}"/>'
        f'<circle cx="200" cy="236" r="46" fill="#fffdf5"/><path d="M200 268v-62M200 226q-22-4-26-24q24 0 26 24q4-24 26-24q-4 20-26 24z" '
        f'stroke="{b}" stroke-width="6" fill="none"/>'
    )


def _fish(a: str, b: str) -> str:
    return (
        f'<ellipse cx="190" cy="220" rx="110" ry="58" fill="{a}"/><path d="M286 220l64-48v96z" fill="{b}"/>'
        '<circle cx="126" cy="208" r="10" fill="#fff"/><circle cx="126" cy="208" r="5" fill="#222"/>'
        f'<path d="M170 180q26 40 0 80M210 174q26 46 0 92" stroke="{b}" stroke-width="6" fill="none"/>'
    )


def _mushroom(a: str, b: str) -> str:
    return (
        f'<path d="M96 220q12-104 104-104t104 104z" fill="{a}"/><rect x="170" y="216" width="60" height="110" rx="24" fill="#f7ecd9"/>'
        f'<circle cx="160" cy="176" r="14" fill="{b}"/><circle cx="220" cy="158" r="18" fill="{b}"/><circle cx="262" cy="194" r="11" fill="{b}"/>'
    )


def _chair(a: str, b: str) -> str:
    return (
        f'<rect x="130" y="110" width="140" height="100" rx="20" fill="{a}"/><rect x="116" y="206" width="168" height="40" rx="14" fill="{b}"/>'
        f'<path d="M136 246l-14 90M264 246l14 90M170 246v80M230 246v80" stroke="{b}" stroke-width="12" stroke-linecap="round"/>'
    )


def _pot(a: str, b: str) -> str:
    return (
        f'<path d="M120 200h160q6 130-80 134q-86-4-80-134z" fill="{a}"/><ellipse cx="200" cy="200" rx="80" ry="18" fill="{b}"/>'
        f'<path d="M280 226q50 4 30 46q-14 20-40 14" stroke="{a}" stroke-width="14" fill="none"/><path d="M150 260q50 30 100 0" '
        'stroke="#fff" stroke-width="6" fill="none" opacity=".6"/>'
    )


def _cloth(a: str, b: str) -> str:
    return (
        f'<path d="M150 120l-60 44 26 44 24-14v130h120V194l24 14 26-44-60-44q-50 36-100 0z" fill="{a}"/>'
        f'<path d="M150 250h100M150 274h100" stroke="{b}" stroke-width="8"/>'
    )


def _leaf(a: str, b: str) -> str:
    return (
        f'<path d="M110 300q-10-150 160-180q20 170-160 180z" fill="{a}"/><path d="M116 296q60-110 140-160" stroke="{b}" stroke-width="8" '
        f'fill="none"/><path d="M150 250l-6-44M186 214l-2-44M150 250l44 8M186 214l48 6" stroke="{b}" stroke-width="5" fill="none"/>'
    )


def _box(a: str, b: str) -> str:
    return (
        f'<rect x="110" y="160" width="180" height="160" rx="12" fill="{a}"/><rect x="186" y="160" width="28" height="160" fill="{b}"/>'
        f'<rect x="100" y="140" width="200" height="40" rx="10" fill="{b}"/><path d="M200 140q-60-56-66-14q0 20 66 14q66 6 66-14q-6-42-66 14z" fill="{a}"/>'
    )


_MOTIFS = {
    "jar": _jar, "round": _round, "sack": _sack, "fish": _fish, "mushroom": _mushroom, "chair": _chair, "pot": _pot,
    "cloth": _cloth, "leaf": _leaf, "box": _box,
}  # fmt: skip


def draw(motif: str, main: str, second: str, caption: str, seed: int) -> bytes:
    """Return a 400×400 SVG picture of a motif in two colours with a caption."""
    light, dark = _GROUNDS[seed % len(_GROUNDS)]
    hill = 250 + seed % 40
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" width="400" height="400">'
        f'<rect width="400" height="400" fill="{light}"/><circle cx="{300 - seed % 60}" cy="86" r="34" fill="#fff" opacity=".8"/>'
        f'<path d="M0 {hill}q90-70 190-20t210-30V400H0z" fill="{dark}"/><ellipse cx="200" cy="336" rx="120" ry="14" fill="#000" '
        f'opacity=".08"/>{_MOTIFS[motif](main, second)}'
        '<text x="200" y="378" font-size="22" text-anchor="middle" fill="#3b4654" font-family="sans-serif">'
        f"{escape(caption)}</text></svg>"
    ).encode()
