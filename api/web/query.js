// What is searched for, and the request that says so. The one place that holds the page's state.

export const PAGE = 12; // cards a request: three rows on a desk, six on a phone

export class Query {
  constructor() {
    this.photo = null; // { blob, name, url, photo_id, width, height, garments, answer }
    this.subject = null; // { kind: "garment", id } | { kind: "box", box } | { kind: "item", item } | { kind: "text", text }
    this.text = "";
    this.liked = new Map(); // item_id -> hit
    this.disliked = new Map();
  }

  get garment() {
    return this.subject?.kind === "garment" ? this.photo?.garments.find((each) => each.id === this.subject.id) : undefined;
  }

  get needsPhoto() {
    return this.subject?.kind === "garment" || this.subject?.kind === "box";
  }

  /** Whether there is anything to search for. */
  get isAsking() {
    return this.subject !== null && (this.subject.kind !== "text" || this.text !== "" || this.liked.size > 0);
  }

  like(hit) {
    flip(this.liked, this.disliked, hit);
  }

  dislike(hit) {
    flip(this.disliked, this.liked, hit);
  }

  forget() {
    this.liked.clear();
    this.disliked.clear();
  }

  body({ weights, filter, inStock, offset }) {
    return {
      ...this.source(),
      ...(this.text ? { text: this.text } : {}),
      ...(this.liked.size ? { like: [...this.liked.keys()] } : {}),
      ...(this.disliked.size ? { dislike: [...this.disliked.keys()] } : {}),
      ...(weights ? { weights } : {}),
      ...(filter ? { filter } : {}),
      ...(inStock ? { in_stock_only: true } : {}),
      k: PAGE, offset, explain: true,
    };
  }

  source() {
    const { kind, id, box, item } = this.subject;
    if (kind === "garment") return { photo_id: this.photo.photo_id, garment: id };
    if (kind === "box") return { photo_id: this.photo.photo_id, box };
    if (kind === "item") return { item_id: item.item_id };
    return {};
  }
}

/** Put a hit into one set and out of the other; a second time takes it back. */
function flip(into, outOf, hit) {
  outOf.delete(hit.item_id);
  if (!into.delete(hit.item_id)) into.set(hit.item_id, hit);
}
