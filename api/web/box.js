// Drawing a box on the photo, by mouse, finger or keyboard; it comes out as x1, y1, x2, y2 in 0..1.

import { make } from "./dom.js";

const STARTS_PX = 6; // a hand shakes less than this when it means to click
const SMALLEST = 0.03; // of a side; less is a slip
const STEP = 0.02;
const FIRST = [0.3, 0.3, 0.7, 0.7];

export class BoxDrawing {
  constructor(frame, onBox) {
    this.frame = frame;
    this.onBox = onBox;
    this.box = null;
    this.start = null;
    this.justDrew = false;
    this.active = false;
    this.enabled = true;
    this.shape = make("div", { class: "box", hidden: true });
    frame.append(this.shape);
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.drag(event));
    frame.addEventListener("pointerup", () => this.release());
    frame.addEventListener("pointercancel", () => this.release(false));
    frame.addEventListener("keydown", (event) => this.key(event));
  }

  /** By finger a drag scrolls the page, so drawing has to be switched on; a mouse needs no switch. */
  setActive(active) {
    this.active = active;
    this.frame.classList.toggle("drawing", active);
    if (active) {
      this.frame.setAttribute("tabindex", "0");
      this.frame.setAttribute("role", "application");
      this.frame.setAttribute("aria-label", "Draw a box: arrows move it, Shift and arrows size it, Enter searches");
      this.frame.focus({ preventScroll: true });
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) this.frame.removeAttribute(name);
    }
  }

  clear() {
    this.box = null;
    this.shape.hidden = true;
  }

  show(box) {
    this.box = box;
    const [x1, y1, x2, y2] = box.map((value) => `${value * 100}%`);
    Object.assign(this.shape.style, { left: x1, top: y1, width: `calc(${x2} - ${x1})`, height: `calc(${y2} - ${y1})` });
    this.shape.hidden = false;
  }

  at(event) {
    const area = this.frame.getBoundingClientRect();
    const inside = (value) => Math.min(1, Math.max(0, value));
    return [inside((event.clientX - area.left) / area.width), inside((event.clientY - area.top) / area.height)];
  }

  press(event) {
    this.justDrew = false;
    if (!this.enabled || event.button !== 0 || (event.pointerType !== "mouse" && !this.active)) return;
    this.start = { at: this.at(event), x: event.clientX, y: event.clientY };
  }

  drag(event) {
    if (!this.start) return;
    const moved = Math.hypot(event.clientX - this.start.x, event.clientY - this.start.y);
    if (!this.justDrew && moved < STARTS_PX) return;
    if (!this.justDrew) this.frame.setPointerCapture(event.pointerId);
    this.justDrew = true;
    const [a, b] = [this.start.at, this.at(event)];
    this.show([Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])]);
  }

  release(keep = true) {
    const drew = this.start && this.justDrew;
    this.start = null;
    if (!drew) return;
    const [x1, y1, x2, y2] = this.box;
    if (!keep || x2 - x1 < SMALLEST || y2 - y1 < SMALLEST) this.clear();
    else this.finish();
    setTimeout(() => { this.justDrew = false; }); // after the click that a release brings
  }

  key(event) {
    if (!this.active || !this.enabled) return;
    const step = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (step) this.show(event.shiftKey ? sized(this.box ?? FIRST, step) : moved(this.box ?? FIRST, step));
    else if (event.key === "Enter") {
      if (!this.box) this.show(FIRST);
      this.finish();
    } else if (event.key === "Escape") {
      this.clear();
      this.setActive(false);
      this.frame.dispatchEvent(new CustomEvent("drawing-stopped", { bubbles: true }));
    } else return;
    event.preventDefault();
  }

  finish() {
    this.onBox(this.box.map((value) => Math.round(value * 10_000) / 10_000));
  }
}

function moved([x1, y1, x2, y2], [dx, dy]) {
  const x = Math.min(Math.max(dx, -x1), 1 - x2);
  const y = Math.min(Math.max(dy, -y1), 1 - y2);
  return [x1 + x, y1 + y, x2 + x, y2 + y];
}

function sized([x1, y1, x2, y2], [dx, dy]) {
  return [x1, y1, Math.min(1, Math.max(x1 + SMALLEST, x2 + dx)), Math.min(1, Math.max(y1 + SMALLEST, y2 + dy))];
}
