// Elements made in one call. Texts stay texts: nothing here reads HTML.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in made && !name.startsWith("aria-")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(text, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, text);
}

export function labelled(text, field) {
  return element("label", {}, element("span", {}, text), field);
}

export function choice(options, chosen) {
  const made = element("select");
  for (const [value, text] of options) made.append(element("option", { value, selected: value === chosen }, text));
  return made;
}

// A strength from 0 to `most`, with its number beside it.
export function slider(most, value) {
  const field = element("input", { type: "range", min: 0, max: most, step: 0.05, value });
  const shown = element("output", {}, value.toFixed(2));
  field.oninput = () => { shown.textContent = Number(field.value).toFixed(2); };
  const name = element("span"), part = element("label", { className: "slider" }, name, field, shown);
  return { part, amount: () => Number(field.value), named: (text) => { name.textContent = text; } };
}

let hiding;

export function complain(problem) {
  const shown = document.getElementById("problem");
  shown.textContent = problem.message ?? String(problem);
  shown.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { shown.hidden = true; }, 12000);
}

// Run what a click asks for; what goes wrong is said on the page.
export function tried(action) {
  return async (event) => {
    const pressed = event?.currentTarget;
    if (pressed instanceof HTMLButtonElement) pressed.disabled = true;
    try {
      return await action(event);
    } catch (problem) {
      complain(problem);
    } finally {
      if (pressed instanceof HTMLButtonElement) pressed.disabled = false;
    }
  };
}
