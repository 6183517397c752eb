// Photographs chosen, dropped or pasted.

const input = document.querySelector("#files");

/**
 * Calls `add` with the files, whichever way they come.
 *
 * @param {(files: File[]) => void} add
 */
export function whenChosen(add) {
  const given = (files) => files?.length && add([...files]);
  input.addEventListener("change", () => {
    given(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => given(event.clipboardData?.files));

  const dropping = (event, on) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // or the browser would leave the page to show the file
    document.body.classList.toggle("dropping", on);
  };
  document.addEventListener("dragover", (event) => dropping(event, true));
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) dropping(event, false);
  });
  document.addEventListener("drop", (event) => {
    dropping(event, false);
    given(event.dataTransfer?.files);
  });
}

/** Puts the focus where more photographs are chosen. */
export const focusChoose = () => input.focus();
