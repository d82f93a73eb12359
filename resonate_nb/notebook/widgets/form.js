// The form under a question. It checks nothing itself: whoever keeps the answer says whether it fits.
//
// An answer goes from the browser to the Jupyter server and so to the store, which works while the kernel
// is busy or dead; where no server knows the store, it goes to the kernel by the widget's own channel.

const SILENT = 5000; // milliseconds after which a kernel that does not answer is called busy

function render({ model, el }) {
  const question = model.get("question");
  const name = `rnb-${Math.random().toString(36).slice(2)}`;
  const form = element("form", { class: "rnb-form", noValidate: true, autocomplete: "off" });
  const fields = question.kind === "approve" ? [] : fieldsOf(question, name);
  for (const each of fields) each.described = each.input.getAttribute("aria-describedby");
  const comment = question.comment ? commentField(name) : null;
  const alert = element("div", { class: "rnb-alert", role: "alert", id: `${name}-alert` });
  const status = element("div", { class: "rnb-status", role: "status" });
  const buttons = element("div", { class: "rnb-buttons" });

  if (question.kind === "approve") {
    group(form, question.text);
    for (const [label, value] of [["Approve", true], ["Reject", false]]) {
      // No submit buttons: Enter in the comment must not approve anything.
      const button = element("button", { type: "button", text: label, class: value ? "rnb-accept" : "" });
      button.addEventListener("click", () => send(value));
      buttons.append(button);
    }
  } else {
    if (fields.some((field) => field.key !== null)) group(form, question.text);
    fields.forEach((field) => form.append(field.row));
    buttons.append(element("button", { type: "submit", text: "Send", class: "rnb-accept" }));
  }
  if (comment) form.append(comment.row);
  form.append(buttons, alert, status);
  // JupyterLab would take Enter on a button, or a letter in a list, for a shortcut. It looks at what has the
  // focus before it looks at what is around it.
  for (const each of form.elements) each.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(form);

  let active = null; // what had the focus when the answer was sent
  const answering = channel(model, { refuse, taken, silent });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (question.kind === "approve") return;
    let answer;
    try {
      answer = question.kind === "form" ? objectOf(fields) : fields[0].read();
    } catch (problem) {
      refuse(problem.message);
      return;
    }
    send(answer);
  });
  // JupyterLab keeps the browser from sending a form on Enter.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    form.requestSubmit();
  });
  return () => answering.close();

  function send(value) {
    active = el.getRootNode().activeElement;
    alert.textContent = "";
    status.textContent = "Sending…";
    enable(false);
    answering.send(value === undefined ? null : value, comment ? comment.read() : "");
  }

  function refuse(reason) {
    enable(true);
    status.textContent = "";
    alert.textContent = reason;
    if (fields.length === 1) {
      fields[0].input.setAttribute("aria-invalid", "true");
      fields[0].input.setAttribute("aria-describedby", [alert.id, fields[0].described].filter(Boolean).join(" "));
    }
    if (form.contains(active)) active.focus(); // what was disabled has lost it
  }

  function taken() {
    alert.textContent = "";
    status.textContent = "Answered.";
    enable(false);
  }

  function silent() {
    status.textContent = `The kernel is busy or gone. resonate-nb answer ${model.get("promise")} VALUE works at any time.`;
    enable(true);
  }

  function enable(on) {
    for (const each of form.elements) each.disabled = !on;
  }
}

