// The HTTP API. Errors come with the server's own words.

async function answered(path, options) {
  let response;
  try {
    response = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("the studio does not answer; is it still running?");
  }
  if (response.status === 204) return null;
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(content.error ?? `the studio answered ${response.status}`);
  return content;
}

export const get = (path) => answered(path, {});
export const remove = (path) => answered(path, { method: "DELETE" });

export const post = (path, content) =>
  answered(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content ?? {}),
  });

export const upload = (picture) =>
  answered("photos", {
    method: "POST",
    headers: { "Content-Type": picture.type.startsWith("image/") ? picture.type : "image/unknown" },
    body: picture,
  });
