// The camera dialog: a live picture in, one photo out.

import { byId } from "./dom.js";

let stream = null;

/** Open the camera; where the browser gives none, the phone's own camera app. */
export async function openCamera(take) {
  if (!navigator.mediaDevices?.getUserMedia) {
    byId("capture").click();
    return;
  }
  const dialog = byId("camera");
  byId("camera-error").textContent = "";
  byId("shoot").disabled = true;
  byId("shoot").onclick = () => shoot(take);
  byId("camera-close").onclick = () => dialog.close();
  dialog.onclose = stop;
  dialog.showModal();
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 } }, audio: false,
    });
    if (!dialog.open) return stop(); // closed while the question was still open
    byId("video").srcObject = stream;
    await byId("video").play();
    byId("shoot").disabled = false;
  } catch (error) {
    byId("camera-error").textContent = reason(error);
  }
}

function reason(error) {
  if (error.name === "NotAllowedError") return "The browser was not allowed to use the camera. Allow it in the address bar, or choose a photo.";
  if (error.name === "NotFoundError") return "No camera was found. Choose a photo instead.";
  return `The camera could not be opened (${error.message}). Choose a photo instead.`;
}

function shoot(take) {
  const video = byId("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => {
    byId("camera").close();
    take(new File([blob], "camera.jpg", { type: "image/jpeg" }));
  }, "image/jpeg", 0.92);
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  byId("video").srcObject = null;
}
