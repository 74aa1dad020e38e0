// The reference of the HTTP API, drawn from its OpenAPI description.

import { element } from "/page/dom.js";

const description = await (await fetch("/api/openapi.json")).json();
const { origin } = location;

document.getElementById("example").textContent = [
  `curl ${origin}/api/make -H "Content-Type: application/json" -d '{"seed": 7}'`,
  `curl ${origin}/api/jobs/ID   # with the "id" of the answer, until "state" is "done"`,
  `curl ${origin}/api/portraits/ID/file -o portrait.safetensors   # the same id`,
  `curl ${origin}/api/photos -H "Content-Type: image/jpeg" --data-binary @photo.jpg`,
].join("\n");

function named(schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? description.components.schemas[name] : schema;
}

function kind(schema) {
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `list of ${kind(named(schema.items ?? {}))}`;
  if (schema.anyOf) return schema.anyOf.map(kind).join(" or ");
  return schema.type ?? "any";
}

function fields(operation) {
  const schema = named(operation.requestBody?.content?.["application/json"]?.schema);
  if (!schema?.properties) return null;
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const value = field.default === undefined ? "needed" : JSON.stringify(field.default);
    return element("tr", {}, element("td", {}, element("code", {}, name)), element("td", {}, kind(field)), element("td", {}, value));
  });
  const head = element("tr", {}, ...["field", "type", "default"].map((text) => element("th", {}, text)));
  return element("table", {}, head, ...rows);
}

const shown = document.getElementById("reference");
for (const [path, operations] of Object.entries(description.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    shown.append(
      element("h2", {}, element("code", {}, `${method.toUpperCase()} ${path}`)),
      element("p", {}, operation.summary ?? ""),
    );
    const table = fields(operation);
    if (table) shown.append(table);
  }
}
