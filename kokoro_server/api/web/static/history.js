// What was spoken earlier: to hear again without the server, or to change and speak anew.

import { add, all, clear, remove } from "./archive.js";
import { by, clock, say } from "./dom.js";
import { nameOf, restore } from "./settings.js";
import { Sound } from "./sound.js";

const SHOWN = 140; // characters of a text
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Show what is kept; `play` is given a sound that somebody wants to hear. */
export async function startHistory(play) {
  by("forget").addEventListener("click", async () => {
    await clear();
    await show(play);
    say("History cleared");
  });
  await show(play);
}

export async function remember(sound, play) {
  await kept(() => add(sound));
  await show(play);
}

async function show(play) {
  const entries = (await kept(all)) ?? [];
  by("history").hidden = !entries.length;
  by("spoken").replaceChildren(...entries.map((entry) => row(entry, play)));
}

function row(entry, play) {
  const made = by("spoken-row").content.cloneNode(true).firstElementChild;
  const text = entry.order.text.trim();
  const title = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  const [name, about] = made.querySelectorAll("p");
  name.textContent = title;
  about.textContent = [nameOf(entry.order.voice), clock(entry.seconds), when.format(entry.at)].join(" · ");
  const label = (part, verb) => {
    const button = made.querySelector(part);
    button.setAttribute("aria-label", `${verb}: ${text.slice(0, 40)}`);
    return button;
  };
  label(".play", "Play").addEventListener("click", async () => play(await revived(entry)));
  label(".edit", "Edit").addEventListener("click", () => {
    restore(entry.order);
    by("text").focus();
    by("order").scrollIntoView();
  });
  label(".remove", "Delete").addEventListener("click", async () => {
    await remove(entry.id);
    await show(play);
    (document.querySelector("#spoken .remove") ?? by("text")).focus();
    say("Deleted");
  });
  return made;
}

/** What the archive answers; nothing where the browser keeps none, as in some private windows, or has no room. */
async function kept(use) {
  try {
    return await use();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    console.info(`No history: ${error.message}`);
    return null;
  }
}

async function revived({ order, rate, words, pcm }) {
  const sound = new Sound(order, rate);
  sound.add({ samples: new Int16Array(await pcm.arrayBuffer()), words });
  sound.finish();
  return sound;
}
