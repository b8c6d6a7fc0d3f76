// A link on another site's page opens this one without its cookie; asked from here, it is sent.
const answer = await fetch("/api/state");
if (answer.ok) location.replace("/");
