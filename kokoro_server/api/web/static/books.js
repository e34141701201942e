// Books: handed in as files, spoken in the background, shown with how far they are.

import { Refused, request } from "./api.js";
import { by, clock, say } from "./dom.js";
import { follow, keep } from "./download.js";
import { keptKey } from "./key.js";
import { report } from "./notice.js";
import { nameOf } from "./settings.js";

const SOON = 2000; // milliseconds between looks while a book is being spoken
const LATER = 15_000;
const rows = new Map();
let timer = null;
let order = null;

export function startBooks(currentOrder) {
  if (!by("books")) return;
  order = currentOrder;
  by("book").addEventListener("submit", submit);
  document.addEventListener("key", () => look());
  document.addEventListener("visibilitychange", () => look());
  look();
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  let wait = LATER;
  try {
    const { jobs } = await (await request("jobs", { ask: false })).json();
    by("books").hidden = false;
    show(jobs);
    if (jobs.some((job) => isUnderWay(job))) wait = SOON;
  } catch (error) {
    if (error instanceof Refused) by("books").hidden = true; // until a key has been given
  }
  timer = setTimeout(look, wait);
}

async function submit(event) {
  event.preventDefault();
  const button = event.submitter;
  const { voice, speed } = order();
  const body = new FormData(event.target);
  body.set("voice", voice);
  body.set("speed", speed);
  button.disabled = true;
  say("Uploading the book");
  try {
    await request("jobs", { method: "POST", body });
    event.target.reset();
    say("The book is in the queue");
  } catch (error) {
    report(error, () => event.target.requestSubmit(button));
  } finally {
    button.disabled = false;
  }
  await look();
}

function show(jobs) {
  const known = new Set(jobs.map((job) => job.id));
  for (const id of rows.keys()) if (!known.has(id)) rows.delete(id);
  const shown = jobs.map((job) => {
    if (!rows.has(job.id)) rows.set(job.id, row(job));
    return update(rows.get(job.id), job);
  });
  const list = by("jobs");
  const same = shown.length === list.children.length && shown.every((each, i) => each === list.children[i]);
  if (!same) list.replaceChildren(...shown); // or else a focused button would lose the focus
}

function row(job) {
  const made = by("job-row").content.cloneNode(true).firstElementChild;
  made.querySelector(".title").textContent = job.author ? `${job.title}, ${job.author}` : job.title;
  made.querySelector("progress").setAttribute("aria-label", `Progress of ${job.title}`);
  made.querySelector(".fetch").setAttribute("aria-label", `Download ${job.title}`);
  made.querySelector(".fetch").addEventListener("click", () => download(job));
  made.querySelector(".remove").addEventListener("click", (event) => remove(job, event.currentTarget.textContent));
  return made;
}

function update(made, job) {
  made.dataset.state = job.state;
  made.querySelector("progress").value = job.characters ? job.characters_done / job.characters : 0;
  made.querySelector("progress").hidden = !isUnderWay(job);
  made.querySelector(".hint").textContent = about(job);
  made.querySelector(".fetch").hidden = job.state !== "done";
  made.querySelector(".fetch span").textContent = job.format;
  const verb = isUnderWay(job) ? "Cancel" : "Remove";
  made.querySelector(".remove").textContent = verb;
  made.querySelector(".remove").setAttribute("aria-label", `${verb} ${job.title}`);
  return made;
}

function about(job) {
  const percent = Math.floor((100 * job.characters_done) / (job.characters || 1));
  const parts = {
    queued: ["Queued"],
    running: [`${percent} %`, `${clock(job.seconds)} synthesized`, job.eta_seconds && `about ${clock(job.eta_seconds)} left`],
    done: [clock(job.seconds), nameOf(job.voice)],
    failed: [`Failed: ${job.error}`],
    cancelled: ["Cancelled"],
  }[job.state];
  const pace = job.state === "running" && job.times_real_time && `${job.times_real_time.toFixed(1)} × real time`;
  const waits = isUnderWay(job) && job.error; // for disk space, say
  return [...parts, pace, waits].filter(Boolean).join(" · ");
}

async function download(job) {
  const address = `jobs/${job.id}/audio?download=1`;
  const name = `${job.title}.${job.format}`;
  if (!keptKey()) return follow(address, name); // straight to the disk; a link can't carry a key
  try {
    keep(await (await request(address)).blob(), name);
  } catch (error) {
    report(error, () => download(job));
  }
}

/** Cancels a book that is under way, which then stays to be seen as that; forgets one that has ended. */
async function remove(job, verb) {
  try {
    await request(`jobs/${job.id}`, { method: "DELETE" });
    say(`${verb === "Cancel" ? "Cancelled" : "Removed"}: ${job.title}`);
  } catch (error) {
    report(error, () => remove(job, verb));
  }
  await look();
  if (document.activeElement === document.body) by("file").focus(); // its button has gone
}

function isUnderWay(job) {
  return job.state === "queued" || job.state === "running";
}
