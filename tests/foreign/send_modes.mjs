// Sends one event in each mode of the JavaScript CloudEvents SDK and prints the answers as JSON.
// node send_modes.mjs URL: the key is in the environment (TOXWATCH_KEY), the event (JSON) on standard input.
import { readFileSync } from 'node:fs';
import { CloudEvent, HTTP, Mode, emitterFor, httpTransport } from 'cloudevents';

const url = process.argv[2];
const authorization = `Bearer ${process.env.TOXWATCH_KEY}`;
const given = JSON.parse(readFileSync(0, 'utf8'));

async function answered(response) {
  return { status: response.status, ...(await response.json()) };
}

function post(headers, body) {
  return fetch(url, { method: 'POST', headers: { ...headers, authorization }, body }).then(answered);
}

// The transport that the SDK brings sends chunks, and gives the body back as text.
async function emitted(mode, event) {
  const emit = emitterFor(httpTransport(url), { mode });
  const answer = await emit(event, { headers: { authorization } });
  return JSON.parse(answer.body);
}

// `suffix` gives each pass an event of its own, sent first in another mode each time.
const event = (suffix) => new CloudEvent({ ...given, id: `${given.id}-${suffix}` });
const modes = {
  structured: (sent) => post(HTTP.structured(sent).headers, HTTP.structured(sent).body),
  binary: (sent) => post(HTTP.binary(sent).headers, HTTP.binary(sent).body),
  batch: (sent) => post({ 'content-type': 'application/cloudevents-batch+json' }, `[${[sent, sent].map(String).join(',')}]`),
  'structured, chunked': (sent) => emitted(Mode.STRUCTURED, sent),
  'binary, chunked': (sent) => emitted(Mode.BINARY, sent),
};
const names = Object.keys(modes);
const passes = [];
for (const [turn] of names.entries()) {
  const pass = [];
  for (const name of [...names.slice(turn), ...names.slice(0, turn)]) {
    pass.push({ mode: name, ...(await modes[name](event(turn))) });
  }
  passes.push(pass);
}
console.log(JSON.stringify(passes));
