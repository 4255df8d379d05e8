// Keys on every page: j and k move over runs, x selects one, c compares what is selected, ? shows all of them. That a
// run is the current one means that the focus is in it, so that Enter opens it and screen readers tell it.

const dialog = document.getElementById("keys")
let current = null // the key of the row that had the focus last, which may have been patched since

function rows() {
  return [...document.querySelectorAll("[data-row]")]
}

function place() {
  const all = rows()
  const focused = all.indexOf(document.activeElement.closest("[data-row]"))
  return focused >= 0 ? focused : all.findIndex((row) => row.dataset.row === current)
}

function move(by) {
  const all = rows()
  const next = all[Math.min(Math.max(place() + by, 0), all.length - 1)]
  if (!next) return
  current = next.dataset.row
  next.querySelector("a").focus()
  next.scrollIntoView({ block: "nearest" })
}

function select() {
  rows()[place()]?.querySelector("input[name=run]")?.click()
}

function compare() {
  const form = document.getElementById("runs-list")
  const row = rows()[place()]
  if (!form?.querySelector("input[name=run]:checked")) row?.querySelector("input[name=run]")?.click()
  if (form?.querySelector("input[name=run]:checked")) form.querySelector("[formaction='/compare']").click()
}

const actions = { j: () => move(1), k: () => move(-1), x: select, c: compare, "?": () => dialog.showModal() }

addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("textarea, select, [contenteditable], input:not([type=checkbox], [type=radio])")
  if (typing || dialog.open || event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return
  event.preventDefault()
  actions[event.key]()
})
document.getElementById("keys-open").addEventListener("click", () => dialog.showModal())
