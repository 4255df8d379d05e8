// Buttons that copy what they stand beside.

const SHOWN_MS = 1500

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]")
  if (!button) return
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
    button.dataset.state = "copied"
  } catch {
    button.dataset.state = "refused" // by the browser: no permission, or no secure context
  }
  setTimeout(() => delete button.dataset.state, SHOWN_MS)
})
