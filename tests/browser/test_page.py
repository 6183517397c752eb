"""The page in a browser, with a captioner: photographs, captions, words, settings."""

import itertools
import math
import re

import pytest
from playwright.sync_api import expect

MIB = 2**20
NO_IMAGE = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Neither JPEG nor PNG."}
CELLS = list(itertools.product(range(24), repeat=2))
VEIL = """(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  copy.getContext("2d").drawImage(canvas, 0, 0);
  const place = [Math.floor(x * copy.width), Math.floor(y * copy.height)];
  return copy.getContext("2d").getImageData(...place, 1, 1).data[3];
}"""


def answers(page, photo, **settings):
    """What the API says of a photograph, without the page."""
    file = {"name": photo["name"], "mimeType": photo["mimeType"], "buffer": photo["buffer"]}
    reply = page.request.post("/v1/caption", multipart={"image": file, **settings})
    (result,) = reply.json()["results"]
    return result


def sentences(page):
    """The best caption of each card, without what only screen readers say."""
    return page.locator(".caption").evaluate_all(
        """lines => lines.map(line =>
          [...line.childNodes].map(node => node.firstChild?.data ?? node.data).join(""))"""
    )


def test_two_photographs_have_the_captions_that_the_api_gives(visit, photos):
    page = visit()
    page.set_input_files("#files", photos)
    expect(page.locator(".caption")).to_have_count(2)
    texts = [answers(page, photo)["captions"][0]["text"] for photo in photos]
    assert sentences(page) == texts
    expect(page.locator(".card h3")).to_have_text([photo["name"] for photo in photos])
    for image, text in zip(page.locator(".card img").all(), texts, strict=True):
        expect(image).to_have_attribute("alt", text)
    expect(page.get_by_role("log")).to_contain_text(f"{photos[0]['name']}: {texts[0]}")


def test_a_word_lights_the_photograph_as_its_map_says(visit, photos):
    page = visit()
    page.set_input_files("#files", photos[:1])
    canvas = page.locator(".card canvas")
    words = page.locator(".word")
    expect(words.first).to_be_visible()
    expect(canvas).to_be_hidden()
    told = answers(page, photos[0], explain="true")
    assert told["shown"] == [0, 0, 1, 1]
    for button, word in zip(words.all(), told["words"], strict=True):
        button.click()
        expect(canvas).to_be_visible()
        expect(page.locator(".told")).to_contain_text(f"{math.exp(word['logprob']):.0%}")
        light = {(x, y): word["map"][y][x] for x, y in CELLS}
        least, most = min(CELLS, key=light.get), max(CELLS, key=light.get)
        dark, bright = (
            canvas.evaluate(VEIL, [(side + 0.5) / 24 for side in cell]) for cell in (least, most)
        )
        assert dark - bright > 0.3 * (light[most] - light[least]) > 0
    button.click()
    expect(canvas).to_be_hidden()


def test_a_captioner_that_does_not_look_tells_how_likely_a_word_was(visit, photos):
    page = visit()

    def blind(route):
        reply = route.fetch()
        told = reply.json()
        told["results"][0]["words"] = [
            {**word, "map": None} for word in told["results"][0]["words"]
        ]
        route.fulfill(response=reply, json=told)

    page.route("**/v1/caption", blind)
    page.set_input_files("#files", photos[:1])
    page.locator(".word").first.click()
    expect(page.locator(".told")).to_have_text(re.compile(r"^\w+ · (\d+|less than 1)%$"))
    expect(page.locator(".card canvas")).to_be_hidden()


def test_what_is_no_image_is_told_on_its_card_beside_one_that_is_captioned(visit, photos):
    page = visit()
    page.set_input_files("#files", [NO_IMAGE, photos[0]])
    bad, good = page.locator(".card").all()
    expect(bad.locator(".wrong")).to_contain_text("no image of a known format")
    expect(bad.get_by_role("button", name="Try again")).to_be_hidden()
    expect(good.locator(".caption")).to_be_visible()
    expect(good.locator(".wrong")).to_be_hidden()


