// The HTTP API of the server that this page came from.

import { askToken, token } from "./token.js";

/** What came in the place of an answer: `message` is a sentence for people. */
export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** What the server says of its captioner: name, defaults, limits and more. */
export const info = () => ask("v1/info");

/**
 * The captions of one photograph, with the words of the best.
 *
 * @param {File} file as it is.
 * @param {Record<string, string>} settings those that differ from the defaults.
 * @param {AbortSignal} signal ends it.
 * @param {(seconds: number) => void} onWait told when the server asks to come again later.
 */
export async function caption(file, settings, signal, onWait) {
  const body = new FormData();
  body.append("image", file);
  body.append("explain", "true");
  for (const [name, value] of Object.entries(settings)) body.append(name, value);
  const [result] = (await ask("v1/caption", { body, signal, onWait })).results;
  if (result.error) throw new ApiError(result.error.code, result.error.message);
  return result;
}

/**
 * Waits until the server is ready.
 *
 * @param {(state: {status: string, done?: number, total?: number}) => void} onState told of each look.
 */
export async function ready(onState) {
  for (;;) {
    const state = await fetch("readyz", { cache: "no-store" })
      .then((response) => response.json())
      .catch(() => ({ status: "unreachable" }));
    onState(state);
    if (state.status === "ready") return;
    await pause(1);
  }
}

/** JSON from the server. Asks for a token where one is wanted, and again later where it is busy. */
async function ask(path, { body, signal, onWait } = {}) {
  for (;;) {
    const used = token();
    const response = await fetch(path, {
      method: body ? "POST" : "GET",
      body,
      signal,
      headers: used ? { Authorization: `Bearer ${used}` } : {},
    }).catch((error) => {
      if (signal?.aborted) throw error;
      throw new ApiError("unreachable", "The server cannot be reached.");
    });
    const said = await response.json().catch(() => ({}));
    if (response.ok) return said;
    const later = Number(response.headers.get("Retry-After"));
    if (response.status === 401) {
      if (token() !== used || (await askToken(used !== null))) continue;
      throw new ApiError("unauthorized", "The server answers only those who have its token.");
    }
    if ([429, 503].includes(response.status) && later > 0) {
      onWait?.(later);
      await pause(later, signal);
      continue;
    }
    const { code = "error", message = `The server answered ${response.status}.` } = said.error ?? {};
    throw new ApiError(code, message);
  }
}

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
