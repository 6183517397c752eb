// A button that copies a text.

import { say } from "./spoken.js";

const SHOWN = 1600; // milliseconds that a button says that it has copied

/**
 * @param {string} label of the button.
 * @param {string} text that it copies.
 * @param {string} [name] what it is called where the label alone is not enough.
 */
export function copyButton(label, text, name = label) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.setAttribute("aria-label", name);
  button.addEventListener("click", async () => {
    const copied = await copy(text);
    say(copied ? `Copied: ${text}` : "The browser does not allow copying.");
    button.textContent = copied ? "Copied" : "Not allowed";
    setTimeout(() => {
      button.textContent = label;
    }, SHOWN);
  });
  return button;
}

async function copy(text) {
  // The clipboard is there for pages that came over HTTPS or from this machine.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Not permitted: the old way may be.
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  const before = document.activeElement;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  return copied;
}