// How answers travel: says hello on both ways when the form is drawn, so that the kernel knows it can wait.
function channel(model, { refuse, taken, silent }) {
  const promise = model.get("promise");
  let timer = null;

  const received = (message) => {
    clearTimeout(timer);
    if (message.kind === "refused") refuse(message.reason);
    if (message.kind === "taken") taken();
  };
  model.on("msg:custom", received);
  model.send({ kind: "hello" });
  const greeting = {
    timeoutAt: Date.now() + 60000,
    tags: { "rnb:kind": "hello" },
  };
  const greeted = request(model, "PUT", model.get("hello"), greeting);

  async function send(value, comment) {
    const reply = await greeted;
    if (reply !== null && reply.ok && (await sendByServer(value, comment))) return;
    clearTimeout(timer);
    timer = setTimeout(silent, SILENT);
    model.send({ kind: "answer", value, comment });
  }

  // Whether the server knew what to do with the answer, taken or refused.
  async function sendByServer(value, comment) {
    const answer = { state: "resolved", value };
    if (comment) answer.comment = comment;
    const reply = await request(model, "PATCH", promise, answer);
    if (reply === null) return false;
    if (reply.ok) {
      taken();
      return true;
    }
    if (![400, 409, 422].includes(reply.status)) return false;
    refuse(await reasonOf(reply));
    return true;
  }

  function close() {
    clearTimeout(timer);
    model.off("msg:custom", received);
  }

  return { send, close };
}

async function request(model, method, id, body) {
  const page = pageConfig();
  const base = page.baseUrl ?? document.body.dataset.baseUrl ?? model.get("server");
  if (!base) return null;
  const headers = { "Content-Type": "application/json" };
  const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie);
  if (xsrf) headers["X-XSRFToken"] = xsrf[1];
  if (page.token) headers.Authorization = `token ${page.token}`;
  const url = `${base.replace(/\/*$/, "/")}resonate-nb/promises/${encoded(id)}?store=${encodeURIComponent(model.get("store"))}`;
  try {
    return await fetch(url, { method, headers, body: JSON.stringify(body), credentials: "same-origin" });
  } catch {
    return null; // no server there: the kernel is asked instead
  }
}

async function reasonOf(reply) {
  const text = await reply.text();
  try {
    const content = JSON.parse(text);
    if (reply.status === 409) return `Somebody was faster: ${JSON.stringify(content.value ?? content.state)} is the answer.`;
    return content.error ?? text;
  } catch {
    return text || reply.statusText;
  }
}

// Slashes stay as they are, since proxies dislike %2F, unless the browser would take a part for a step up.
function encoded(id) {
  const parts = id.split("/");
  return parts.some((part) => /^\.{0,2}$/.test(part)) ? encodeURIComponent(id) : parts.map(encodeURIComponent).join("/");
}

function pageConfig() {
  const config = document.getElementById("jupyter-config-data");
  try {
    return config ? JSON.parse(config.textContent) : {};
  } catch {
    return {};
  }
}

function fieldsOf(question, name) {
  const { schema } = question;
  if (question.kind === "form" && schema.properties) {
    const required = schema.required ?? [];
    const defaults = question.default ?? {};
    return Object.entries(schema.properties).map(([key, each], index) =>
      field({
        schema: each,
        key,
        label: each.title ?? key,
        initial: defaults[key] ?? each.default,
        id: `${name}-${index}`,
        required: required.includes(key),
        hint: question.hints[key],
      }),
    );
  }
  // The card above shows the question: its text names the field, and is not shown twice.
  const { input, read } = control(schema, question.default, name, true);
  input.setAttribute("aria-label", question.text || schema.title || "Answer");
  const row = element("div", { class: "rnb-field" });
  row.append(input);
  describe(row, input, [question.hint]);
  return [{ row, input, key: null, read }];
}

// One field: its row of the page, and what is read from it (undefined where nothing was entered).
function field({ schema, key, label, initial, id, required, hint }) {
  const row = element("div", { class: "rnb-field" });
  const { input, read } = control(schema, initial, id, required);
  if (input.getAttribute("role") === "group") {
    const caption = element("span", { text: label, id: `${id}-label` });
    input.setAttribute("aria-labelledby", caption.id);
    row.append(above(caption, required), input);
  } else {
    row.append(above(element("label", { text: label, htmlFor: id }), required), input);
  }
  describe(row, input, [schema.description, hint]);
  return { row, input, key, read };
}

// What stands above a field: its name, and whether it may be left empty.
function above(caption, required) {
  const line = element("div", { class: "rnb-label" });
  line.append(caption);
  if (!required) line.append(" ", element("span", { class: "rnb-optional", text: "optional" }));
  return line;
}

