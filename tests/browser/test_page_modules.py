"""What the page's modules compute, asked in the browser."""

import pytest

DARK = [[0] * 24] * 24
LEFT = [[255] * 12 + [0] * 12] * 24  # bright on the left
CORNER = [[0] * 24] * 20 + [[0] * 20 + [255] * 4] * 4  # bright at the lower right


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("a dog on a mat", ["a", "dog", "on", "a", "mat"], [0, 2, 6, 9, 11]),
        ("a dog on a mat", [" on", " a", " mat"], [6, 9, 11]),  # the others were a prefix
        ("A bulldog.", ["a", "bull", "##dog", "dog", "."], [0, 2, 6, 9]),
        ("a man", ["a", "man", "<eos>"], [0, 2]),
        ("", ["a"], []),
    ],
    ids=["words", "prefix", "pieces", "end", "empty"],
)
def test_words_are_found_in_their_caption(visit, text, words, found):
    locate = """async ([text, words]) => (await import("/static/sentence.js"))
      .locate(text, words.map(word => ({word}))).map(({from}) => from)"""
    assert visit().evaluate(locate, [text, words]) == found


@pytest.mark.parametrize(
    ("shown", "place"),
    [
        ((0, 0, 1, 1), "the lower right"),
        ((0, 0, 0.5, 1), "the lower middle"),
        ((0, -1, 1, 1), "the lower right"),
        ((-0.3, -0.3, 0.7, 0.7), "the middle"),
        ((-2, -2, 1.2, 1.2), "the lower right"),  # beyond the photograph
    ],
    ids=["all", "left half", "filled above", "off", "filled around"],
)
def test_the_place_of_a_look_is_told_in_words(visit, shown, place):
    told = "async given => (await import('/static/looks.js')).place(...given)"
    assert visit().evaluate(told, [CORNER, shown]) == place


@pytest.mark.parametrize(
    ("map_", "shown", "bright"),
    [
        (LEFT, (0, 0, 1, 1), [True, True, False, False]),
        (LEFT, (0.5, 0, 1, 1), [False, False, True, False]),
        (LEFT, (-1, 0, 1, 1), [False, False, False, False]),
        (LEFT, (0, 0, 2, 1), [True, True, True, True]),
        (DARK, (0, 0, 1, 1), [False, False, False, False]),
    ],
    ids=["all", "right half", "filled at the left", "filled at the right", "nowhere"],
)
def test_a_map_is_painted_where_the_model_looked(visit, map_, shown, bright):
    paint = """async ([map, shown]) => {
      const canvas = document.createElement("canvas");
      (await import("/static/looks.js")).paint(canvas, map, shown, 2);
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      const row = Math.floor(canvas.height / 2) * canvas.width;
      return [1, 3, 5, 7].map(x => pixels[4 * (row + x * canvas.width / 8) + 3] < 100);
    }"""
    assert visit().evaluate(paint, [map_, shown]) == bright
