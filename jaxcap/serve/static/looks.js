// Where the model looked for a word: the photograph under its light, and the place in words.

const WIDTH = 480; // of the canvas, in pixels; the page scales it
const DARK = [14, 12, 10];
const GLOW = [255, 214, 130];
const VEIL = 0.78; // over what was not looked at
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
  const area = [left * width, top * height, (right - left) * width, (bottom - top) * height];
  context.fillStyle = `rgb(${DARK.join(" ")} / ${VEIL})`;
  context.fillRect(0, 0, width, height);
  context.clearRect(...area);
  context.imageSmoothingQuality = "high";
  context.drawImage(lit(softened(map)), ...area);
}

/** Where a map is brightest, as in "the upper left" or "the middle". */
export function place(map, [left, top, right, bottom]) {
  const sums = (rows) => rows.map((row) => row.reduce((sum, light) => sum + light ** 2, 0));
  const third = (weights, from, to, names) => {
    const all = weights.reduce((sum, weight) => sum + weight, 0) || 1;
    const mean = weights.reduce((sum, weight, i) => sum + weight * (i + 0.5), 0) / all;
    const share = from + ((to - from) * mean) / weights.length;
    return names[Math.min(2, Math.max(0, Math.floor(3 * share)))];
  };
  const down = third(sums(map), top, bottom, ["upper", "", "lower"]);
  const across = third(sums(transposed(map)), left, right, ["left", "", "right"]);
  if (down && across) return `the ${down} ${across}`;
  if (down) return `the ${down} middle`;
  return across ? `the ${across}` : "the middle";
}

/** A map fine and soft: its cells are of the model's making, not of the photograph. */
function softened(map) {
  const blur = (row) => row.map((here, i) => (near(row, i - 1) + 2 * here + near(row, i + 1)) / 4);
  const doubled = (row) =>
    row.flatMap((here, i) => [-1, 1].map((step) => (3 * here + near(row, i + step)) / 4));
  return [blur, blur, doubled, doubled, doubled].reduce(bothWays, map);
}

const near = (row, i) => row[Math.min(Math.max(i, 0), row.length - 1)];

const bothWays = (map, along) => transposed(transposed(map.map(along)).map(along));

const transposed = (map) => map[0].map((_, x) => map.map((row) => row[x]));

/** The veil as pixels: dark where the map is 0, and a warm haze where it is brightest. */
function lit(map) {
  const canvas = document.createElement("canvas");
  canvas.width = map[0].length;
  canvas.height = map.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  const values = map.flat();
  const peak = values.reduce((most, value) => Math.max(most, value), 1);
  values.forEach((value, i) => {
    const light = value / peak;
    const dark = VEIL * (1 - light);
    const haze = HAZE * light;
    const colour = DARK.map((side, c) => (side * dark + GLOW[c] * haze) / (dark + haze));
    pixels.data.set([...colour, 255 * (dark + haze)], 4 * i);
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}