def test_a_file_of_too_many_bytes_is_not_sent(visit):
    page = visit()
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    large = {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": bytes(10 * MIB + 1)}
    page.set_input_files("#files", [large])
    expect(page.locator(".wrong:visible")).to_contain_text("the server takes at most 10.0 MiB")
    assert "POST" not in sent


def test_other_settings_caption_the_photographs_again(visit, photos):
    page = visit()
    page.set_input_files("#files", photos)
    expect(page.locator(".caption")).to_have_count(2)
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Captions", exact=False).fill("3")
    expect(page.locator(".card ol > li")).to_have_count(4)
    expect(page.get_by_label("Beams")).to_have_value("3")  # as many as there are captions
    others = answers(page, photos[0], num="3", beams="3")["captions"][1:]
    for item, other in zip(
        page.locator(".card").first.locator("ol > li").all(), others, strict=True
    ):
        expect(item).to_contain_text(other["text"])
    page.get_by_label("Begins with").fill("a red")
    expect(page.locator(".caption").first).to_contain_text("a red")
    page.get_by_role("button", name="Back to the defaults").click()
    expect(page.locator(".card ol > li")).to_have_count(0)
    assert sentences(page) == [answers(page, photo)["captions"][0]["text"] for photo in photos]


def test_settings_that_exclude_each_other_are_not_sent(visit, photos):
    page = visit()
    page.set_input_files("#files", photos[:1])
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Captions").fill("2")
    page.get_by_label("Diverse").check()
    expect(page.get_by_label("Beams")).to_be_disabled()
    expect(page.locator(".card ol > li")).to_have_count(1)
    with page.expect_response("**/v1/caption") as drawn:
        page.get_by_label("Temperature").fill("1")
    assert drawn.value.status == 200  # where both are sent it is 422
    expect(page.get_by_label("Diverse")).to_be_disabled()
    expect(page.locator(".card ol > li")).to_have_count(1)
    page.get_by_label("Fewest words").fill("5")
    page.get_by_label("Most words").fill("4")
    expect(page.get_by_role("alert")).to_contain_text("Most words")
    expect(page.locator(".card .wrong")).to_be_hidden()


def test_a_prefix_that_the_captioner_does_not_know_is_told_of(visit, photos):
    page = visit()
    page.set_input_files("#files", photos[:1])
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Begins with").fill("zyzzyva")
    expect(page.locator(".card .wrong")).to_contain_text("never seen")
    page.get_by_label("Begins with").fill("")
    expect(page.locator(".caption")).to_be_visible()


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_photographs_are_dropped_and_pasted(visit, photos, way):
    page = visit()
    files = page.evaluate_handle(
        """files => {
          const given = new DataTransfer();
          for (const [name, bytes] of files)
            given.items.add(new File([Uint8Array.from(bytes)], name, {type: "image/png"}));
          return given;
        }""",
        [[photo["name"], list(photo["buffer"])] for photo in photos],
    )
    page.evaluate(
        """([way, files]) => document.body.dispatchEvent(way === "drop"
          ? new DragEvent("drop", {dataTransfer: files, bubbles: true, cancelable: true})
          : new ClipboardEvent("paste", {clipboardData: files, bubbles: true}))""",
        [way, files],
    )
    expect(page.locator(".card h3")).to_have_text([photo["name"] for photo in photos])
    expect(page.locator(".caption")).to_have_count(2)


def test_a_photograph_is_taken_off_the_page(visit, photos):
    page = visit()
    page.set_input_files("#files", photos)
    first, second = (page.get_by_role("button", name=f"Remove {p['name']}") for p in photos)
    first.click()
    expect(page.locator(".card h3")).to_have_text([photos[1]["name"]])
    expect(second).to_be_focused()
    second.click()
    expect(page.locator("#files")).to_be_focused()
    expect(page.locator("#photographs")).to_be_hidden()
