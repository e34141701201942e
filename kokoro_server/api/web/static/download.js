// Saves a sound as a file: what was heard as WAV or raw samples, other formats made by the server.

import { postJson } from "./api.js";
import { by, say } from "./dom.js";
import { report } from "./notice.js";

const button = by("download");
let making = null;

/** Save `sound` in the chosen format; called again while that is made, give it up. */
export async function save(sound) {
  if (making) return making.abort();
  const format = by("format").value;
  try {
    keep(await fileOf(sound, format), `${nameFor(sound.order.text)}.${format}`);
    say(`Saved as ${format}`);
  } catch (error) {
    if (error.name !== "AbortError") report(error, () => save(sound));
  }
}

async function fileOf(sound, format) {
  if (format === "pcm") return new Blob(sound.pcm, { type: "audio/pcm" });
  if (format === "wav") return new Blob([wavHeader(sound), ...sound.pcm], { type: "audio/wav" });
  making = new AbortController();
  show(`Cancel ${format}`);
  say(`Creating the ${format} file`);
  try {
    return await (await postJson("synthesize", { ...sound.order, format }, { signal: making.signal })).blob();
  } finally {
    making = null;
    show("Download");
  }
}

function show(text) {
  button.lastElementChild.textContent = text;
  button.toggleAttribute("aria-busy", Boolean(making));
  if (making) button.setAttribute("aria-busy", "true");
}

/** Hand a file to the browser, which asks or saves as it is set to. */
export function keep(blob, name) {
  const address = URL.createObjectURL(blob);
  follow(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000); // Safari reads it only after this task
}

/** Have the browser save what is at an address. */
export function follow(address, name) {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

/** A file's name out of a text's first words. */
function nameFor(text) {
  const words = text.match(/[\p{L}\p{N}]+/gu)?.slice(0, 6).join("-").slice(0, 60);
  return words?.toLowerCase() || "speech";
}

/** The 44 bytes before mono samples of 16 bits. */
function wavHeader(sound) {
  const bytes = sound.length * 2;
  const view = new DataView(new ArrayBuffer(44));
  const write = (at, letters) => [...letters].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, sound.rate, true);
  view.setUint32(28, sound.rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, bytes, true);
  return view;
}
