// The bearer token, for servers that want one: kept for this tab, asked for when it is missed.

const KEY = "jaxcap-token";
const dialog = document.querySelector("#token");
const field = dialog.querySelector("input");
const note = dialog.querySelector("#token-note");
let asking = null;

/** The token in use, or null. */
export const token = () => sessionStorage.getItem(KEY);

/**
 * Asks for a token, once, however many requests want it.
 *
 * @param {boolean} refused whether one was tried.
 * @returns {Promise<boolean>} whether there is a new one.
 */
export function askToken(refused) {
  asking ??= open(refused).finally(() => {
    asking = null;
  });
  return asking;
}

function open(refused) {
  if (refused) note.textContent = "The server did not take that token. Try another.";
  field.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      const given = dialog.returnValue === "use";
      if (given) sessionStorage.setItem(KEY, field.value.trim());
      resolve(given);
    };
    dialog.addEventListener("close", closed, { once: true });
  });
}
