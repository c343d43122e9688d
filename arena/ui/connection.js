// Keeps the page working when the connection fails. Gradio reloads the page after a failed request, and the server
// restores the battle. Here the rest: keep the draft over a reload, detect a connection that died silently (a laptop
// that slept), and update the page when another tab may have changed the battle.

const DRAFT = "draft"; // of this tab alone
const SILENCE = 8000; // ms without an update from the server while a message counts seconds
const UNANSWERED = 2000; // ms after a click without an effect until the server is checked
const SLEPT = 15000; // ms between two ticks of a one-second clock

const box = () => document.querySelector("#prompt textarea");
const running = () => document.querySelector("#message [data-seconds]");

const draft = sessionStorage.getItem(DRAFT);
sessionStorage.removeItem(DRAFT);
if (draft && box() && !box().value) {
  box().value = draft;
  box().dispatchEvent(new Event("input", { bubbles: true }));
}
window.addEventListener("pagehide", () => sessionStorage.setItem(DRAFT, box()?.value ?? ""));

// A click during a lost connection did not arrive, and the reloaded page does not know about it.
const SENT = "sent";
const enabled = (selector) => document.querySelector(selector)?.disabled === false;
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("#votes button, #send");
  if (!button) return;
  sessionStorage.setItem(SENT, button.id === "send" ? "prompt" : "vote");
  setTimeout(async () => sessionStorage.getItem(SENT) && !(await appId().catch(() => null)) && comeBack(), UNANSWERED);
});
const noteWhatWasLost = () => {
  const lost = sessionStorage.getItem(SENT);
  if (lost === "vote" ? !enabled("#vote-a") : !enabled("#send") || !box()?.value) return false;
  const note = document.createElement("p");
  note.className = "hint lost";
  note.textContent = `The connection was lost before your ${lost} arrived: ${lost === "vote" ? "choose" : "send it"} again.`;
  document.querySelector("#message [role=status]")?.append(note);
  return true;
};
// Seconds for a page that was reloaded before an answer came to get its battle back.
let left = sessionStorage.getItem(SENT) === null ? 0 : 5;
const watchWhatWasSent = () => {
  if (left > 0) {
    left = noteWhatWasLost() ? 0 : left - 1;
    if (left === 0) sessionStorage.removeItem(SENT);
  } else if (running() || document.querySelector("#reveal .card, #message .alert")) sessionStorage.removeItem(SENT);
};

const appId = async () => {
  const root = window.gradio_config?.root ?? "";
  const answer = await fetch(`${root}/gradio_api/app_id`, { signal: AbortSignal.timeout(2500) });
  return (await answer.json()).app_id;
};

let isComingBack = false;
const comeBack = async () => {
  if (isComingBack) return;
  isComingBack = true;
  const note = document.createElement("p");
  note.className = "alert lost";
  note.textContent = "The connection is lost. The page continues by itself as soon as it is back.";
  document.querySelector("#message [role=alert]")?.replaceChildren(note);
  while (!(await appId().catch(() => null))) await new Promise((resolve) => setTimeout(resolve, 500));
  window.location.reload();
};

let lastTick = Date.now();
let lastWord = Date.now();
let lastText = "";
setInterval(() => {
  const now = Date.now();
  const words = running()?.textContent ?? "";
  // A tab in the background has a slow clock, and nobody waits for it.
  if (words !== lastText || !words || document.visibilityState === "hidden") [lastText, lastWord] = [words, now];
  else if (now - lastTick > SLEPT || now - lastWord > SILENCE) comeBack();
  lastTick = now;
  watchWhatWasSent();
}, 1000);

document.addEventListener("visibilitychange", async () => {
  lastTick = Date.now();
  if (document.visibilityState === "hidden" || running()) return;
  const id = await appId().catch(() => null);
  // Another version of the server may number the page's events differently.
  if (id && id !== window.gradio_config?.app_id) window.location.reload();
  else if (id) document.querySelector("#look-again")?.click();
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
