// Uploads a file by tus (https://tus.io) with a client that anybody can have, and prints the id of what was listed.
// A run that broke off, for whatever reason, is gone on with by the same command; Ctrl-C gives the upload up.
const { createHash } = require("node:crypto");
const { createReadStream, statSync } = require("node:fs");
const { basename } = require("node:path");
const { buffer } = require("node:stream/consumers");
const tus = require("tus-js-client");

const { ROSSIO_FILES, ROSSIO_TOKEN, PARENT, MEMORY = ".uploads.json", PART = "8388608" } = process.env;
const path = process.argv[2];

// The client sends no checksums by itself: here each part says what it hashes to, so that the server takes it whole or not.
class Checked extends tus.DefaultHttpStack {
  createRequest(method, url) {
    const request = super.createRequest(method, url);
    const send = request.send.bind(request);
    request.send = async (body) => {
      if (!body) return send(body);
      const part = await buffer(body);
      request.setHeader("Upload-Checksum", `sha1 ${createHash("sha1").update(part).digest("base64")}`);
      return send(part);
    };
    return request;
  }
}

let nodeId;
const upload = new tus.Upload(createReadStream(path), {
  endpoint: `${ROSSIO_FILES}/uploads`,
  headers: { Authorization: `Bearer ${ROSSIO_TOKEN}` },
  metadata: { parent_id: PARENT, filename: basename(path), filetype: "application/octet-stream" },
  uploadSize: statSync(path).size,
  chunkSize: Number(PART),
  uploadDataDuringCreation: true,
  httpStack: new Checked(),
  urlStorage: new tus.FileUrlStorage(MEMORY),
  removeFingerprintOnSuccess: true,
  onAfterResponse: (_, response) => { nodeId = response.getHeader("Rossio-Node-Id") ?? nodeId; },
  onChunkComplete: (_, accepted, size) => console.error(`${accepted} of ${size}`),
  onSuccess: () => console.log(nodeId),
  onError: (error) => { console.error(error.message); process.exitCode = 1; },
});

process.on("SIGINT", () => upload.abort(true).then(() => process.exit(130)));
upload.findPreviousUploads().then((found) => {
  if (found.length > 0) upload.resumeFromPreviousUpload(found[0]);
  upload.start();
});
