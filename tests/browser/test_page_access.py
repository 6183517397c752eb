"""The page for everybody: by keyboard, on a phone, in the dark, through a screen reader."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

DESK, PHONE = (
    {"viewport": {"width": 1280, "height": 800}},
    {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
)
LOOKS = {
    "desk light": DESK,
    "desk dark": {**DESK, "color_scheme": "dark"},
    "desk high contrast": {**DESK, "contrast": "more", "forced_colors": "active"},
    "phone light": PHONE,
    "phone dark": {**PHONE, "color_scheme": "dark"},
}


def violations(page):
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


@pytest.mark.parametrize("looks", LOOKS)
def test_every_look_has_its_contrasts_and_names_and_fits(visit, photos, looks):
    page = visit(**LOOKS[looks], reduced_motion="reduce")
    expect(page.locator("#about")).to_contain_text("step 3")
    assert not violations(page)
    page.set_input_files("#files", [*photos, {**photos[0], "buffer": b"broken"}])
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Captions").fill("2")
    expect(page.locator(".card ol > li")).to_have_count(2)
    expect(page.locator(".card .wrong:visible")).to_have_count(1)
    word = page.locator(".word").first
    word.tap() if "phone" in looks else word.click()
    expect(page.locator(".told").first).to_be_visible()
    assert not violations(page)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    columns = len({card.bounding_box()["x"] for card in page.locator(".card").all()})
    assert columns == (1 if "phone" in looks else 3)


def test_the_look_follows_the_system(visit):
    light, dark = (visit(color_scheme=scheme) for scheme in ("light", "dark"))
    paper = "getComputedStyle(document.body).backgroundColor"
    assert light.evaluate(paper) != dark.evaluate(paper)


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_nothing_moves_where_motion_is_not_wanted(visit, photos, motion, moves):
    page, held = visit(reduced_motion=motion), []
    page.route("**/v1/caption", lambda route: held.append(route))
    page.set_input_files("#files", photos)
    expect(page.locator(".waiting").first).to_have_text("Looking…")  # the card breathes
    assert (page.evaluate("document.getAnimations({subtree: true}).length") > 0) == moves
    for route in held:
        route.abort()


def test_the_keyboard_is_enough(visit, photos):
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("fieldset")).to_be_enabled()
    press = page.keyboard.press
    # Nobody waits until the browser knows that the chooser is wanted, and a key, which goes another
    # way, could overtake. The look at the focus goes the same way: it is answered after it.
    with page.expect_file_chooser() as chooser:
        press("Tab")
        expect(page.locator("#files")).to_be_focused()
        press("Enter")
    chooser.value.set_files(photos[:1])
    words = page.locator(".word")
    expect(words.first).to_be_visible()

    press("Tab")  # to the settings
    press("Enter")
    press("Tab")
    expect(page.get_by_label("Captions")).to_be_focused()
    press("ArrowRight")
    expect(page.locator(".card ol > li")).to_have_count(1)
    page.locator("summary").focus()
    press("Enter")

    press("Tab")
    expect(page.get_by_role("button", name=f"Remove {photos[0]['name']}")).to_be_focused()
    press("Tab")  # one stop for all words
    expect(words.nth(0)).to_be_focused()
    press("ArrowRight")
    expect(words.nth(1)).to_be_focused()
    expect(page.locator(".card canvas")).to_be_hidden()
    press("Enter")
    expect(page.locator(".card canvas")).to_be_visible()
    press("End")
    expect(words.last).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("log")).to_contain_text("looked mostly at the")
    press("Escape")
    expect(page.locator(".card canvas")).to_be_hidden()
    press("Tab")
    press("Enter")
    alt = page.locator(".card img").get_attribute("alt")
    expect(page.get_by_role("log")).to_contain_text(f"Copied: {alt}")
    assert page.evaluate("navigator.clipboard.readText()") == alt


def test_a_text_is_copied_where_the_clipboard_may_not_be_written(visit, photos):
    page = visit()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.set_input_files("#files", photos[:1])
    page.get_by_role("button", name="Copy as alt text").click()
    expect(page.locator(".card .row button")).to_have_text("Copied")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Begins with").focus()
    page.keyboard.press("Control+V")
    alt = page.locator(".card img").get_attribute("alt")
    expect(page.get_by_label("Begins with")).to_have_value(alt)
