// The page put together: a photo or words come in, the finder asks, the panels show.

import * as api from "./api.js";
import { Catalogues } from "./catalogues.js";
import { byId, make, notify, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Finder } from "./finder.js";
import { fillAnalysis, noAnalysis } from "./analysis.js";
import { listGarments, pressGarment } from "./garments.js";
import { found, garmentsOf, listPeople, mainOf, pressPerson, wearersOf } from "./people.js";
import { listenForPhotos } from "./photo.js";
import { Query } from "./query.js";
import { Stage, VIEWS } from "./stage.js";
import { Tabs } from "./tabs.js";
import { Weights } from "./weights.js";

const query = new Query();
const stage = new Stage(byId("stage"), { onGarment: chooseGarment, onPerson: choosePerson, onBox: chooseBox });
const weights = new Weights(byId("weights"), () => finder.soon());
const filters = new Filters(byId("filters"), () => finder.soon());
const catalogues = new Catalogues(changeCatalogue);
const finder = new Finder(query, weights, filters, { onSubject: arrange, onForgotten: lookAgain });
let tab = "search";
let isEmpty = false;
let looking = new AbortController();

/** Show what belongs on the screen now, and nothing else. */
function arrange() {
  const { photo, subject } = query;
  const searching = tab === "search";
  turnTo(query.garment);
  byId("intake").hidden = Boolean(photo) || (searching && (Boolean(subject) || isEmpty));
  byId("words-first").hidden = !searching || isEmpty;
  byId("work").hidden = searching && !photo && !subject;
  byId("work").dataset.tab = tab;
  byId("work").classList.toggle("alone", !photo);
  byId("look").hidden = !photo;
  byId("empty").hidden = !(isEmpty && searching);
  byId("panel-search").hidden = !searching || isEmpty;
  byId("panel-analysis").hidden = searching;
  byId("back").hidden = !photo?.garments.length || subject?.kind === "garment" || subject?.kind === "box";
  byId("add-photo").hidden = Boolean(photo);
  byId("draw").disabled = !photo?.answer;
  byId("to-results").hidden = !searching || !subject || isEmpty;
  pressGarment(byId("garments"), subject?.kind === "garment" ? subject.id : null);
  stage.select(subject?.kind === "garment" ? subject.id : subject?.kind === "box" ? "box" : null);
}

async function usePhoto(blob, name) {
  looking.abort();
  finder.stop();
  looking = new AbortController();
  notify("");
  if (query.photo) URL.revokeObjectURL(query.photo.url);
  setDrawing(false);
  query.forget();
  query.text = byId("text").value = "";
  query.subject = null;
  query.photo = { blob, name, url: URL.createObjectURL(blob), garments: [], answer: null };
  byId("garments").replaceChildren();
  byId("people").hidden = true;
  byId("analysis").replaceChildren();
  finder.empty();
  stage.begin(query.photo.url, name);
  arrange();
  if (document.activeElement === document.body) byId("main").focus({ preventScroll: true }); // the button pressed is gone
  say("Looking for garments");
  if (await look()) chooseGarment(firstGarment());
}

/** Have the photo described; true when it was. */
async function look() {
  const { photo } = query;
  const { signal } = looking;
  try {
    const answer = await api.detect(photo.blob, photo.name, signal);
    const { photo_id, garments, people = [], image: { width, height } } = answer;
    Object.assign(photo, { answer, photo_id, garments, people, width, height });
    if (!wearersOf(photo).includes(photo.person)) photo.person = mainOf(photo); // after a photo was sent again, who was chosen stays
  } catch (error) {
    if (error.name === "AbortError") return false;
    stage.setWaiting(false);
    query.photo = null;
    finder.empty();
    noAnalysis(byId("analysis"));
    arrange();
    refuse(error.message, () => usePhoto(photo.blob, photo.name), error.status);
    return false;
  }
  await stage.image.decode().catch(() => {}); // cut-outs need its pixels; without them there are none
  showPhoto();
  say(found(photo));
  return true;
}

function refuse(text, again, status = 400) {
  const worthAgain = [0, 429, 500, 503].includes(status);
  notify(text, worthAgain && again ? { label: "Try again", run: again } : { label: "Choose a photo", run: () => byId("file").click() });
}

/** The server keeps a photo for minutes only; after that it is sent again, unseen. */
async function lookAgain() {
  return query.photo ? look() : false;
}

function showPhoto() {
  const { photo } = query;
  listPeople(byId("people"), photo, choosePerson);
  showGarments();
  fillAnalysis(byId("analysis"), photo, stage.image, stage.view, (id) => { tabs.open(byId("tab-search")); chooseGarment(id); });
  arrange();
}

/** Draw and list the garments of the person who is chosen. */
function showGarments() {
  const { photo } = query;
  stage.show(photo);
  listGarments(byId("garments"), garmentsOf(photo, photo.person), stage.view, { choose: chooseGarment, hover: (id) => stage.hover(id) });
  pressPerson(byId("people"), photo.person);
}

