// The photo with its garments drawn on it: masks as running stitches, labels, and the user's box.

import { draw, make } from "./dom.js";
import { BoxDrawing } from "./box.js";
import { garmentsOf, nameOfPerson, wearersOf } from "./people.js";
import { colourOf, inkOn, nameOf, surenessOf } from "./words.js";

export const VIEWS = { instance: "Garments", semantic: "Types", cut: "Cut out", photo: "Photo" };

const SMALL = 0.35; // of the photo's height

/** Shows one photo; calls `onGarment(id)` for a garment clicked, `onPerson(id)` for a person, `onBox(box)` for a box drawn. */
export class Stage {
  constructor(place, { onGarment, onPerson, onBox }) {
    this.place = place;
    this.onGarment = onGarment;
    this.onPerson = onPerson;
    this.view = "instance";
    this.photo = null;
    this.selected = null;
    this.image = make("img", { alt: "", draggable: "false" });
    this.drawing = draw("svg", { class: "masks", "aria-hidden": "true", focusable: "false" });
    this.labels = make("div", { class: "labels", "aria-hidden": "true" });
    this.frame = make("div", { class: "frame" }, this.image, this.drawing, this.labels);
    this.wait = make("p", { class: "wait", hidden: true }, "Looking for garments");
    this.blind = make("p", { class: "blind", hidden: true }, "This browser cannot show the photo's format; its garments are outlined all the same.");
    place.replaceChildren(this.frame, this.wait, this.blind);
    this.box = new BoxDrawing(this.frame, onBox);
    this.image.addEventListener("error", () => this.setBlind(true));
    this.image.addEventListener("load", () => this.setBlind(false));
    new ResizeObserver(() => this.layLabels()).observe(this.frame);
  }

  setBlind(blind) {
    this.blind.hidden = !blind;
    this.frame.classList.toggle("unseen", blind);
  }

  /** Show a photo while its garments are still looked for. */
  begin(url, name) {
    this.photo = null;
    this.image.src = url;
    this.image.alt = `Your photo, ${name}`;
    this.drawing.replaceChildren();
    this.labels.replaceChildren();
    this.box.clear();
    this.setWaiting(true);
  }

  setWaiting(waiting) {
    this.wait.hidden = !waiting;
    this.frame.classList.toggle("scanning", waiting);
    this.box.enabled = !waiting; // a box is of a photo that the server has
  }

  show(photo) {
    this.photo = photo;
    this.frame.style.setProperty("aspect-ratio", `${photo.width} / ${photo.height}`);
    this.setWaiting(false);
    this.redraw();
  }

  setView(view) {
    this.view = view;
    if (this.photo) this.redraw();
  }

  select(id) {
    this.selected = id;
    if (id !== "box") this.box.clear();
    this.mark("selected", id);
  }

  hover(id) {
    this.mark("hovered", id);
  }

  mark(name, id) {
    for (const element of this.frame.querySelectorAll("[data-garment]")) {
      element.classList.toggle(name, element.dataset.garment === String(id));
    }
  }

  redraw() {
    const { width, height } = this.photo;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.frame.dataset.view = this.view;
    const outlined = garmentsOf(this.photo, this.photo.person).filter((each) => each.outlines?.length);
    const shown = outlined.filter((each) => !each.is_fallback); // that one is all of the photo
    const others = wearersOf(this.photo).filter((person) => person !== this.photo.person);
    // The surest comes first in the answer and must lie on top.
    const masks = [...shown].reverse().map((garment) => this.drawMask(garment));
    const beside = this.drawOthers(others); // below: theirs is one tap away
    this.drawing.replaceChildren(...(this.view === "cut" ? [this.drawCover(outlined)] : []), ...beside, ...masks);
    const labels = [...shown.map((each) => this.makeLabel(each)), ...others.map((person) => this.makePersonLabel(person))];
    this.labels.replaceChildren(...(this.view === "photo" ? [] : labels.filter(Boolean)));
    this.layLabels();
    this.mark("selected", this.selected);
  }

