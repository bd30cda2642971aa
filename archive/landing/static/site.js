"use strict";
// A wrong query is told here; its error document would be XML.
const asked = document.getElementById("adql");
asked?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = asked.querySelector("[role=alert]");
  wrong.textContent = "";
  try {
    const body = JSON.stringify({ query: asked.elements.QUERY.value });
    const reply = await fetch("api/v1/adql/check", { method: "POST", body });
    const { errors = [] } = await reply.json();
    wrong.textContent = errors.map((e) => `Line ${e.line}, column ${e.column}: ${e.message}`).join("\n");
  } catch {
    // The query itself will say what is the matter.
  }
  if (!wrong.textContent) asked.submit();
});
for (const button of document.querySelectorAll(".copy")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const source = button.dataset.from;
    const text = source ? document.getElementById(source).textContent : button.dataset.copy;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
