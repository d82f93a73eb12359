// Answers requests of the protocol, one JSON line each, with the reference server of Resonate's SDK.
import { createInterface } from "node:readline";
import { LocalNetwork } from "@resonatehq/sdk";

const { server } = new LocalNetwork();

for await (const line of createInterface({ input: process.stdin })) {
  const { now, request } = JSON.parse(line);
  const { response } = server.apply(now, request);
  process.stdout.write(JSON.stringify(response) + "\n");
}
