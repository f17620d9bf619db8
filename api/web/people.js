// Whose garments are shown: the main person's at first, everybody else's one tap away.

import { make } from "./dom.js";

export const NOBODY = null;

/** Those who wear something that was found, the main one first; NOBODY for what no one wears. Empty unless there is a choice. */
export function wearersOf({ garments }) {
  const worn = [...new Set(garments.map((each) => each.person ?? NOBODY))];
  const people = worn.filter((each) => each !== NOBODY).sort((a, b) => a - b);
  const wearers = people.length < worn.length ? [...people, NOBODY] : people;
  return wearers.length > 1 ? wearers : [];
}

/** Whose garments come first: as the server says for `main` (search/query/people.py). */
export function mainOf(photo) {
  const [main = NOBODY] = wearersOf(photo);
  const standsOut = (person) => Math.max(0, ...garmentsOf(photo, person).map(prominence));
  return standsOut(NOBODY) > standsOut(main) ? NOBODY : main;
}

function prominence({ confidence, box: [x1, y1, x2, y2] }) {
  return confidence * Math.sqrt((x2 - x1) * (y2 - y1));
}

/** One person's garments; all of them where there is no choice. */
export function garmentsOf(photo, person) {
  return wearersOf(photo).length ? photo.garments.filter((each) => (each.person ?? NOBODY) === person) : photo.garments;
}

/** Counted from 1 among those who wear something: people with nothing to search for have no place here. */
export const nameOfPerson = (photo, person) => (person === NOBODY ? "Worn by nobody" : `Person ${wearersOf(photo).indexOf(person) + 1}`);

/** Fill the choice; `choose(person)` when another is chosen. */
export function listPeople(place, photo, choose) {
  const wearers = wearersOf(photo);
  place.hidden = !wearers.length;
  place.replaceChildren(...wearers.map((person) => {
    const radio = make("input", { type: "radio", name: "person", value: String(person), on: { change: () => choose(person) } });
    const count = garmentsOf(photo, person).length;
    return make("label", {}, radio, make("span", {}, nameOfPerson(photo, person), make("span", { class: "sr" }, count === 1 ? ", 1 garment" : `, ${count} garments`)));
  }));
}

export function pressPerson(place, person) {
  for (const radio of place.querySelectorAll("input")) radio.checked = radio.value === String(person);
}

/** What was found, in words for a screen reader. */
export function found(photo) {
  const count = `${photo.garments.length} garments found`;
  const wearers = wearersOf(photo);
  return wearers.length ? `${count}; shown: ${nameOfPerson(photo, photo.person).toLowerCase()}, one of ${wearers.length}` : count;
}
