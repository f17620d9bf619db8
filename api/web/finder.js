// Asks for hits whenever something changes, and shows them: the newest question wins.

import * as api from "./api.js";
import { byId, debounce, make, say } from "./dom.js";
import { PAGE } from "./query.js";
import { card, fillSteering, fillSubject, nothing, skeletons } from "./results.js";
import { nameOf, sentence, titleOf } from "./words.js";

const SLIDER_WAIT_MS = 120; // shorter than is felt, long enough for a slider's many steps
const UNSEEN = "No garment was found, so all of the photo is compared. Draw a box around the garment you mean, or try a closer photo.";

export class Finder {
  constructor(query, weights, filters, { onSubject, onForgotten }) {
    Object.assign(this, { query, weights, filters, onSubject, onForgotten });
    this.hits = [];
    this.trail = []; // subjects, by the browser's place in its history
    this.lastGarment = null;
    this.list = byId("results");
    this.asked = new AbortController();
    this.soon = debounce(SLIDER_WAIT_MS, () => this.find());
    this.act = { like: (hit) => this.taste("like", hit), dislike: (hit) => this.taste("dislike", hit), similar: (hit) => this.about({ kind: "item", item: hit }) };
    byId("more").addEventListener("click", () => this.find({ more: true }));
    byId("refine").addEventListener("submit", (event) => { event.preventDefault(); this.reword(); });
    byId("text").addEventListener("search", () => this.reword()); // also the field's own "clear"
    addEventListener("popstate", (event) => this.about(this.trail[event.state?.at ?? 0] ?? this.trail[0] ?? null, { isNew: false }));
  }

  /** Search for what is like something else: a garment, a box, an item, words. */
  about(subject, { isNew = true, goes = true } = {}) {
    // Words that were the whole question do not follow into the next; words beside a photo do.
    if (subject?.kind === "text") this.setText(subject.text);
    else if (this.query.subject?.kind === "text") this.setText("");
    this.query.subject = subject;
    if (subject?.kind === "garment") this.lastGarment = subject.id;
    if (isNew) this.remember(subject);
    this.onSubject();
    if (!subject) return;
    this.tellSubject();
    if (goes && ["item", "text"].includes(subject.kind)) this.goToResults();
    this.find({ fresh: true });
  }

  /** "More like this" and its kind are places: the browser's own Back leads out of them. */
  remember(subject) {
    const at = this.trail.length ? (history.state?.at ?? 0) + 1 : 0;
    this.trail.length = at;
    this.trail.push(subject);
    if (at === 0) history.replaceState({ at }, "");
    else history.pushState({ at }, "");
  }

  setText(text) {
    this.query.text = text;
    byId("text").value = text;
  }

  /** What was pressed is about to go; the focus would be lost with it. */
  goToResults() {
    byId("subject").querySelector("h2").focus({ preventScroll: true });
    byId("panel-search").scrollIntoView({ block: "start" });
  }

  reword() {
    const text = byId("text").value.trim();
    if (text === this.query.text) return;
    this.query.text = text;
    if (this.query.subject?.kind === "text") this.query.subject.text = text;
    this.find();
  }

  taste(which, hit) {
    this.query[which](hit);
    this.find();
  }

  forgetTaste() {
    this.query.forget();
    this.find();
  }

  stop() {
    this.asked.abort();
  }

  empty() {
    this.hits = [];
    this.trail = [];
    this.list.replaceChildren();
    byId("remarks").replaceChildren();
    byId("subject").replaceChildren();
    byId("steer").hidden = true;
    byId("more-row").hidden = true;
  }

  async find({ more = false, fresh = false } = {}) {
    this.tellTaste();
    if (!this.query.isAsking) return;
    this.asked.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    if (fresh || !this.hits.length) this.list.replaceChildren(...skeletons());
    this.list.setAttribute("aria-busy", "true");
    try {
      const answer = await this.ask(more ? this.hits.length : 0, signal);
      this.show(answer, more);
    } catch (error) {
      if (error.name === "AbortError") return; // a newer question is under way, and owns the list
      this.fail(error, more);
    }
    this.list.setAttribute("aria-busy", "false");
  }

  async ask(offset, signal) {
    const body = () => this.query.body({ weights: this.weights.chosen(), filter: this.filters.filter(), inStock: this.filters.inStock, offset });
    try {
      return await api.search(body(), signal);
    } catch (error) {
      const forgotten = error.kind === "photo_forgotten" && this.query.needsPhoto;
      if (!forgotten || !(await this.onForgotten())) throw error;
      signal.throwIfAborted();
      return api.search(body(), signal);
    }
  }

  show(answer, more) {
    const garment = answer.garments[0];
    const came = garment?.results ?? [];
    this.hits = more ? [...this.hits, ...came] : came;
    this.tellSubject(garment);
    this.weights.tell(garment?.explain?.weights);
    const focus = focusIn(this.list);
    const cards = came.map((hit) => card(hit, this.query, this.act));
    if (more) this.list.append(...cards);
    else this.list.replaceChildren(...(cards.length ? cards : [nothing(this.filters, this.query.text ? " that fits the words" : "")]));
    byId("more-row").hidden = came.length < PAGE;
    const remarks = garment?.is_fallback ? [UNSEEN] : answer.warnings.map(sentence);
    byId("remarks").replaceChildren(...remarks.map((text) => make("p", { class: "remark" }, text)));
    if (more) cards[0]?.querySelector(".similar").focus({ preventScroll: true });
    else focus();
    const [best] = this.hits;
    say(best ? `${this.hits.length} items shown. Closest: ${titleOf(best)}` : "No items found");
  }

  fail(error, more) {
    const again = make("button", { type: "button", on: { click: () => this.find({ more }) } }, "Try again");
    const message = make("li", { class: "nothing failed", role: "alert" }, make("p", {}, error.message), again);
    if (!more) this.hits = [];
    this.list.querySelector(".failed")?.remove();
    if (more) this.list.append(message);
    else this.list.replaceChildren(message);
    byId("more-row").hidden = true;
  }

  tellTaste() {
    fillSteering(byId("steer"), this.query, { like: this.act.like, dislike: this.act.dislike, forget: () => this.forgetTaste() });
  }

  tellSubject(answered) {
    const { subject, text, garment } = this.query;
    const place = byId("subject");
    if (subject.kind === "garment") fillSubject(place, { lead: "Like the", words: garment ? nameOf(garment).toLowerCase() : "garment", colours: garment?.colours });
    else if (subject.kind === "box") fillSubject(place, { lead: "Like your box:", words: answered ? nameOf(answered).toLowerCase() : "…", colours: answered?.colours });
    else if (subject.kind === "item") fillSubject(place, { lead: "Like", words: titleOf(subject.item), picture: subject.item.picture });
    else fillSubject(place, { lead: "For", words: `“${text}”` });
  }
}

/** Remember what has the focus in a list about to be redrawn; returns how to give it back. */
function focusIn(list) {
  const held = document.activeElement;
  if (!list.contains(held)) return () => {};
  const item = held.closest("[data-item]")?.dataset.item;
  const kind = ["like", "dislike", "similar"].find((each) => held.classList.contains(each));
  return () => {
    const card = item && list.querySelector(`[data-item="${CSS.escape(item)}"]`);
    (card?.querySelector(`.${kind ?? "similar"}`) ?? byId("subject").querySelector("h2"))?.focus({ preventScroll: true });
  };
}
