// The list of garments below the photo: what the masks are to a mouse, this is to everyone.

import { make } from "./dom.js";
import { colourOf, nameOf, percent, surenessOf } from "./words.js";

/** Fill the list; `choose(id)` on a click, `hover(id | null)` while pointed at. */
export function listGarments(place, garments, view, { choose, hover }) {
  const focused = place.querySelector(":focus")?.dataset.id;
  place.replaceChildren(...garments.map((garment) => make("li", {}, garmentButton(garment, view, choose, hover))));
  if (focused !== undefined) place.querySelector(`[data-id="${focused}"]`)?.focus();
}

function garmentButton(garment, view, choose, hover) {
  const colours = (garment.colours ?? []).slice(0, 4);
  const words = colours.map((each) => `${each.name} ${percent(each.share)}`).join(", ");
  const dots = colours.filter((each) => each.hex).map((each) => make("i", { vars: { "--c": each.hex } }));
  const sure = surenessOf(garment);
  const how = garment.is_fallback ? "nothing was outlined" : sure && `${sure} sure`;
  return make("button", {
    type: "button", class: "garment", "data-id": garment.id, "aria-pressed": "false",
    vars: { "--c": colourOf(garment, view) },
    on: {
      click: () => choose(garment.id),
      pointerenter: () => hover(garment.id), pointerleave: () => hover(null),
      focus: () => hover(garment.id), blur: () => hover(null),
    },
  },
    make("span", { class: "key", "aria-hidden": "true" }),
    make("span", { class: "name" }, nameOf(garment)),
    make("span", { class: "sure soft" }, how),
    make("span", { class: "dots", title: words }, make("span", { class: "sr" }, words && `, colours: ${words}`), ...dots));
}

export function pressGarment(place, id) {
  for (const button of place.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.id === String(id)));
  }
}
