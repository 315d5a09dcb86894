"""Save the two pictures the README shows, from a running `make run` with demo data."""

from __future__ import annotations

from pathlib import Path

import click
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app.demo.accounts import PASSWORD

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
OPERATOR = "yunying"


def _open(browser: Browser, width: int, height: int) -> Page:
    return browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN").new_page()


def _save(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready.then(() => true)")
    path = FOLDER / name
    page.screenshot(path=path)
    click.echo(f"{path.relative_to(FOLDER.parents[1])}: {path.stat().st_size} bytes")


def storefront(browser: Browser, url: str) -> None:
    """Save the home page as a telephone shows it."""
    page = _open(browser, 390, 844)
    page.goto(f"{url}/")
    _save(page, "storefront.png")


def operator(browser: Browser, url: str) -> None:
    """Sign in as the demo operator and save the list of orders."""
    page = _open(browser, 1440, 900)
    page.goto(f"{url}/operator/sign-in?next=/operator/orders")
    page.fill("#login_name", OPERATOR)
    page.fill("#password", PASSWORD)
    page.click("form[action='/operator/sign-in'] button[type=submit]")
    page.goto(f"{url}/operator/orders")
    expect(page).to_have_url(f"{url}/operator/orders")  # a refused sign-in would lead back to the form
    _save(page, "operator.png")


@click.command()
@click.option("--url", default="http://127.0.0.1:8000", show_default=True, help="address of the running platform")
def main(url: str) -> None:
    """Take the pictures; the platform must be running (`make run`)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            storefront(browser, url.rstrip("/"))
            operator(browser, url.rstrip("/"))
        finally:
            browser.close()


if __name__ == "__main__":
    main()
