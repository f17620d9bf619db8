// The sliders: how much shape, colour and attributes count. Moved, they re-rank at once.

import { make } from "./dom.js";
import { PARTS, percent } from "./words.js";

export class Weights {
  constructor(place, onChange) {
    this.place = place;
    this.onChange = onChange;
    this.defaults = {}; // the server's own; without them there is nothing to slide from
    this.rows = [];
    this.reset = make("button", { type: "button", class: "quiet", hidden: true, on: { click: () => this.goBack() } }, "Reset");
  }

  /** Make the sliders, once the server has said where they stand. */
  setDefaults(defaults) {
    if (this.rows.length || !defaults) return;
    this.defaults = defaults;
    this.most = Math.max(1, ...Object.values(defaults));
    this.rows = Object.entries(PARTS).filter(([part]) => part in defaults).map(([part, name]) => this.makeRow(part, name));
    this.place.append(...this.rows.map((row) => row.element), this.reset);
    this.tell();
  }

  makeRow(part, name) {
    const slider = make("input", { type: "range", id: `weight-${part}`, min: 0, max: this.most, step: 0.05, class: "tape", on: { input: () => this.moved(part) } });
    slider.value = this.defaults[part];
    const share = make("output", { for: `weight-${part}` });
    const element = make("div", { class: `weight part-${part}` }, make("label", { for: `weight-${part}` }, name), share, slider);
    return { part, slider, share, element, start: slider.value }; // a step beside the default, perhaps
  }

  moved(part) {
    if (this.rows.every((row) => Number(row.slider.value) === 0)) {
      this.rows.find((row) => row.part === part).slider.value = 0.05; // something has to count
    }
    this.tell();
    this.onChange();
  }

  goBack() {
    for (const row of this.rows) row.slider.value = row.start;
    this.tell();
    this.rows[0].slider.focus(); // the button pressed is gone
    this.onChange();
  }

  weightOf({ part, slider, start }) {
    return slider.value === start ? this.defaults[part] : Number(slider.value);
  }

  /** What to send: nothing unless moved, since a text search has other defaults than a photo's. */
  chosen() {
    if (this.rows.every((row) => row.slider.value === row.start)) return undefined;
    return Object.fromEntries(this.rows.map((row) => [row.part, this.weightOf(row)]));
  }

  /** Show the shares: those of the answer where it says them, since words and likes shift them too. */
  tell(answered) {
    const total = this.rows.reduce((sum, row) => sum + this.weightOf(row), 0);
    for (const row of this.rows) {
      const text = percent(answered?.[row.part] ?? this.weightOf(row) / total);
      row.share.textContent = text;
      row.slider.setAttribute("aria-valuetext", `${text} of the score`);
      row.slider.style.setProperty("--at", row.slider.value / this.most);
    }
    this.reset.hidden = this.chosen() === undefined;
  }
}
