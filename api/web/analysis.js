// The second tab: everything that was read from one photo, a section for each garment.

import { make } from "./dom.js";
import { NOBODY, nameOfPerson, wearersOf } from "./people.js";
import { colourOf, nameOf, percent, readable, sentence, slotName } from "./words.js";
import { pathOf } from "./stage.js";

const LOOKS_LIKE = "looks like"; // a category of another slot than the detector's, for the audit of a feed
const SHOWN_LABELS = 5; // of a head; what is below the fifth is noise
const FAINTEST = 0.005; // less is shown as 0%
const CUT_PX = 640; // twice what the page shows, for fine screens

/** Fill the tab for a photo; `search(id)` goes to the results of one garment. */
export function fillAnalysis(place, photo, image, view, search) {
  const { answer, garments } = photo;
  const count = garments.length === 1 ? "1 garment" : `${garments.length} garments`;
  place.replaceChildren(
    make("header", { class: "analysis-head" }, make("h2", {}, `What Lapel sees: ${count}`),
      make("button", { type: "button", on: { click: () => save(jsonOf(answer), "analysis.json") } }, "Save as JSON")),
    ...answer.warnings.map((text) => make("p", { class: "remark" }, sentence(text))),
    ...garments.map((garment) => section(garment, photo, image, view, search)),
    timings(answer));
}

export function noAnalysis(place) {
  place.replaceChildren(make("div", { class: "nothing" }, make("h2", {}, "No photo yet"),
    make("p", {}, "Choose a photo, and every garment in it is cut out here, with its colours and attributes.")));
}

function section(garment, photo, image, view, search) {
  const colour = colourOf(garment, view);
  const canvas = cutOut(garment, photo, image, CUT_PX);
  const saveCut = () => cutOut(garment, photo, image, Infinity)?.toBlob((blob) => save(blob, `${nameOf(garment).toLowerCase()}.png`));
  return make("article", { class: "anatomy", "data-id": garment.id, vars: { "--c": colour } },
    make("div", { class: "cut" }, canvas ?? make("p", { class: "soft" }, garment.is_fallback ? "No outline was found." : "The photo cannot be shown here.")),
    make("div", { class: "readings" },
      make("h3", {}, make("span", { class: "key", "aria-hidden": "true" }), nameOf(garment)),
      facts(garment, photo),
      palette(garment.colours ?? []),
      make("div", { class: "attributes" }, ...Object.entries(garment.attributes ?? {}).filter(([head]) => head !== LOOKS_LIKE).map(([head, labels]) => bars(head, labels))),
      make("p", { class: "row" },
        make("button", { type: "button", class: "primary", on: { click: () => search(garment.id) } }, "Search for this"),
        canvas ? make("button", { type: "button", on: { click: saveCut } }, "Save the cut-out") : null)));
}

function facts(garment, photo) {
  const [x1, y1, x2, y2] = garment.box;
  const size = `${Math.round((x2 - x1) * photo.width)} × ${Math.round((y2 - y1) * photo.height)} px`;
  const rows = [["Type", slotName(garment.slot)], ["Detection", garment.is_fallback ? "None" : percent(garment.confidence)], ["Box", size], ["Of the photo", percent(area(garment))]];
  if (wearersOf(photo).length) rows.push(["Worn by", garment.person === NOBODY ? "Nobody" : nameOfPerson(photo, garment.person)]);
  return make("dl", { class: "facts-list" }, ...rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

/** The share of the photo inside the outlines (the shoelace formula). */
function area({ outlines, box: [x1, y1, x2, y2] }) {
  if (!outlines?.length) return (x2 - x1) * (y2 - y1);
  const twice = (line) => Math.abs(line.reduce((sum, [x, y], i) => {
    const [nx, ny] = line[(i + 1) % line.length];
    return sum + x * ny - nx * y;
  }, 0));
  return outlines.reduce((sum, line) => sum + twice(line) / 2, 0);
}

function palette(colours) {
  if (!colours.length) return null;
  const list = colours.map(({ hex, name, share }) => make("li", { vars: { "--c": hex, "--w": share * 100 } },
    make("span", { class: "swatch" }), make("b", {}, readable(name)), make("span", {}, percent(share)), make("code", { class: "soft" }, hex)));
  return make("section", {}, make("h4", {}, "Colours"), make("ul", { class: "palette" }, ...list));
}

function bars(head, labels) {
  const sorted = Object.entries(labels).sort((a, b) => b[1] - a[1]).filter(([, score], at) => at === 0 || score >= FAINTEST).slice(0, SHOWN_LABELS);
  const rows = sorted.map(([label, score]) => make("li", {},
    make("span", {}, readable(label)), make("span", { class: "meter", "aria-hidden": "true" }, make("i", { vars: { "--w": percent(score) } })), make("span", { class: "number" }, percent(score))));
  return make("section", {}, make("h4", {}, readable(head)), make("ul", { class: "heads" }, ...rows));
}

/** The garment alone on nothing, as a canvas no side longer than `longest_px`; null without a picture. */
function cutOut(garment, photo, image, longest_px) {
  if (!image.naturalWidth || !garment.outlines?.length) return null;
  const [x1, y1, x2, y2] = garment.box;
  const [wide, high] = [(x2 - x1) * image.naturalWidth, (y2 - y1) * image.naturalHeight];
  const scale = Math.min(1, longest_px / Math.max(wide, high));
  const canvas = make("canvas", { role: "img", "aria-label": `${nameOf(garment)}, cut out`, width: Math.max(1, Math.round(wide * scale)), height: Math.max(1, Math.round(high * scale)) });
  const whole = { width: image.naturalWidth * scale, height: image.naturalHeight * scale };
  const context = canvas.getContext("2d");
  context.translate(-x1 * whole.width, -y1 * whole.height);
  context.clip(new Path2D(pathOf(garment, whole)));
  context.drawImage(image, 0, 0, whole.width, whole.height);
  return canvas;
}

function timings({ took_ms, model, photo_id }) {
  const stages = Object.entries(took_ms).map(([name, value]) => make("div", {}, make("dt", {}, readable(name)), make("dd", {}, `${Math.round(value)} ms`)));
  return make("footer", { class: "timings" }, make("h3", {}, "How long it took"), make("dl", { class: "facts-list" }, ...stages),
    make("p", { class: "soft" }, "Models ", make("code", {}, model.fingerprint), photo_id ? ", photo " : "", photo_id ? make("code", {}, photo_id) : ""));
}

const jsonOf = (answer) => new Blob([JSON.stringify(answer, null, 2)], { type: "application/json" });

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the download has begun by then
}
