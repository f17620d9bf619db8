// Ways a photo comes in: chosen, dropped, pasted, taken.

import { byId } from "./dom.js";
import { openCamera } from "./camera.js";

// More pixels than these are of no use to the models, and slow to send from a phone.
const LONGEST_PX = 2048;
const SMALL_BYTES = 1_500_000;

/** Call `use(blob, name)` for every photo that comes in, `refuse(text)` for what is none. */
export function listenForPhotos(use, refuse) {
  const take = async (file) => {
    if (!file) return;
    if (file.type && !file.type.startsWith("image/")) {
      refuse(`${file.name || "That"} is not a picture; a photo is needed: JPEG, PNG, WebP or HEIC.`);
      return;
    }
    use(await lighten(file), file.name || "photo.jpg");
  };
  for (const id of ["file", "capture"]) {
    byId(id).addEventListener("change", (event) => {
      take(event.target.files[0]);
      event.target.value = ""; // the same file may be chosen again
    });
  }
  for (const button of document.querySelectorAll("[data-choose]")) {
    button.addEventListener("click", () => byId("file").click());
  }
  for (const button of document.querySelectorAll("[data-camera]")) {
    button.addEventListener("click", () => openCamera(take));
  }
  listenForDrops(take, refuse);
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file) {
      event.preventDefault();
      take(file);
    }
  });
}

function listenForDrops(take, refuse) {
  const veil = byId("veil");
  let depth = 0; // enter and leave come for every child crossed
  const show = (change) => {
    depth = Math.max(0, change);
    veil.hidden = depth === 0;
  };
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => carriesFiles(event) && show(depth + 1));
  addEventListener("dragleave", (event) => carriesFiles(event) && show(depth - 1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    show(0);
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
    else refuse("That was no file. Save the picture first, then drop it here.");
  });
}

/** Return a large photo smaller, upright and without its metadata; any other as it is. */
async function lighten(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // HEIC, or damaged: the server knows better
  }
  const scale = Math.min(1, LONGEST_PX / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && file.size <= SMALL_BYTES) return file;
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff"; // JPEG has no transparency
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
