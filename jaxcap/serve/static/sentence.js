// A caption whose words can be chosen.

export const UNSURE = 0.2; // words less likely than this are marked

/** A probability for people: "83%", "less than 1%". */
export function percent(probability) {
  return probability < 0.01 ? "less than 1%" : `${Math.round(100 * probability)}%`;
}

/**
 * Where the words stand in the text that they are the last words of.
 *
 * A word that is not in it, such as the end, is left out.
 *
 * @param {string} text
 * @param {{word: string}[]} words
 * @returns {{from: number, to: number, index: number}[]} in order.
 */
export function locate(text, words) {
  const found = [];
  let end = text.length;
  const lower = text.toLowerCase();
  for (let index = words.length - 1; index >= 0; index -= 1) {
    const word = words[index].word.trim().toLowerCase();
    const from = word ? lower.lastIndexOf(word, end - word.length) : -1;
    if (from < 0 || word.length > end) continue;
    found.unshift({ from, to: from + word.length, index });
    end = from;
  }
  return found;
}

/**
 * The caption as a toolbar: one tab stop, and arrow keys from word to word.
 *
 * @param {string} text
 * @param {{word: string, logprob: number}[]} words
 * @param {(index: number | null) => void} choose told of the word that is chosen, or of none.
 */
export function sentence(text, words, choose) {
  const line = document.createElement("div");
  line.className = "caption";
  const places = locate(text, words);
  if (places.length) {
    line.setAttribute("role", "toolbar");
    line.setAttribute("aria-label", "The caption, word by word");
  }
  let end = 0;
  const buttons = places.map(({ from, to, index }) => {
    const button = wordButton(text.slice(from, to), Math.exp(words[index].logprob));
    line.append(text.slice(end, from), button);
    end = to;
    return button;
  });
  line.append(text.slice(end));
  if (buttons.length) buttons[0].tabIndex = 0;

  const pressed = () => buttons.findIndex((button) => button.ariaPressed === "true");
  const press = (which) => {
    buttons.forEach((button, i) => {
      button.ariaPressed = String(i === which);
    });
    choose(which < 0 ? null : places[which].index);
  };
  const move = (which) => {
    buttons.forEach((button, i) => {
      button.tabIndex = i === which ? 0 : -1;
    });
    buttons[which].focus();
    if (pressed() >= 0) press(which);
  };
  line.addEventListener("click", (event) => {
    const which = buttons.indexOf(event.target.closest("button"));
    if (which < 0) return;
    const open = pressed() === which;
    move(which);
    press(open ? -1 : which);
  });
  line.addEventListener("keydown", (event) => {
    const here = buttons.indexOf(document.activeElement);
    const to = {
      ArrowRight: Math.min(here + 1, buttons.length - 1),
      ArrowLeft: Math.max(here - 1, 0),
      Home: 0,
      End: buttons.length - 1,
    }[event.key];
    if (event.key === "Escape" && pressed() >= 0) press(-1);
    else if (to !== undefined && here >= 0) move(to);
    else return;
    event.preventDefault();
  });
  return line;
}

function wordButton(word, probability) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "word";
  button.textContent = word;
  button.tabIndex = -1;
  button.ariaPressed = "false";
  button.dataset.chance = percent(probability);
  if (probability < UNSURE) {
    button.classList.add("unsure");
    const aside = document.createElement("span");
    aside.className = "unseen";
    aside.textContent = `, unsure: ${percent(probability)}`;
    button.append(aside);
  }
  return button;
}
