// The reference server of Resonate's SDK behind Node's http, as a peer for benchmarks.
import { createServer } from "node:http";
import { LocalNetwork } from "@resonatehq/sdk";

const { server } = new LocalNetwork();
const http = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const asked = JSON.parse(Buffer.concat(parts));
    const answer = server.apply(Date.now(), asked).response;
    response.writeHead(answer.head.status, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ ...answer, head: { ...answer.head, corrId: asked.head.corrId } }));
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
