// The page put together: a photo or words come in, the finder asks, the panels show.

import * as api from "./api.js";
import { byId, make, notify, say } from "./dom.js";
import { Filters } from "./filters.js";
import { Finder } from "./finder.js";
import { fillAnalysis, noAnalysis } from "./analysis.js";
import { listGarments, pressGarment } from "./garments.js";
import { listenForPhotos } from "./photo.js";
import { Query } from "./query.js";
import { Stage, VIEWS } from "./stage.js";
import { Tabs } from "./tabs.js";
import { Weights } from "./weights.js";

const query = new Query();
const stage = new Stage(byId("stage"), { onGarment: chooseGarment, onBox: chooseBox });
const weights = new Weights(byId("weights"), () => finder.soon());
const filters = new Filters(byId("filters"), () => finder.soon());
const finder = new Finder(query, weights, filters, { onSubject: arrange, onForgotten: lookAgain });
let tab = "search";
let isEmpty = false;
let looking = new AbortController();

/** Show what belongs on the screen now, and nothing else. */
function arrange() {
  const { photo, subject } = query;
  const searching = tab === "search";
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
  pressGarment(byId("garments"), subject?.kind === "garment" ? subject.id : null);
  stage.select(subject?.kind === "garment" ? subject.id : subject?.kind === "box" ? "box" : null);
}

async function usePhoto(blob, name) {
  looking.abort();
  finder.stop();
  looking = new AbortController();
  notify("");
  if (query.photo) URL.revokeObjectURL(query.photo.url);
  query.forget();
  query.text = byId("text").value = "";
  query.subject = null;
  query.photo = { blob, name, url: URL.createObjectURL(blob), garments: [], answer: null };
  byId("garments").replaceChildren();
  byId("analysis").replaceChildren();
  finder.empty();
  stage.begin(query.photo.url, name);
  arrange();
  if (document.activeElement === document.body) byId("main").focus({ preventScroll: true }); // the button pressed is gone
  say("Looking for garments");
  if (await look()) chooseGarment(query.photo.garments[0]?.id);
}

/** Have the photo described; true when it was. */
async function look() {
  const { photo } = query;
  const { signal } = looking;
  try {
    const answer = await api.detect(photo.blob, photo.name, signal);
    const { photo_id, garments, image: { width, height } } = answer;
    Object.assign(photo, { answer, photo_id, garments, width, height });
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
  say(`${photo.garments.length} garments found`);
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
  stage.show(photo);
  const hover = (id) => stage.hover(id);
  listGarments(byId("garments"), photo, stage.view, { choose: chooseGarment, hover });
  fillAnalysis(byId("analysis"), photo, stage.image, stage.view, (id) => { tabs.open(byId("tab-search")); chooseGarment(id); });
  arrange();
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

async function meetCatalogue() {
  try {
    const { items } = await api.stats();
    isEmpty = items === 0;
    byId("stock").textContent = isEmpty ? "" : `${items.toLocaleString()} items`;
    if (!isEmpty) {
      const { facets } = await api.facets();
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

byId("draw").addEventListener("click", () => setDrawing(!stage.box.active));
byId("stage").addEventListener("drawing-stopped", () => { setDrawing(false); byId("draw").focus(); });
byId("words-first").addEventListener("submit", (event) => { event.preventDefault(); searchWords(byId("first-text").value); });
byId("reload").addEventListener("click", () => location.reload());
byId("to-analysis").addEventListener("click", () => { tabs.open(byId("tab-analysis")); byId("tab-analysis").focus(); });
byId("back").addEventListener("click", () => chooseGarment(finder.lastGarment ?? query.photo.garments[0].id));
byId("fold").open = matchMedia("(min-width: 48rem)").matches; // on a phone the cards come first

makeViews();
listenForPhotos(usePhoto, (text) => refuse(text));
arrange();
meetCatalogue();
