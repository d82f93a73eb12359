// A client of Resonate's TypeScript SDK; each line on standard output says what it saw, as JSON.
import { Resonate } from "@resonatehq/sdk";

// The SDK counts on Node 22.
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const [url, token] = process.argv.slice(2);
const resonate = new Resonate({ url, token });
const tell = (what, content) => process.stdout.write(JSON.stringify([what, content]) + "\n");
const coded = (value) => Buffer.from(JSON.stringify(value)).toString("base64");

// Create, settle, read.
await resonate.promises.create("client/made", Date.now() + 60_000, { data: coded({ a: 1 }), tags: { k: "v" } });
const settled = await resonate.promises.resolve("client/made", { data: coded([1, 2]) });
const { value } = await resonate.promises.get("client/made");
tell("settled", [settled.state, JSON.parse(Buffer.from(value.data, "base64"))]);

// A function with calls inside and a sleep, run through tasks.
resonate.register("double", async (_, x) => 2 * x);
resonate.register("work", function* (context, x) {
  const doubled = yield* context.run(async (_, y) => y + 1, x);
  yield* context.sleep(1_500);
  return yield* context.rpc("double", doubled);
});
tell("function", await resonate.rpc("client/work", "work", 20));

// Wait for what the notebook settles, after it was made.
tell("ready", null);
const handle = await resonate.get("from/notebook");
tell("awaited", await handle.result());

// Settle what the notebook waits for.
await resonate.promises.create("for/notebook", Date.now() + 60_000);
await resonate.promises.resolve("for/notebook", { data: coded({ answer: 42 }) });
await resonate.stop();
tell("done", null);
