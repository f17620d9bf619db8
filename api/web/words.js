// How things are worded and coloured on the page.

// Okabe and Ito's colours, told apart by colour-blind people too; the command line draws with them.
const INSTANCE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const SLOT = {
  top: "#56b4e9", bottom: "#e69f00", dress: "#cc79a7", outer: "#009e73",
  shoes: "#d55e00", bag: "#0072b2", headwear: "#f0e442", unknown: "#999999",
};

const SLOT_WORDS = {
  top: "Top", bottom: "Bottom", dress: "Dress", outer: "Outerwear",
  shoes: "Shoes", bag: "Bag", headwear: "Headwear", unknown: "Garment",
};
const FIELD_WORDS = { slot: "Type", in_stock: "In stock", out_of_stock: "Out of stock", preorder: "Preorder", backorder: "Backorder" };

// What shops call colours and CSS does not know; the middle of what is sold under the name.
const SHADES = {
  burgundy: "#800020", camel: "#c19a6b", charcoal: "#36454f", cream: "#fff6d5", "dark brown": "#4a2f1d", "denim blue": "#4a6a8f",
  lilac: "#c8a2c8", mauve: "#b784a7", mint: "#a3e4c9", mustard: "#d2a41c", peach: "#ffcba4", rust: "#b7410e", sage: "#9caf88", taupe: "#8b7d6b",
};

/** A colour's name as CSS writes it, light blue as lightblue; null for a word that is none. */
export function cssColour(name) {
  const word = String(name).trim().toLowerCase();
  const css = SHADES[word] ?? word.replaceAll(" ", "");
  return CSS.supports("color", css) ? css : null;
}

export const PARTS = { visual: "Shape", colour: "Colour", attributes: "Attributes" };

export const colourOf = (garment, view) =>
  view === "semantic" ? SLOT[garment.slot] ?? SLOT.unknown : INSTANCE[garment.id % INSTANCE.length];

export const percent = (share) => `${Math.round(share * 100)}%`;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A value of the feed as people write it: `in_stock` -> In stock. */
export const readable = (value) => FIELD_WORDS[value] ?? capital(String(value).replaceAll("_", " "));

export function nameOf(garment) {
  if (garment.is_fallback) return "Whole photo";
  const slot = SLOT_WORDS[garment.slot] ?? "Garment";
  return garment.category && garment.category !== garment.slot ? capital(garment.category) : slot;
}

/** How surely a garment is what `nameOf` calls it: of a category its own probability. */
export function surenessOf(garment) {
  if (garment.is_fallback) return "";
  const named = garment.category && garment.category !== garment.slot;
  const sure = named ? garment.category_confidence : garment.confidence;
  return sure === null || sure === undefined ? "" : percent(sure);
}

export const slotName = (slot) => SLOT_WORDS[slot] ?? capital(String(slot));

/** Dark or light ink, whichever reads better on a `#rrggbb`. */
export function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 125 ? "#111" : "#fff";
}

export function priceOf(hit) {
  if (hit.price === null || hit.price === undefined) return "";
  const currency = /^[A-Z]{3}$/.test(hit.currency ?? "") ? hit.currency : null;
  const style = currency ? { style: "currency", currency } : { minimumFractionDigits: 2 };
  return new Intl.NumberFormat(undefined, style).format(hit.price);
}

/** A feed's link, only when it is one a browser may follow: feeds are not written by us. */
export function safeLink(address) {
  try {
    const url = new URL(address);
    return ["https:", "http:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** With a capital, unless it begins with a name such as photo.jpg. */
export const sentence = (text) => (/^[a-z]+[ ',]/.test(text) ? text[0].toUpperCase() + text.slice(1) : text);

export const titleOf = (hit) => hit.title || hit.item_id;