  drawMask(garment) {
    const d = pathOf(garment, this.photo);
    const choose = () => this.box.justDrew || this.onGarment(garment.id);
    const on = { click: choose, pointerenter: () => this.hover(garment.id), pointerleave: () => this.hover(null) };
    return draw("g", { class: "mask", "data-garment": garment.id, vars: { "--c": colourOf(garment, this.view) }, on },
      draw("path", { class: "cloth", d }), draw("path", { class: "under", d }), draw("path", { class: "stitch", d }));
  }

  /** People whose garments are not shown now: boxes, and faint outlines on them; either brings them up. */
  drawOthers(people) {
    const unlessDrawing = (choose) => ({ click: () => this.box.justDrew || choose() });
    // A person who stands before another must stay within reach: the smaller box lies on top.
    const boxes = people.map((person) => [person, this.boxOf(person)]).filter(([, box]) => box).sort(([, a], [, b]) => b.width * b.height - a.width * a.height);
    const garments = people.flatMap((person) => garmentsOf(this.photo, person));
    return [
      ...boxes.map(([person, box]) => draw("rect", { class: "someone", ...box, on: unlessDrawing(() => this.onPerson(person)) })),
      ...garments.map((each) => draw("path", { class: "other", d: pathOf(each, this.photo), on: unlessDrawing(() => this.onGarment(each.id)) })),
    ];
  }

  boxOf(person) {
    const { people = [], width, height } = this.photo;
    const box = people.find((each) => each.id === person)?.box;
    return box && { x: box[0] * width, y: box[1] * height, width: (box[2] - box[0]) * width, height: (box[3] - box[1]) * height, rx: 6 };
  }

  makePersonLabel(person) {
    const box = this.photo.people?.find((each) => each.id === person)?.box;
    if (!box) return null;
    const label = make("span", { class: "label whose" }, nameOfPerson(this.photo, person));
    Object.assign(label.dataset, { x: (box[0] + box[2]) / 2, y: box[1], small: "false" });
    return label;
  }

  /** Everything that is no garment, covered. */
  drawCover(garments) {
    const { width, height } = this.photo;
    const holes = garments.map((each) => draw("path", { d: pathOf(each, this.photo), fill: "#000" }));
    return draw("g", {},
      draw("mask", { id: "holes" }, draw("rect", { width, height, fill: "#fff" }), ...holes),
      draw("rect", { class: "cover", width, height, mask: "url(#holes)" }));
  }

  makeLabel(garment) {
    const colour = colourOf(garment, this.view);
    const [x1, y1, x2, y2] = garment.box;
    const text = this.view === "semantic" ? garment.slot : `${nameOf(garment)} ${surenessOf(garment)}`.trim();
    const label = make("span", { class: "label", "data-garment": garment.id, vars: { "--c": colour, "--on": inkOn(colour) } }, text);
    Object.assign(label.dataset, { x: (x1 + x2) / 2, y: y1, small: y2 - y1 < SMALL });
    return label;
  }

  /** Put each label at its garment, inside the photo and past the labels already there. */
  layLabels() {
    const [wide, high] = [this.frame.clientWidth, this.frame.clientHeight];
    const taken = [];
    for (const label of this.labels.children) {
      const [w, h] = [label.offsetWidth, label.offsetHeight];
      const x = Math.min(Math.max(4, label.dataset.x * wide - w / 2), wide - w - 4);
      // Above a small garment, which it would cover; inside a large one.
      const wanted = label.dataset.y * high + (label.dataset.small === "true" ? -h - 3 : 8);
      let y = Math.min(Math.max(4, wanted), high - h - 4);
      const hits = (other) => x < other.x + other.w && other.x < x + w && y < other.y + h + 2 && other.y < y + h + 2;
      for (let tries = 0; tries < taken.length && taken.some(hits); tries++) y += h + 3;
      taken.push({ x, y, w });
      label.style.transform = `translate(${x}px, ${y}px)`;
    }
  }
}

/** A garment's outlines as one SVG path, in the photo's pixels. */
export function pathOf(garment, { width, height }) {
  const point = ([x, y]) => `${(x * width).toFixed(1)} ${(y * height).toFixed(1)}`;
  return (garment.outlines ?? []).map((line) => `M${line.map(point).join("L")}Z`).join("");
}
