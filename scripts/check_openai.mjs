// OpenAI's own client for Node.js against a Hansard server: see check_clients.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import OpenAI from 'openai';
import { VERSION } from 'openai/version';

const recordings = process.argv[2];
const client = new OpenAI({ maxRetries: 0 });
const open = (name) => fs.createReadStream(path.join(recordings, name));
const transcribe = (wishes = {}, options = {}) =>
  client.audio.transcriptions.create({ file: open('endgame_nagg_nell.wav'), model: 'tiny.en', ...wishes }, options);

const plain = await transcribe();
assert.match(plain.text, /hear me/);
assert.equal(await transcribe({ response_format: 'text' }), plain.text + '\n');
assert.match(await transcribe({ response_format: 'srt' }), /^1\n00:00:0/);
assert.match(await transcribe({ response_format: 'vtt' }), /^WEBVTT\n\n/);
const verbose = await transcribe({ response_format: 'verbose_json', timestamp_granularities: ['word', 'segment'] });
assert.ok(verbose.words.length > 50 && verbose.segments.length > 3);
const diarized = await transcribe({ response_format: 'diarized_json' });
assert.deepEqual(new Set(diarized.segments.map((segment) => segment.speaker)), new Set(['A', 'B']));

let told = '';
for await (const event of await transcribe({ stream: true })) {
  if (event.type === 'transcript.text.delta') told += event.delta;
  else assert.equal(event.text, told);
}
assert.equal(told, plain.text);

const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes('whisper-1'));
await assert.rejects(transcribe({ model: 'none' }), (error) => error.status === 404 && error.code === 'model_not_found');
await assert.rejects(new OpenAI({ apiKey: 'sk-wrong' }).models.list(), OpenAI.AuthenticationError);
await assert.rejects(
  client.audio.transcriptions.create({ file: new File([new Uint8Array(8 << 20)], 'large.wav'), model: 'whisper-1' }),
  (error) => error.status === 413,
);
const leaving = new AbortController();
setTimeout(() => leaving.abort(), 500);
await assert.rejects(
  transcribe({ file: open('two_cities.wav'), model: 'whisper-1' }, { signal: leaving.signal }),
  OpenAI.APIUserAbortError,
);
await transcribe();
console.log(`Node.js: openai ${VERSION}`);
