// Requests to this server: with the key where it asks for one, and refusals as errors that say what to do.

import { askForKey, keptKey } from "./key.js";

export class Refused extends Error {
  constructor(status, fields, headers) {
    super(fields.message || `The server answered with status ${status}.`);
    this.status = status;
    this.title = fields.error || "The server rejected the request";
    this.field = fields.field;
    this.retryAfter = Number(headers?.get("Retry-After")) || null;
    this.requestId = headers?.get("X-Request-Id") || null;
  }
}

export class Unreachable extends Error {}

/** The answer to a request. Throws Refused, Unreachable, or AbortError when the signal says so. */
export async function request(path, { ask = true, ...options } = {}) {
  let answer = await sent(path, options);
  let why = "This server requires an API key.";
  while (answer.status === 401 && ask) {
    if (!(await askForKey(why))) break;
    answer = await sent(path, options);
    why = "The server rejected that API key. Check it and try again.";
  }
  if (!answer.ok) throw new Refused(answer.status, await fieldsOf(answer), answer.headers);
  return answer;
}

export function postJson(path, fields, options = {}) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", body: JSON.stringify(fields), headers, ...options });
}

async function sent(path, options) {
  const key = keptKey();
  const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable(error.message);
  }
}

async function fieldsOf(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy's own page
  }
}
