// What screen readers say of what happens on the page.

const KEPT = 10;
const log = document.querySelector("#spoken");

/** Says a sentence when the reader has finished its own. */
export function say(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  log.append(line);
  while (log.children.length > KEPT) log.firstChild.remove();
}
