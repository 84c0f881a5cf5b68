// Sends a mail; reads the contracts from protos/ as they are.
const grpc = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { randomUUID } = require("node:crypto");
const { join } = require("node:path");

const { ROSSIO_MAIL, ROSSIO_TOKEN, FROM, TO } = process.env;
const protos = join(__dirname, "../../../protos");
const { rossio } = grpc.loadPackageDefinition(loadSync("rossio/mail/v1/service.proto", { keepCase: true, includeDirs: [protos] }));

const mail = new rossio.mail.v1.MailService(ROSSIO_MAIL, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
metadata.set("authorization", `Bearer ${ROSSIO_TOKEN}`);
const content = Buffer.from(`From: ${FROM}\r\nTo: ${TO}\r\nSubject: From Node\r\n\r\nHello.\r\n`);
const request = { request_id: randomUUID(), sender: FROM, recipients: [TO], content };
mail.Submit(request, metadata, { deadline: Date.now() + 30_000 }, (error, answer) => {
  if (error) throw error;
  console.log(answer.message_id);
});
