// Hits in, cards out: picture, title, price, the score and its parts, and what to do next.

import { make } from "./dom.js";
import { PARTS, priceOf, readable, safeLink, titleOf } from "./words.js";

/** One hit as a card; `act` has like, dislike, similar (each takes the hit); `query` says what is liked. */
export function card(hit, query, act) {
  const title = titleOf(hit);
  const link = hit.link && safeLink(hit.link);
  const stock = hit.availability && hit.availability !== "in_stock" ? make("span", { class: "stock-state" }, readable(hit.availability)) : null;
  return make("li", { class: "card", "data-item": hit.item_id },
    make("div", { class: "shown" }, picture(hit, title, act),
      make("div", { class: "tastes" },
        toggle("Like", "♥", query.liked.has(hit.item_id), title, () => act.like(hit)),
        toggle("Dislike", "✕", query.disliked.has(hit.item_id), title, () => act.dislike(hit)))),
    make("div", { class: "facts" },
      make("h3", {}, link ? make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, title) : title),
      make("p", { class: "price" }, make("b", {}, priceOf(hit)), stock, hit.brand ? make("span", { class: "soft" }, hit.brand) : null),
      scoreBar(hit)),
    make("button", { type: "button", class: "similar", on: { click: () => act.similar(hit) } }, "More like this", make("span", { class: "sr" }, `: ${title}`)));
}

function picture(hit, title, act) {
  const place = make("button", { type: "button", class: "picture", tabindex: "-1", "aria-hidden": "true", title: `More like ${title}`, on: { click: () => act.similar(hit) } });
  const none = () => place.replaceChildren(make("span", { class: "none" }, "No picture"));
  if (hit.picture) place.append(make("img", { src: hit.picture, alt: "", loading: "lazy", decoding: "async", on: { error: none } }));
  else none();
  return place;
}

function toggle(name, sign, pressed, title, click) {
  return make("button", { type: "button", class: `toggle ${name.toLowerCase()}`, "aria-pressed": String(pressed), "aria-label": `${name} ${title}`, title: name, on: { click } }, sign);
}

/** The score as one bar: each part's length is what it adds. */
function scoreBar(hit) {
  const parts = Object.keys(PARTS).filter((part) => hit.parts?.[part] !== undefined);
  const adds = hit.contributions ?? {};
  const segments = parts.filter((part) => adds[part] > 0).map((part) => make("i", { class: `part-${part}`, vars: { "--w": `${adds[part] * 100}%` } }));
  const whole = segments.length ? segments : [make("i", { class: "part-visual", vars: { "--w": `${hit.score * 100}%` } })];
  const words = parts.map((part) => `${PARTS[part].toLowerCase()} ${hundred(hit.parts[part])}`).join(", ");
  return make("div", { class: "score" },
    make("span", { class: "sr" }, `Match ${hundred(hit.score)} of 100: ${words}`),
    make("span", { class: "total", "aria-hidden": "true" }, String(hundred(hit.score))),
    make("span", { class: "bar-parts", "aria-hidden": "true" }, ...whole),
    make("span", { class: "parts", "aria-hidden": "true" }, ...parts.map((part) => make("span", { class: `part-${part}`, title: PARTS[part] }, `${PARTS[part]} ${hundred(hit.parts[part])}`))));
}

const hundred = (score) => Math.round(score * 100);

/** Cards that say "coming", as many as fit a screen. */
export function skeletons() {
  return Array.from({ length: 8 }, () => make("li", { class: "card ghost", "aria-hidden": "true" }, make("div", { class: "picture" }), make("div", { class: "line" }), make("div", { class: "line short" })));
}

/** What is shown when nothing came back, with a way out. */
export function nothing(filters, words) {
  const filtered = filters.filter() || filters.inStock;
  const text = filtered
    ? "Nothing in the catalogue passes these filters."
    : `The catalogue has nothing of this kind${words}.`;
  const clear = make("button", { type: "button", on: { click: () => filters.clear() } }, "Clear the filters");
  return make("li", { class: "nothing" }, make("p", {}, text), filtered ? clear : null);
}

/** The tray of likes and dislikes, each with a way to take it back. */
export function fillSteering(place, query, { like, dislike, forget }) {
  const chip = (hit, sign, words, undo) => make("button", { type: "button", class: "chip", "aria-label": `Take back: ${words} ${titleOf(hit)}`, on: { click: () => undo(hit) } },
    make("span", { class: words, "aria-hidden": "true" }, sign), ` ${titleOf(hit)} ×`);
  const chips = [
    ...[...query.liked.values()].map((hit) => chip(hit, "♥", "like", like)),
    ...[...query.disliked.values()].map((hit) => chip(hit, "✕", "dislike", dislike)),
  ];
  place.hidden = chips.length === 0;
  place.replaceChildren(make("span", { class: "soft" }, "Your taste"), ...chips,
    make("button", { type: "button", class: "quiet", on: { click: forget } }, "Forget"));
}

/** What the results are like: a garment, a box, an item, words. */
export function fillSubject(place, { lead, words, picture: address, colours = [] }) {
  const dots = colours.filter((each) => each.hex).slice(0, 4).map((each) => make("i", { vars: { "--c": each.hex }, title: each.name }));
  const held = place.contains(document.activeElement);
  place.replaceChildren(
    ...(address ? [make("img", { src: address, alt: "" })] : []),
    make("div", {}, make("h2", { tabindex: "-1" }, make("span", { class: "soft" }, `${lead} `), words)),
    make("span", { class: "dots", "aria-hidden": "true" }, ...dots));
  if (held) place.querySelector("h2").focus({ preventScroll: true });
}
