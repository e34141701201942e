// Asks the server to speak: samples and word times while they are being made.

import { Refused, Unreachable, postJson } from "./api.js";
import { eventsOf } from "./events.js";

/** Yields {samples: Int16Array, words: [{start, end, startTime, endTime}]}; places are in UTF-16 units of the text. */
export async function* speak(order, signal) {
  const answer = await postJson("synthesize/stream", { ...order, format: "pcm", timestamps: true }, { signal });
  const place = placesIn(order.text);
  let finished = false;
  try {
    for await (const event of eventsOf(answer)) {
      if (event.type === "error") throw new Refused(500, event, answer.headers);
      if (event.type === "done") finished = true;
      else yield { samples: samplesOf(event.audio), words: event.timestamps.map((word) => wordOf(word, place)) };
    }
  } catch (error) {
    if (error instanceof Refused || error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
  if (!finished) throw new Unreachable("The response ended early.");
}

function wordOf(word, place) {
  return { start: place(word.start), end: place(word.end), startTime: word.start_time, endTime: word.end_time };
}

/** Where a character is, counted as JavaScript does: the server counts an emoji as one, JavaScript as two. */
function placesIn(text) {
  if (!/[\ud800-\udfff]/.test(text)) return (character) => character;
  const places = [];
  let at = 0;
  for (const character of text) {
    places.push(at);
    at += character.length;
  }
  places.push(at);
  return (character) => places[character];
}

function samplesOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Int16Array(bytes.buffer);
}
