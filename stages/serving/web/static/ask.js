// Questions to the model: a chat for sentences, a form for rows, a file for pictures.

import { figure, find, make } from "./dom.js";
import { post } from "./post.js";

const REMARKS = {
  missing: "Missing",
  unseen: "Not in the training data",
  beyond: "Outside the training range",
};

/** Show what fits the model. */
export function showQuestion(summary) {
  const shows = { sentences: chat, rows: row, pictures: picture }[summary.takes];
  if (!shows) return;
  find("question").hidden = false;
  shows(summary);
}

function chat(summary) {
  find("question-title").textContent = `Talk to ${summary.name}`;
  const talk = find("talk");
  talk.hidden = false;
  const conversation = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) =>
    n.toString(36),
  ).join("");
  const input = make("input", {
    required: true,
    maxLength: 2000,
    placeholder: "Write a sentence",
    autocomplete: "off",
    attributes: { "aria-label": "Sentence", enterkeyhint: "send" },
  });
  const button = make("button", { className: "primary", textContent: "Send" });
  const form = find("ask");
  form.append(make("div", { className: "line" }, input, button));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const sentence = input.value.trim();
    if (!sentence || button.disabled) return;
    input.value = "";
    say(talk, "me", sentence);
    button.disabled = true;
    const { answer, error } = await post("/api/ask", { sentence, conversation });
    button.disabled = false;
    if (error) say(talk, "error", error);
    else say(talk, "it", answer.answer || `[${answer.intent ?? "no answer"}]`, reason(answer));
    input.focus();
  });
}

function say(talk, who, text, why = "") {
  const line = make("p", { className: who, textContent: text });
  if (why) line.append(make("span", { className: "why", textContent: why }));
  talk.append(line);
  while (talk.children.length > 200) talk.firstChild.remove();
  talk.scrollTop = talk.scrollHeight;
}

const reason = ({ intent, score }) =>
  intent ? `${intent}${score === undefined ? "" : `, ${figure(100 * score)} %`}` : "";

function row(summary) {
  find("question-title").textContent = "Ask about a row";
  const form = find("ask");
  const columns = summary.columns ?? [];
  const inputs = columns.map(field);
  const text = make("textarea", {
    required: true,
    placeholder: '{"column": value, ...}',
    spellcheck: false,
    attributes: { "aria-label": "Row as JSON" },
  });
  const output = make("output", { className: "answer" });
  const asked = columns.length
    ? make("div", { className: "fields" }, ...inputs.map(([label]) => label))
    : text;
  form.append(
    asked,
    make(
      "div",
      { className: "line" },
      make("button", { className: "primary", textContent: "Answer" }),
    ),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const cells = columns.length ? cellsOf(columns, inputs) : parse(text.value);
    const { answer, error } = cells
      ? await post("/api/ask", { row: cells })
      : { error: "This is not a JSON object." };
    show(output, answer, error);
  });
}

function field(column) {
  const input = column.values?.length
    ? make(
        "select",
        {},
        make("option", { value: "", textContent: "" }),
        ...column.values.map((value) => make("option", { value, textContent: value })),
      )
    : make("input", {
        autocomplete: "off",
        placeholder: column.kind === "date" ? "2026-01-31" : "",
        attributes: column.kind === "number" ? { inputmode: "decimal" } : {},
      });
  return [make("label", {}, column.name, input), input];
}

function cellsOf(columns, inputs) {
  const filled = columns.map(({ name }, at) => [name, inputs[at][1].value.trim()]);
  return Object.fromEntries(filled.filter(([, value]) => value));
}

function parse(text) {
  try {
    const found = JSON.parse(text);
    return typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

function picture() {
  find("question-title").textContent = "Try a picture";
  const form = find("ask");
  const input = make("input", {
    type: "file",
    accept: "image/jpeg",
    attributes: { "aria-label": "JPEG picture" },
  });
  const output = make("output", {
    className: "answer soft",
    textContent: "Choose a JPEG picture; it is not stored.",
  });
  form.append(make("div", { className: "line" }, input), output);
  input.addEventListener("change", async () => {
    if (!input.files.length) return;
    const { answer, detections, error } = await post("/api/ask", input.files[0]);
    show(output, answer, error, detections);
  });
}

function show(output, answer, error, detections) {
  output.classList.remove("soft");
  if (error) return output.replaceChildren(error);
  const named = detections ?? answer.detections;
  if (named) {
    const texts = named.map(
      ({ label, score }) => `${label}${score == null ? "" : ` ${figure(100 * score)} %`}`,
    );
    return output.replaceChildren(make("b", { textContent: texts.join(", ") || "nothing found" }));
  }
  const { value, score, low, high, label, ...rest } = answer;
  const parts = [make("b", { textContent: String(value ?? label ?? "") })];
  if (score !== undefined) parts.push(` ${figure(100 * score)} %`);
  if (low !== undefined) parts.push(` (${low} to ${high})`);
  output.replaceChildren(...parts, ...Object.entries(rest).map(remark).filter(Boolean));
}

/** Return a paragraph with a list or an object of an answer, or null if it is empty or something else. */
function remark([name, value]) {
  if (typeof value !== "object" || !value || !Object.keys(value).length) return null;
  const texts = Array.isArray(value)
    ? value
    : Object.entries(value).map(([key, one]) => `${key} = ${one}`);
  const title = REMARKS[name] ?? name;
  return make("p", { className: "soft", textContent: `${title}: ${texts.join(", ")}` });
}
