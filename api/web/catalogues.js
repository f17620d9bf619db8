// Which of the server's catalogues is searched: a choice where there are several, also by the address.

import { byId, make } from "./dom.js";

const IN_ADDRESS = "catalogue"; // of the page: /?catalogue=winter can be kept and handed on

export class Catalogues {
  constructor(onChoice) {
    this.row = byId("catalogue-row");
    this.select = byId("catalogue");
    this.usual = "";
    this.select.addEventListener("change", () => {
      this.tellAddress();
      onChoice(this.chosen);
    });
    addEventListener("popstate", () => this.tellAddress()); // Back leads to a subject, not a catalogue
  }

  get chosen() {
    return this.select.value;
  }

  /** Offer these; returns the name of one that the address asks for and that is not there. */
  offer({ default: usual, catalogues }) {
    const asked = this.select.value || new URL(location.href).searchParams.get(IN_ADDRESS);
    this.usual = usual;
    this.select.replaceChildren(...catalogues.map(({ name, items }) => make("option", { value: name }, `${name} (${items.toLocaleString()})`)));
    const isThere = catalogues.some(({ name }) => name === asked);
    this.select.value = isThere ? asked : usual;
    this.row.hidden = catalogues.length < 2;
    this.tellAddress();
    return isThere ? null : asked;
  }

  tellAddress() {
    const address = new URL(location.href);
    if (this.chosen === this.usual) address.searchParams.delete(IN_ADDRESS);
    else address.searchParams.set(IN_ADDRESS, this.chosen);
    history.replaceState(history.state, "", address);
  }
}
