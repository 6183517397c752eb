// The page: photographs come in, captions come out.

import { ApiError, caption, info, ready } from "./api.js";
import { makeCard } from "./card.js";
import { focusChoose, whenChosen } from "./choose.js";
import { lanes } from "./lanes.js";
import { percent, UNSURE } from "./sentence.js";
import { chosen, offer, whenChanged } from "./settings.js";
import { say } from "./spoken.js";

const AT_ONCE = 4; // requests, so that the server may caption them as one batch
const find = (id) => document.querySelector(id);
const list = find("#cards");
const cards = new Set();
const run = lanes(AT_ONCE);
let opened = null;

/** What the server is, once it is ready; asked for again where it could not be told. */
function server() {
  opened ??= open().catch((error) => {
    opened = null;
    find("#about").textContent = error.message;
    throw error;
  });
  return opened;
}

async function open() {
  await ready(showState);
  const about = await info();
  offer(about);
  const size = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  find("#about").textContent = [
    about.name,
    about.architecture,
    `${size.format(about.parameters)} parameters`,
    `step ${about.step.toLocaleString("en")}`,
    about.license,
  ]
    .filter(Boolean)
    .join(" · ");
  const marked = `A dotted line marks words that it gave less than ${percent(UNSURE)}.`;
  find("#hint").textContent = about.looks
    ? `Choose a word to see where the model looked for it. ${marked}`
    : `Choose a word to see how likely the model held it. ${marked}`;
  return about;
}

function showState({ status, done, total }) {
  const text = {
    warming_up: "The captioner is warming up. Photographs may be chosen already.",
    draining: "The server is about to stop.",
    unreachable: "The server cannot be reached. Trying again…",
  }[status];
  const progress = find("#state-progress");
  if (text && find("#state").hidden) say(text);
  if (!text && !find("#state").hidden) say("The captioner is ready.");
  find("#state").hidden = !text;
  find("#state-text").textContent = text ?? "";
  if (total) {
    progress.max = total;
    progress.value = done;
  } else progress.removeAttribute("value");
}

/** The captions of a file, when its turn has come. */
async function captions(file, signal, onWait) {
  const { limits } = await server();
  if (file.size > limits.bytes) {
    const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(1);
    throw new ApiError(
      "too_large",
      `This file has ${mebibytes(file.size)} MiB; the server takes at most ` +
        `${mebibytes(limits.bytes)} MiB. Save it smaller and choose it again.`,
    );
  }
  return run(() => caption(file, chosen(), signal, onWait));
}

function add(files) {
  const added = files.map((file) => {
    const card = makeCard(file, captions, () => remove(card));
    cards.add(card);
    return card;
  });
  list.prepend(...added.map((card) => card.element));
  find("#photographs").hidden = false;
  document.body.classList.add("filled");
  for (const card of added) card.caption();
}

function remove(card) {
  const near = card.element.nextElementSibling ?? card.element.previousElementSibling;
  cards.delete(card);
  card.element.remove();
  if (near) near.querySelector(".remove").focus();
  else focusChoose();
  find("#photographs").hidden = !cards.size;
  document.body.classList.toggle("filled", cards.size > 0);
}

server().catch(() => {}); // it has been told
whenChosen(add);
whenChanged(() => {
  for (const card of cards) card.caption();
});