/** Show another person's garments, when one of them is what is searched for. */
function turnTo(garment) {
  const { photo } = query;
  if (!garment || !wearersOf(photo).length || garment.person === photo.person) return;
  photo.person = garment.person;
  showGarments();
}

const firstGarment = () => garmentsOf(query.photo, query.photo.person)[0]?.id;

function choosePerson(person) {
  chooseGarment(garmentsOf(query.photo, person)[0]?.id);
}

function chooseGarment(id) {
  if (id === undefined) return;
  if (tab === "analysis") byId("analysis").querySelector(`article[data-id="${id}"]`)?.scrollIntoView({ block: "nearest" });
  finder.about({ kind: "garment", id });
}

function chooseBox(box) {
  if (tab === "analysis") tabs.open(byId("tab-search"));
  finder.about({ kind: "box", box });
}

function setDrawing(on) {
  byId("draw").setAttribute("aria-pressed", String(on));
  byId("box-help").hidden = !on;
  stage.box.setActive(on);
}

function makeViews() {
  const radios = Object.entries(VIEWS).map(([view, words]) => {
    const radio = make("input", { type: "radio", name: "view", value: view, on: { change: () => {
      stage.setView(view);
      if (query.photo?.answer) showPhoto();
    } } });
    radio.checked = view === stage.view;
    return make("label", {}, radio, make("span", {}, words));
  });
  byId("views").replaceChildren(...radios);
}

function searchWords(text) {
  if (text.trim()) finder.about({ kind: "text", text: text.trim() });
}

function makeStarters(facets) {
  const top = (field) => facets.find((facet) => facet.field === field)?.values?.slice(0, 4) ?? [];
  const colours = top("colour");
  const texts = top("category").map(({ value }, at) => [colours[at]?.value, value].filter(Boolean).join(" "));
  byId("starters").replaceChildren(...texts.map((text) => make("button", { type: "button", class: "chip", on: { click: () => searchWords(text) } }, text)));
}

/** Find out which catalogues there are, and meet the one that is wanted. */
async function meetCatalogues() {
  try {
    const missing = catalogues.offer(await api.catalogues());
    if (missing) notify(`This server has no catalogue “${missing}”; “${catalogues.chosen}” is shown.`);
    api.useCatalogue(catalogues.chosen);
    await meetCatalogue();
  } catch (error) {
    notify(error.message, { label: "Try again", run: meetCatalogues });
    arrange();
  }
}

/** Go on in another catalogue. What was found, liked or filtered was the other's; the photo was not. */
async function changeCatalogue(name) {
  const { subject, photo } = query;
  finder.stop();
  finder.empty();
  query.forget();
  filters.forget();
  if (subject?.kind === "item") query.subject = null;
  api.useCatalogue(name);
  await meetCatalogue();
  say(isEmpty ? `Catalogue ${name} is empty` : `Catalogue ${name}, ${byId("stock").textContent}`);
  if (isEmpty || name !== catalogues.chosen) return;
  if (subject && subject.kind !== "item") finder.about(subject, { goes: false });
  else if (photo) chooseGarment(finder.lastGarment ?? firstGarment());
}

async function meetCatalogue() {
  const name = catalogues.chosen;
  try {
    const { items, weights: defaults } = await api.stats();
    if (name !== catalogues.chosen) return; // another was chosen while this one answered
    weights.setDefaults(defaults);
    isEmpty = items === 0;
    byId("stock").textContent = isEmpty ? "" : `${items.toLocaleString()} items`;
    if (!isEmpty) {
      const { facets } = await api.facets();
      if (name !== catalogues.chosen) return;
      filters.setFacets(facets);
      makeStarters(facets);
    }
  } catch (error) {
    isEmpty = ["catalogue_empty", "catalogue_unknown"].includes(error.kind);
    if (!isEmpty) notify(error.message, { label: "Try again", run: meetCatalogue });
  }
  arrange();
}

const tabs = new Tabs([byId("tab-search"), byId("tab-analysis")], (name) => {
  tab = name;
  if (!query.photo) noAnalysis(byId("analysis"));
  arrange();
});

// Not by the address: a change of it would be a place in the history, and Back leads through those.
for (const link of document.querySelectorAll(".skip")) {
  link.addEventListener("click", (event) => { event.preventDefault(); byId(link.hash.slice(1)).focus(); });
}
byId("draw").addEventListener("click", () => setDrawing(!stage.box.active));
byId("stage").addEventListener("drawing-stopped", () => { setDrawing(false); byId("draw").focus(); });
byId("words-first").addEventListener("submit", (event) => { event.preventDefault(); searchWords(byId("first-text").value); });
byId("reload").addEventListener("click", () => location.reload());
byId("to-analysis").addEventListener("click", () => { tabs.open(byId("tab-analysis")); byId("tab-analysis").focus(); });
byId("back").addEventListener("click", () => chooseGarment(finder.lastGarment ?? firstGarment()));
byId("fold").open = matchMedia("(min-width: 48rem)").matches; // on a phone the cards come first

makeViews();
listenForPhotos(usePhoto, (text) => refuse(text));
arrange();
meetCatalogues();
