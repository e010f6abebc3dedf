// node replay_in_node.mjs MODEL RECORDED RUNTIME_FOLDER: prints what the browser's worker would answer, as JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { explained, open, replay, time } from "../../core/web/replay.mjs";
import { decode } from "../../core/web/tensors.mjs";

const [model, recorded, folder] = process.argv.slice(2);
const ort = await import(pathToFileURL(`${folder}/ort.wasm.bundle.min.mjs`));
const buffer = (path) => new Uint8Array(readFileSync(path)).buffer;
try {
  const session = await open(ort, buffer(`${folder}/ort-wasm-simd-threaded.wasm`), new Uint8Array(buffer(model)));
  const answers = decode(buffer(recorded));
  const parity = await replay(ort, session, answers, { absolute: 1e-5, relative: 1e-5 });
  console.log(
    JSON.stringify({
      ...parity,
      latency: await time(ort, session, answers, { seconds: 2 }),
      runtime: ort.env.versions.web,
    }),
  );
} catch (error) {
  const known = error.next ? error : explained(error);
  console.log(JSON.stringify({ message: known.message, next_step: known.next }));
}
