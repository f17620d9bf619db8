// The HTTP API: requests out, JSON or a Problem back.

import { byId } from "./dom.js";
import { sentence } from "./words.js";

const KEY = "lapel-key";
const LONGEST_WAIT_S = 5; // a server that asks for longer is the user's to decide about

/** An error as the server words it (problem+json). */
export class Problem extends Error {
  constructor(status, body, wait_s) {
    super(sentence(body.detail || body.title || `the server answered ${status}`));
    this.status = status;
    this.kind = String(body.type ?? "").replace("urn:lapel:", "");
    this.wait_s = wait_s;
  }
}

async function call(path, init = {}, attempt = 0) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...init.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...init, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server does not answer. Is it running, and are you online?" });
  }
  if (response.ok) return response.json();
  const problem = await readProblem(response);
  if (problem.status === 401 && (await askForKey(problem))) return call(path, init, attempt);
  if ([429, 503].includes(problem.status) && attempt === 0 && problem.wait_s <= LONGEST_WAIT_S) {
    await new Promise((resolve) => setTimeout(resolve, problem.wait_s * 1000));
    init.signal?.throwIfAborted();
    return call(path, init, 1);
  }
  throw problem;
}

async function readProblem(response) {
  const body = await response.json().catch(() => ({}));
  return new Problem(response.status, body, Number(response.headers.get("Retry-After") ?? 1));
}

let asking = null;

/** Ask once, however many requests were refused; true when a key was given. */
function askForKey(problem) {
  asking ??= new Promise((resolve) => {
    const dialog = byId("key");
    const known = sessionStorage.getItem(KEY) !== null;
    byId("key-error").textContent = known ? problem.message : "";
    byId("key-text").value = "";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      asking = null;
      const given = byId("key-text").value.trim();
      const ok = dialog.returnValue === "ok" && given !== "";
      if (ok) sessionStorage.setItem(KEY, given);
      resolve(ok);
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

const asJson = (body, signal) => ({
  method: "POST", signal, body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
});

let address = "";
let tellChosen;
const isChosen = new Promise((resolve) => { tellChosen = resolve; });

/** Name the catalogue that is asked from now on; until then its questions wait. */
export function useCatalogue(name) {
  address = `/v1/catalogues/${encodeURIComponent(name)}`;
  tellChosen();
}

async function ask(path, init) {
  await isChosen;
  init?.signal?.throwIfAborted();
  return call(`${address}${path}`, init);
}

export const catalogues = () => call("/v1/catalogues");
export const stats = () => ask("/stats");
export const facets = () => ask("/facets");
export const search = (body, signal) => ask("/search", asJson(body, signal));

/** Send a photo; its garments come back, and the `photo_id` that stands for it. */
export function detect(blob, name, signal) {
  const form = new FormData();
  form.append("photo", blob, name);
  form.append("options", JSON.stringify({ masks: false }));
  return call("/v1/detect", { method: "POST", body: form, signal });
}
