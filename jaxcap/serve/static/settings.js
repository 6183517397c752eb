// The settings of the search: a form whose first values are the server's defaults.

const PAUSE = 400; // milliseconds without a change before the photographs are captioned again
const form = document.querySelector("#settings");
const wrong = form.querySelector("#settings-wrong");
const fields = [...form.querySelectorAll("input")];
const { num, beams, temperature, diverse, min_words: least, max_words: most } = form.elements;
const first = new Map(); // as the form has them: a slider knows fewer numbers than the server

/** Offers what the server allows, with its defaults. */
export function offer({ defaults, limits }) {
  for (const field of [num, beams]) field.max = limits[field.name];
  for (const field of fields) field.defaultValue = defaults[field.name] ?? "";
  form.querySelector("fieldset").disabled = false;
  form.reset();
  for (const field of fields) first.set(field, valueOf(field));
  agree();
}

/** The settings that differ from the defaults, by name; not those that others rule out. */
export function chosen() {
  const changed = fields.filter((field) => !field.disabled && valueOf(field) !== first.get(field));
  return Object.fromEntries(changed.map((field) => [field.name, valueOf(field)]));
}

/** Calls `act` when the settings have changed and are right. */
export function whenChanged(act) {
  let timer;
  let before = "{}";
  const changed = (moved) => {
    agree(moved);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const now = JSON.stringify(chosen());
      if (!right() || now === before) return;
      before = now;
      act();
    }, PAUSE);
  };
  form.addEventListener("input", (event) => changed(event.target));
  form.addEventListener("reset", () => setTimeout(changed)); // the values follow the event
  form.addEventListener("submit", (event) => event.preventDefault());
}

/** What is sent for a field; no number of words is the same as 0. */
function valueOf(field) {
  if (field.type === "checkbox") return String(field.checked);
  return field.type === "number" ? field.value || "0" : field.value;
}

/** Makes the fields agree, of which the one that was `moved` is right, and shows them. */
function agree(moved) {
  if (num.valueAsNumber > beams.valueAsNumber) {
    if (moved === beams) num.value = beams.value;
    else beams.value = num.value;
  }
  const draws = temperature.valueAsNumber > 0;
  diverse.disabled = draws || num.valueAsNumber < 2;
  beams.disabled = draws || (diverse.checked && !diverse.disabled);
  for (const output of form.querySelectorAll("output")) {
    output.value = form.elements[output.htmlFor[0]].value.replace("-", "\u2212");
  }
}

/** Whether all fields are right; says what is not. */
function right() {
  const crossed = most.valueAsNumber > 0 && least.valueAsNumber > most.valueAsNumber;
  most.setCustomValidity(crossed ? "Fewer than the fewest words." : "");
  const bad = fields.find((field) => !field.validity.valid);
  wrong.textContent = bad ? `${bad.labels[0].textContent.trim()}: ${bad.validationMessage}` : "";
  return !bad;
}
