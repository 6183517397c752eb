"""Pictures of the page for the README: python tests/browser/screenshots.py RUN OUT [PHOTO...].

Writes page.png, of a desk by day, and page-phone.png, of a phone by night. RUN is a captioner of
drawn shapes, unless photographs are given.
"""

import sys
from pathlib import Path

from playwright.sync_api import FilePayload, expect
from served import chromium, serving

from jaxcap.data.sources import open_source

DESK = {"viewport": {"width": 1200, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "color_scheme": "dark",
    "is_mobile": True,
    "has_touch": True,
}
SHOTS = {"page.png": DESK, "page-phone.png": PHONE}
SHOWN = (57, 72, 126)  # records of the shapes: a scene each


def drawn() -> list[FilePayload]:
    source = open_source("shapes:size=256", "val")
    return [
        {
            "name": f"drawing-{number}.bmp",
            "mimeType": "image/bmp",
            "buffer": source[index].images[0],
        }
        for number, index in enumerate(SHOWN, 1)
    ]


def main(run: str, out: str, *photos: str) -> None:
    with serving(Path(run)) as address, chromium() as browser:
        for name, looks in SHOTS.items():
            page = browser.new_page(**looks, device_scale_factor=2, reduced_motion="reduce")
            page.goto(address)
            page.set_input_files("#files", list(photos) or drawn())
            cards = page.locator(".card")
            expect(page.locator(".caption")).to_have_count(cards.count())
            words = cards.first.locator(".word")
            texts = words.all_inner_texts()
            words.nth(texts.index(max(texts, key=len))).click()
            page.mouse.move(0, 0)
            cards.first.evaluate("card => card.scrollIntoView({block: 'center'})")
            page.screenshot(path=Path(out) / name, full_page=looks is DESK)


if __name__ == "__main__":
    main(*sys.argv[1:])
