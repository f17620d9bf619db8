// The sliders: how much shape, colour and attributes count. Moved, they re-rank at once.

import { make } from "./dom.js";
import { PARTS, percent } from "./words.js";

const DEFAULTS = { visual: 1, colour: 0.25, attributes: 0.1 }; // the server's own

export class Weights {
  constructor(place, onChange) {
    this.onChange = onChange;
    this.rows = Object.entries(PARTS).map(([part, name]) => this.makeRow(part, name));
    this.reset = make("button", { type: "button", class: "quiet", hidden: true, on: { click: () => this.set(DEFAULTS) } }, "Reset");
    place.append(...this.rows.map((row) => row.element), this.reset);
    this.tell();
  }

  makeRow(part, name) {
    const slider = make("input", { type: "range", id: `weight-${part}`, min: 0, max: 1, step: 0.05, class: "tape", on: { input: () => this.moved(part) } });
    slider.value = DEFAULTS[part];
    const share = make("output", { for: `weight-${part}` });
    const element = make("div", { class: `weight part-${part}` }, make("label", { for: `weight-${part}` }, name), share, slider);
    return { part, slider, share, element };
  }

  moved(part) {
    if (this.rows.every((row) => Number(row.slider.value) === 0)) {
      this.rows.find((row) => row.part === part).slider.value = 0.05; // something has to count
    }
    this.tell();
    this.onChange();
  }

  set(weights) {
    for (const row of this.rows) row.slider.value = weights[row.part];
    this.tell();
    this.onChange();
  }

  values() {
    return Object.fromEntries(this.rows.map((row) => [row.part, Number(row.slider.value)]));
  }

  /** What to send: nothing unless moved, since a text search has other defaults than a photo's. */
  chosen() {
    const values = this.values();
    return Object.keys(DEFAULTS).some((part) => values[part] !== DEFAULTS[part]) ? values : undefined;
  }

  /** Show the shares: those of the answer where it says them, since words and likes shift them too. */
  tell(answered) {
    const total = this.rows.reduce((sum, row) => sum + Number(row.slider.value), 0);
    for (const row of this.rows) {
      const text = percent(answered?.[row.part] ?? row.slider.value / total);
      row.share.textContent = text;
      row.slider.setAttribute("aria-valuetext", `${text} of the score`);
      row.slider.style.setProperty("--at", row.slider.value);
    }
    this.reset.hidden = this.chosen() === undefined;
  }
}
