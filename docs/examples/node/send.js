// Sends a mail; reads the contracts from protos/ as they are.
const { Metadata, credentials, loadPackageDefinition } = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");
const { randomUUID } = require("node:crypto");
const { ROSSIO_MAIL, ROSSIO_TOKEN, FROM, TO } = process.env;

const contracts = loadSync("rossio/mail/v1/service.proto", { includeDirs: [`${__dirname}/../../../protos`] });
const { MailService } = loadPackageDefinition(contracts).rossio.mail.v1;
const metadata = new Metadata();
metadata.set("authorization", `Bearer ${ROSSIO_TOKEN}`);
const content = Buffer.from(`From: ${FROM}\r\nTo: ${TO}\r\nSubject: From Node\r\n\r\nHello.\r\n`);
const request = { requestId: randomUUID(), sender: FROM, recipients: [TO], content };
const mail = new MailService(ROSSIO_MAIL, credentials.createInsecure());
mail.Submit(request, metadata, { deadline: Date.now() + 30_000 }, (error, answer) => {
  if (error) throw error;
  console.log(answer.messageId);
});
