// A photograph on the page, and what is said of it.

import { copyButton } from "./copy.js";
import { paint, place } from "./looks.js";
import { percent, sentence } from "./sentence.js";
import { say } from "./spoken.js";

const template = document.querySelector("#card");
// Of these the same request would give the same again.
const FINAL = ["bad_image", "bad_setting", "too_large", "too_many_pixels"];
const NONE = "The search found no caption. Give it more beams, or other lengths.";
let made = 0;

/**
 * A card for a file.
 *
 * @param {File} file
 * @param {(file: File, signal: AbortSignal, onWait: (seconds: number) => void) => Promise} find
 *   its captions.
 * @param {() => void} onRemove told when it is taken off the page.
 * @returns {{element: HTMLElement, caption: () => Promise<void>}}
 */
export function makeCard(file, find, onRemove) {
  const element = template.content.firstElementChild.cloneNode(true);
  const part = (selector) => element.querySelector(selector);
  const article = part("article");
  const title = part("h3");
  const image = part("img");
  const view = part(".view");
  const canvas = part("canvas");
  const told = part(".told");
  const waiting = part(".waiting");
  const wrong = part(".wrong");
  const again = part(".again");
  const captions = part(".captions");
  let asked = new AbortController();

  made += 1;
  title.id = `photograph-${made}`;
  title.textContent = file.name;
  article.setAttribute("aria-labelledby", title.id);
  part(".remove").setAttribute("aria-label", `Remove ${file.name}`);
  image.alt = `${file.name}, not captioned yet`;
  image.src = URL.createObjectURL(file);
  image.addEventListener("load", () => {
    view.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
  });
  image.addEventListener("error", () => article.classList.add("no-picture"));

  /** Shows where the model looked for a word, and how likely the word was; or neither. */
  function look(word, shown) {
    canvas.hidden = !word?.map;
    told.hidden = !word;
    if (!word) return;
    const chance = percent(Math.exp(word.logprob));
    told.textContent = `${word.word.trim()} · ${chance}`;
    if (word.map) paint(canvas, word.map, shown, image.naturalWidth / image.naturalHeight);
    const where = word.map ? `, looked mostly at ${place(word.map, shown)}` : "";
    say(`${word.word.trim()}: ${chance} likely${where}`);
  }

  function show({ captions: [best, ...others], words = [], shown }) {
    look(null);
    captions.replaceChildren();
    if (!best?.text) return fail({ code: "bad_setting", message: NONE });
    image.alt = best.text;
    const line = sentence(best.text, words, (index) => look(words[index], shown));
    captions.append(line, row(best, "Copy as alt text"));
    if (others.length) {
      const list = document.createElement("ol");
      list.start = 2;
      for (const other of others) {
        const item = document.createElement("li");
        item.append(other.text, row(other, "Copy"));
        list.append(item);
      }
      captions.append(list);
    }
    say(`${file.name}: ${best.text}`);
  }

  function fail({ code, message }) {
    look(null);
    captions.replaceChildren();
    image.alt = `${file.name}, without a caption`;
    wrong.textContent = message;
    wrong.hidden = false;
    again.hidden = FINAL.includes(code);
    say(`${file.name}: ${message}`);
  }

  /** Asks for the captions; what was asked before is no longer waited for. */
  async function caption() {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const onWait = (seconds) => {
      waiting.textContent = `The server is busy. Trying again in ${seconds} s…`;
    };
    wrong.hidden = again.hidden = true;
    waiting.textContent = "Looking…";
    article.ariaBusy = "true";
    try {
      const found = await find(file, signal, onWait);
      if (!signal.aborted) show(found);
    } catch (error) {
      if (signal.aborted) return;
      fail(error);
    } finally {
      if (!signal.aborted) {
        waiting.textContent = "";
        article.ariaBusy = "false";
      }
    }
  }

  again.addEventListener("click", caption);
  part(".remove").addEventListener("click", () => {
    asked.abort();
    URL.revokeObjectURL(image.src);
    onRemove();
  });
  return { element, caption };
}

function row({ text, score }, label) {
  const line = document.createElement("div");
  line.className = "row";
  const told = document.createElement("span");
  told.className = "muted score";
  told.textContent = `score ${score.toFixed(2).replace("-", "\u2212")}`;
  line.append(copyButton(label, text, `Copy as alt text: ${text}`), told);
  return line;
}
