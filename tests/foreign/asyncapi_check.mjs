// Reads an AsyncAPI document from standard input; writes what its own parser says as JSON: complaints and channel addresses.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
const complaints = diagnostics.filter((found) => found.severity <= 1);
const channels = document ? document.channels().all() : [];
console.log(
  JSON.stringify({
    complaints: complaints.map((found) => `${found.path.join('.')}: ${found.message}`),
    channels: Object.fromEntries(
      channels.map((channel) => [channel.address(), channel.messages().all().map((message) => message.name())]),
    ),
  }),
);
