// Filters made of the catalogue's facets: checked values and a price range in, a filter out.

import { debounce, make } from "./dom.js";
import { cssColour, readable } from "./words.js";

const FIRST = ["category", "colour", "brand", "price"]; // shown at once; the others behind "More"
const OFTEN_FIRST = 300;

/** A dot of the colour; of one that nobody knows, its place only: white would be a colour too. */
function swatch(value) {
  const colour = cssColour(value);
  return colour ? { class: "dot", vars: { "--c": colour } } : { class: "dot blank" };
}

export class Filters {
  constructor(place, onChange) {
    this.place = place;
    this.onChange = onChange;
    this.checked = new Map(); // field -> Set of values
    this.range = {};
    this.inStock = false;
    this.facets = [];
    this.later = debounce(OFTEN_FIRST, () => this.changed());
    document.addEventListener("click", (event) => this.closeMenus(event.target));
    place.addEventListener("keydown", (event) => {
      const menu = event.key === "Escape" && event.target.closest("details[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      }
    });
  }

  setFacets(facets) {
    this.facets = facets.filter((facet) => (facet.values ? facet.values.length > 1 : facet.max > facet.min));
    this.redraw();
  }

  closeMenus(target) {
    for (const menu of this.place.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  }

  redraw() {
    const first = FIRST.map((field) => this.facets.find((facet) => facet.field === field)).filter(Boolean);
    const rest = this.facets.filter((facet) => !FIRST.includes(facet.field));
    const more = make("details", { class: "menu more-filters" }, make("summary", {}, "More"),
      make("div", { class: "sheet" }, ...rest.map((facet) => make("section", {}, make("h3", {}, readable(facet.field)), this.control(facet)))));
    const stock = make("input", { type: "checkbox", id: "in-stock", on: { change: (event) => { this.inStock = event.target.checked; this.changed(); } } });
    stock.checked = this.inStock;
    this.chips = make("div", { class: "chips" });
    this.place.replaceChildren(
      ...first.map((facet) => make("details", { class: "menu", "data-field": facet.field },
        make("summary", {}, readable(facet.field), make("b", {})), make("div", { class: "sheet" }, this.control(facet)))),
      rest.length ? more : "",
      make("label", { class: "switch", for: "in-stock" }, stock, " In stock only"),
      this.chips);
    this.tell();
  }

  control(facet) {
    return facet.values ? this.checks(facet) : this.prices(facet);
  }

  checks({ field, values }) {
    return make("ul", { class: "checks" }, ...values.map(({ value, count }) => {
      const box = make("input", { type: "checkbox", "data-field": field, "data-value": value, on: { change: (event) => this.check(field, value, event.target.checked) } });
      box.checked = this.checked.get(field)?.has(value) ?? false;
      const dot = field === "colour" ? make("i", swatch(value)) : null;
      return make("li", {}, make("label", {}, box, dot, make("span", {}, readable(value)), make("span", { class: "soft count" }, String(count))));
    }));
  }

  prices(facet) {
    const side = (name, operator, bound) => {
      const input = make("input", { type: "number", inputmode: "decimal", min: 0, step: "any", placeholder: String(bound), on: {
        input: () => {
          const value = input.value === "" || !input.validity.valid ? undefined : Number(input.value);
          this.range[facet.field] = { ...this.range[facet.field], [operator]: value };
          this.later();
        },
      } });
      input.value = this.range[facet.field]?.[operator] ?? "";
      return make("label", {}, name, input);
    };
    return make("div", { class: "prices" }, side("From", "gte", Math.floor(facet.min)), side("To", "lte", Math.ceil(facet.max)));
  }

  check(field, value, on) {
    const values = this.checked.get(field) ?? new Set();
    if (on) values.add(value);
    else values.delete(value);
    this.checked.set(field, values);
    this.changed();
  }

  changed() {
    this.tell();
    this.onChange();
  }

  clear() {
    this.forget();
    this.redraw();
    this.onChange();
  }

  forget() {
    this.checked.clear();
    this.range = {};
    this.inStock = false;
  }

  /** The conditions set, each with the words for it and a way to take it back. */
  active() {
    const values = [...this.checked].flatMap(([field, set]) => [...set].map((value) => ({
      field, words: readable(value), undo: () => { set.delete(value); this.redraw(); this.onChange(); },
    })));
    const ranges = Object.entries(this.range).filter(([, range]) => range.gte !== undefined || range.lte !== undefined).map(([field, { gte, lte }]) => ({
      field, words: `${readable(field)} ${gte ?? ""}–${lte ?? ""}`, undo: () => { delete this.range[field]; this.redraw(); this.onChange(); },
    }));
    return [...values, ...ranges];
  }

  tell() {
    const active = this.active();
    const chip = ({ words, undo }) => make("button", { type: "button", class: "chip", "aria-label": `Take back ${words}`, on: { click: undo } }, `${words} ×`);
    const clear = make("button", { type: "button", class: "quiet", on: { click: () => this.clear() } }, "Clear all");
    this.chips.replaceChildren(...active.map(chip), ...(active.length ? [clear] : []));
    for (const menu of this.place.querySelectorAll("details[data-field]")) {
      const count = active.filter((each) => each.field === menu.dataset.field).length;
      menu.querySelector("b").textContent = count || "";
    }
  }

  /** What to send as `filter`; undefined when nothing is set. */
  filter() {
    const fields = [...this.checked].filter(([, values]) => values.size).map(([field, values]) => ({ field, in: [...values] }));
    const ranges = Object.entries(this.range).filter(([, { gte, lte }]) => gte !== undefined || lte !== undefined).map(([field, range]) => ({ field, ...range }));
    const all = [...fields, ...ranges];
    return all.length ? { and: all } : undefined;
  }
}
