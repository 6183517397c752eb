"""The page that shows the API."""

from playwright.sync_api import expect


def test_every_operation_of_the_description_is_shown(visit):
    page = visit("/docs")
    expect(page.locator(".operation").first).to_be_visible()
    api = page.request.get("/openapi.json").json()
    told = {
        f"{method.upper()} {path}" for path, methods in api["paths"].items() for method in methods
    }
    assert {
        " ".join(text.split()) for text in page.locator(".operation h2").all_inner_texts()
    } == told
    caption = page.locator(".operation", has_text="POST /v1/caption")
    for name in ("beams", "temperature", "prefix", "captions", "logprob"):
        expect(caption.locator("dt", has_text=name).first).to_be_visible()
    expect(caption).to_contain_text("429")
    assert not page.locator("main").get_attribute("aria-busy")
