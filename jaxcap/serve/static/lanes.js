// Few requests at a time.

/**
 * Runs tasks in the order that they come, at most `count` of them at a time.
 *
 * @param {number} count
 * @returns {<T>(task: () => Promise<T>) => Promise<T>}
 */
export function lanes(count) {
  const waiting = [];
  let busy = 0;
  const next = () => {
    if (busy === count || !waiting.length) return;
    busy += 1;
    const { task, resolve, reject } = waiting.shift();
    task()
      .then(resolve, reject)
      .finally(() => {
        busy -= 1;
        next();
      });
  };
  return (task) =>
    new Promise((resolve, reject) => {
      waiting.push({ task, resolve, reject });
      next();
    });
}
