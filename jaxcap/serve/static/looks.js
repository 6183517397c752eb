// Where the model looked for a word: the photograph under its light, and the place in words.

const WIDTH = 480; // of the canvas, in pixels; the page scales it
const DARK = [14, 12, 10];
const GLOW = [255, 214, 130];
const VEIL = 0.82; // over what was not looked at
const HAZE = 0.16; // over what was

/**
 * Paints light and darkness over a photograph.
 *
 * @param {HTMLCanvasElement} canvas that lies on it.
 * @param {number[][]} map rows of 0 to 255, over the part of it that was shown to the model.
 * @param {number[]} shown left, top, right and bottom of that part, in shares of its sides; below 0
 *   or above 1 where it was filled up.
 * @param {number} ratio width by height of the photograph.
 */
export function paint(canvas, map, [left, top, right, bottom], ratio) {
  canvas.width = WIDTH;
  canvas.height = Math.max(1, Math.round(WIDTH / ratio));
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const place = [left * width, top * height, (right - left) * width, (bottom - top) * height];
  context.fillStyle = `rgb(${DARK.join(" ")} / ${VEIL})`;
  context.fillRect(0, 0, width, height);
  context.clearRect(...place);
  context.imageSmoothingQuality = "high";
  context.drawImage(lit(smooth(smooth(smooth(map)))), ...place);
}

/** Where a map is brightest, as in "the upper left" or "the middle". */
export function place(map, [left, top, right, bottom]) {
  const rows = map.map((row) => row.reduce((sum, light) => sum + light ** 2, 0));
  const columns = map[0].map((_, x) => map.reduce((sum, row) => sum + row[x] ** 2, 0));
  const third = (weights, from, to, names) => {
    const all = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    const mean = weights.reduce((sum, weight, i) => sum + weight * (i + 0.5), 0) / all;
    const share = from + ((to - from) * mean) / weights.length;
    return names[Math.min(2, Math.max(0, Math.floor(3 * share)))];
  };
  const down = third(rows, top, bottom, ["upper", "", "lower"]);
  const across = third(columns, left, right, ["left", "", "right"]);
  if (down && across) return `the ${down} ${across}`;
  if (down) return `the ${down} middle`;
  return across ? `the ${across}` : "the middle";
}

/** A map of twice as many rows and columns, its edges rounded off: a step towards a B-spline. */
function smooth(map) {
  const along = (row) =>
    row.flatMap((here, i) => [
      (3 * here + (row[i - 1] ?? here)) / 4,
      (3 * here + (row[i + 1] ?? here)) / 4,
    ]);
  const wide = map.map(along);
  const columns = wide[0].map((_, x) => along(wide.map((row) => row[x])));
  return columns[0].map((_, y) => columns.map((column) => column[y]));
}

/** The veil as pixels: dark where the map is 0, and a warm haze where it is 255. */
function lit(map) {
  const canvas = document.createElement("canvas");
  canvas.width = map[0].length;
  canvas.height = map.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  map.flat().forEach((value, i) => {
    const light = value / 255;
    const dark = VEIL * (1 - light);
    const haze = HAZE * light;
    const colour = DARK.map((side, c) => (side * dark + GLOW[c] * haze) / (dark + haze));
    pixels.data.set([...colour, 255 * (dark + haze)], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}
