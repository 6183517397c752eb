// Shows openapi.json: every path, what it takes and what it gives.

const main = document.querySelector("#api");

/** An element with children; texts become text, nothing else. */
function make(name, className, ...children) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** What a "$ref" points to, or the thing itself. */
function resolve(api, thing = {}) {
  if (!thing.$ref) return thing;
  const path = thing.$ref.replace("#/", "").split("/");
  return resolve(api, path.reduce((inner, key) => inner[key], api));
}

/** A schema's type, bounds and default in a few words. */
function kind(api, schema) {
  const { type, items, anyOf, minimum, maximum, default: usual } = schema;
  const { contentMediaType, contentEncoding, enum: values } = schema;
  const told = [];
  if (items) told.push(`list of ${kind(api, resolve(api, items))}`);
  else if (anyOf) told.push(anyOf.map((each) => kind(api, resolve(api, each))).join(" or "));
  else if (type) told.push([type].flat().join(" or "));
  if (contentMediaType ?? contentEncoding) told.push(contentMediaType ?? contentEncoding);
  if (values) told.push(values.map((value) => JSON.stringify(value)).join(", "));
  if (minimum !== undefined && maximum !== undefined) told.push(`${minimum} to ${maximum}`);
  else if (minimum !== undefined) told.push(`from ${minimum}`);
  else if (maximum !== undefined) told.push(`to ${maximum}`);
  if (usual !== undefined) told.push(`default ${JSON.stringify(usual)}`);
  return told.join(", ");
}

/** The properties of an object, or of the objects of a list, and theirs; null where it has none. */
function properties(api, given, seen = []) {
  const schema = resolve(api, given);
  if (seen.includes(schema)) return null; // a schema within itself
  const within = [...seen, schema];
  if (schema.items) return properties(api, schema.items, within);
  if (schema.anyOf) {
    const lists = schema.anyOf.map((each) => properties(api, each, within)).filter(Boolean);
    return lists.length ? make("div", "", ...lists) : null;
  }
  if (!schema.properties) return null;
  const rows = Object.entries(schema.properties).flatMap(([name, raw]) => {
    const property = resolve(api, raw);
    return row(name, {
      kind: kind(api, property),
      required: schema.required?.includes(name),
      about: raw.description ?? property.description,
      more: properties(api, property, within),
    });
  });
  return make("dl", "", ...rows);
}

function row(name, { kind: told = "", required = false, about = "", more = null }) {
  const facts = [told, required && "required"].filter(Boolean).join(", ");
  return [
    make("dt", "", make("code", "", name)),
    make(
      "dd",
      "",
      about,
      " ",
      make("span", "kind", facts),
      more,
    ),
  ];
}

/** A request or a response by its media types. */
function content(api, media = {}) {
  return Object.entries(media).flatMap(([type, { schema }]) => [
    make("h4", "kind", type),
    schema ? properties(api, schema) : "",
  ]);
}

function operation(api, path, method, told) {
  const parts = [
    make("h2", "", make("span", "method", method.toUpperCase()), ` ${path}`),
    make("p", "", told.summary ?? ""),
  ];
  const body = resolve(api, told.requestBody);
  if (body.content) parts.push(make("h3", "", "Request"), ...content(api, body.content));
  const responses = Object.entries(told.responses ?? {}).flatMap(([status, raw]) => {
    const response = resolve(api, raw);
    const good = status < "300"; // all others have the same body: an error
    const more = good ? make("div", "", ...content(api, response.content)) : null;
    return row(status, { about: response.description, more });
  });
  if (responses.length) parts.push(make("h3", "", "Responses"), make("dl", "", ...responses));
  return make("section", "operation", ...parts);
}

async function show() {
  const api = await (await fetch("openapi.json")).json();
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => operation(api, path, method, told)),
  );
  main.append(make("p", "", api.info.summary ?? ""), ...operations);
}

show()
  .catch(() => main.append(make("p", "wrong", "The description of the API cannot be read.")))
  .finally(() => main.removeAttribute("aria-busy"));
