// Requests to the server.

/** Send JSON, or a file, and return the answer, or {error} with a sentence. */
export async function post(path, data) {
  const isFile = data instanceof Blob;
  const headers = { "Content-Type": isFile ? "image/jpeg" : "application/json" };
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers,
      body: isFile ? data : JSON.stringify(data),
    });
    return await answer.json();
  } catch {
    return { error: "The server does not answer." };
  }
}
