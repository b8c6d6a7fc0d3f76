// The form that saves the newest frame of a source under a class name.

import { make } from "./dom.js";
import { post } from "./post.js";

export function captureForm(source, labels) {
  const list = make("datalist", { id: `labels-${crypto.getRandomValues(new Uint32Array(1))[0]}` });
  list.append(...labels.map((label) => make("option", { value: label })));
  const input = make("input", {
    required: true,
    maxLength: 64,
    placeholder: "Class name",
    autocomplete: "off",
    attributes: {
      list: list.id,
      "aria-label": `Class of the frame of ${source}`,
      enterkeyhint: "done",
    },
  });
  const button = make("button", { textContent: "Save frame" });
  const output = make("output", {
    textContent: "Saves the newest frame for the next version of the data.",
  });
  const form = make("form", { className: "capture" }, input, button, output, list);
  let saved = 0;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await post("/api/capture", { source, label: input.value });
      const label = input.value.trim();
      output.textContent = answer.error ?? `Saved as “${label}”: ${++saved} in this visit`;
      if (!answer.error && ![...list.options].some((one) => one.value === label))
        list.append(make("option", { value: label }));
    } finally {
      button.disabled = false;
    }
  });
  return form;
}
