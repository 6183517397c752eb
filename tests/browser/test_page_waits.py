"""The page with a server that warms up, is busy, fails, is gone, or wants a token."""

import pytest
from playwright.sync_api import expect
from served import serving

TOKEN = "open-sesame"
LATER = "async () => { await fetch('healthz'); }"  # all requests before it have been seen


@pytest.fixture(scope="module")
def guarded(talkative):
    """The address of a server that wants a token."""
    with serving(talkative, "--token", TOKEN) as address:
        yield address


def test_photographs_may_be_chosen_while_the_captioner_warms_up(visit, photos):
    page = visit("about:blank")
    warm = []

    def look(route):
        if warm:
            route.continue_()
        else:
            told = {"status": "warming_up", "done": 1, "total": 3}
            route.fulfill(status=503, json=told, headers={"Retry-After": "5"})

    page.route("**/readyz", look)
    page.goto("/")
    expect(page.locator("#state")).to_contain_text("warming up")
    bar = page.get_by_role("progressbar")
    assert (bar.get_attribute("max"), bar.evaluate("bar => bar.value")) == ("3", 1)
    page.set_input_files("#files", photos)
    expect(page.locator(".card[aria-busy=true]")).to_have_count(2)
    warm.append(True)
    expect(page.locator(".caption")).to_have_count(2)
    expect(page.locator("#state")).to_be_hidden()


@pytest.mark.parametrize(("status", "code"), [(429, "busy"), (503, "draining")])
def test_a_busy_server_is_asked_again(visit, photos, status, code):
    page = visit()
    asked = []

    def refuse_once(route):
        asked.append(route)
        if len(asked) > 1:
            return route.continue_()
        told = {"error": {"code": code, "message": "Not now."}}
        route.fulfill(status=status, json=told, headers={"Retry-After": "1"})

    page.route("**/v1/caption", refuse_once)
    page.set_input_files("#files", photos[:1])
    expect(page.locator(".waiting")).to_contain_text("Trying again in 1 s")
    expect(page.locator(".caption")).to_be_visible()
    expect(page.locator(".waiting")).to_be_empty()
    assert len(asked) == 2


def test_where_the_server_is_gone_one_may_try_again(visit, photos):
    page = visit()
    expect(page.locator("fieldset")).to_be_enabled()
    page.route("**/v1/caption", lambda route: route.abort())
    page.set_input_files("#files", photos[:1])
    expect(page.locator(".card .wrong")).to_have_text("The server cannot be reached.")
    page.unroute("**/v1/caption")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".caption")).to_be_visible()
    expect(page.locator(".card .wrong")).to_be_hidden()


def test_at_most_four_requests_are_made_at_once(visit, photos):
    page = visit()
    expect(page.locator("fieldset")).to_be_enabled()
    held, free = [], []
    page.route("**/v1/caption", lambda route: route.continue_() if free else held.append(route))
    page.set_input_files("#files", photos * 3)
    expect(page.locator(".card[aria-busy=true]")).to_have_count(6)
    page.evaluate(LATER)
    assert len(held) == 4
    held[0].continue_()
    expect(page.locator(".caption")).to_have_count(1)
    page.evaluate(LATER)
    assert len(held) == 5
    free.append(True)
    for route in held[1:]:
        route.continue_()
    expect(page.locator(".caption")).to_have_count(6)


def test_a_token_is_asked_for_until_it_is_right_and_kept_for_the_tab(visit, photos, guarded):
    page = visit(address=guarded)
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Token").fill("another")
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("did not take that token")
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Use it").click()
    expect(page.locator("#about")).to_contain_text("step 3")
    page.set_input_files("#files", photos)
    expect(page.locator(".caption")).to_have_count(2)
    page.reload()
    expect(page.locator("#about")).to_contain_text("step 3")
    expect(dialog).to_be_hidden()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_who_has_no_token_is_told_so_and_may_try_again(visit, photos, guarded):
    page = visit(address=guarded)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#about")).to_contain_text("its token")
    page.set_input_files("#files", photos[:1])
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".card .wrong")).to_contain_text("its token")
    page.get_by_role("button", name="Try again").click()
    dialog.get_by_label("Token").fill(TOKEN)
    dialog.get_by_role("button", name="Use it").click()
    expect(page.locator(".caption")).to_be_visible()
