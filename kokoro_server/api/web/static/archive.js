// The sounds that this browser keeps, in IndexedDB: the newest few, within a bound of bytes.

const MOST = 30;
const MOST_BYTES = 64_000_000; // about 22 minutes at 24 kHz

let opening = null;

/** Keep a finished sound. */
export async function add(sound) {
  const pcm = new Blob(sound.pcm); // unlike a buffer it is read only when somebody wants to hear it
  const { order, rate, seconds, words } = sound;
  await run("readwrite", (store) => store.add({ order, rate, seconds, words, pcm, bytes: pcm.size, at: Date.now() }));
  await trim();
}

/** All that are kept, the newest first. */
export async function all() {
  return (await run("readonly", (store) => store.getAll())).reverse();
}

export function remove(id) {
  return run("readwrite", (store) => store.delete(id));
}

export function clear() {
  return run("readwrite", (store) => store.clear());
}

async function trim() {
  let bytes = 0;
  for (const [number, entry] of (await all()).entries()) {
    bytes += entry.bytes;
    if (number && (number >= MOST || bytes > MOST_BYTES)) await remove(entry.id);
  }
}

async function run(mode, use) {
  const database = await (opening ??= open());
  return settled(use(database.transaction("sounds", mode).objectStore("sounds")));
}

function open() {
  const request = indexedDB.open("kokoro", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("sounds", { keyPath: "id", autoIncrement: true });
  return settled(request);
}

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