// What stands below a field: what it is for, and which answers fit.
function describe(row, input, texts) {
  const lines = texts.filter(Boolean).map((text, index) => element("div", { class: "rnb-help", text, id: `${input.id}-help-${index}` }));
  row.append(...lines);
  if (lines.length) input.setAttribute("aria-describedby", lines.map((line) => line.id).join(" "));
}

function control(schema, initial, id, required) {
  if (schema.enum) return oneOf(schema.enum, initial, id, required);
  if (schema.type === "boolean") return oneOf([true, false], initial, id, required);
  if (schema.type === "array" && schema.items?.enum) return anyOf(schema.items.enum, initial, id, required);
  if (schema.type === "integer" || schema.type === "number") return number(schema, initial, id);
  if (schema.type === "string") return text(schema, initial, id, required);
  return json(initial, id);
}

function oneOf(options, initial, id, required) {
  const input = element("select", { id });
  const chosen = options.findIndex((each) => each === initial);
  if (chosen < 0 || !required) input.append(element("option", { value: "", text: "" }));
  options.forEach((each, index) => {
    input.append(element("option", { value: String(index), text: shown(each), selected: index === chosen }));
  });
  return { input, read: () => (input.value === "" ? undefined : options[Number(input.value)]) };
}

function anyOf(options, initial, id, required) {
  const input = element("div", { id, role: "group", class: "rnb-options" });
  const boxes = options.map((each, index) => {
    const checked = (initial ?? []).includes(each);
    const box = element("input", { type: "checkbox", id: `${id}-${index}`, checked });
    const label = element("label", { htmlFor: box.id });
    label.append(box, ` ${shown(each)}`);
    input.append(label);
    return box;
  });
  const chosen = () => options.filter((_, index) => boxes[index].checked);
  return { input, read: () => (required || chosen().length ? chosen() : undefined) };
}

function number(schema, initial, id) {
  const step = schema.type === "integer" ? "1" : "any";
  const input = element("input", { id, type: "number", step, min: schema.minimum ?? "", max: schema.maximum ?? "" });
  input.value = initial ?? "";
  const read = () => {
    if (input.validity.badInput) throw new Error("That is not a number.");
    return input.value === "" ? undefined : Number(input.value);
  };
  return { input, read };
}

function text(schema, initial, id, required) {
  const type = { date: "date", "date-time": "datetime-local" }[schema.format] ?? "text";
  const long = type === "text" && ((initial ?? "").includes("\n") || schema.maxLength > 200);
  const input = long ? element("textarea", { id, rows: 4 }) : element("input", { id, type });
  input.value = initial ?? "";
  const optional = !required || type !== "text";
  return { input, read: () => (input.value === "" && optional ? undefined : input.value) };
}

function json(initial, id) {
  const input = element("textarea", { id, rows: 6, spellcheck: false, class: "rnb-json" });
  input.value = initial === undefined || initial === null ? "" : JSON.stringify(initial, null, 2);
  const read = () => {
    if (input.value.trim() === "") return undefined;
    try {
      return JSON.parse(input.value);
    } catch (problem) {
      throw new Error(`This field takes JSON: ${problem.message}`);
    }
  };
  return { input, read };
}

function objectOf(fields) {
  if (fields.length === 1 && fields[0].key === null) return fields[0].read();
  const found = {};
  for (const { key, read } of fields) {
    const value = read();
    if (value !== undefined) found[key] = value;
  }
  return found;
}

function commentField(name) {
  const input = element("input", { id: `${name}-comment`, type: "text" });
  const row = element("div", { class: "rnb-field" });
  row.append(above(element("label", { text: "Comment", htmlFor: input.id }), false), input);
  return { row, read: () => input.value };
}

function group(form, text) {
  if (!text) return;
  form.setAttribute("role", "group");
  form.setAttribute("aria-label", text);
}

function shown(option) {
  if (option === true) return "Yes";
  if (option === false) return "No";
  return String(option);
}

// Text goes in as text: nothing that a question says is ever taken for markup.
function element(tag, { class: className, text, role, ...properties }) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (role) made.setAttribute("role", role);
  return Object.assign(made, properties);
}

export default { render };
