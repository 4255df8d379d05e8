// What every page does: keys, menus and the bar of tabs. j and k move over runs, x selects one, c compares what is
// selected, ? shows all of them. That a run is the current one means that the focus is in it, so that Enter opens it and
// screen readers tell it.

import { onKeys } from "./events.js"

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
  const isAnyChecked = () => form?.querySelector("input[name=run]:checked")
  if (!isAnyChecked()) select()
  if (isAnyChecked()) form.querySelector("[formaction='/compare']").click()
}

const help = () => dialog.showModal()
onKeys({ j: () => move(1), k: () => move(-1), x: select, c: compare, "?": help })
document.getElementById("keys-open").addEventListener("click", help)

// A menu closes when one goes on elsewhere, or presses Escape.
const openMenus = () => document.querySelectorAll(":is(.menu, .chart-menu)[open]")
for (const away of ["click", "focusin"]) {
  document.addEventListener(away, ({ target }) => {
    for (const menu of openMenus()) if (!menu.contains(target)) menu.open = false
  })
}
document.addEventListener("keydown", ({ key }) => {
  if (key !== "Escape") return
  for (const menu of openMenus()) {
    menu.open = false
    menu.querySelector("summary").focus()
  }
})

// On a narrow screen the bar of tabs is scrolled to the one that is open; the page itself stays where it is.
const bar = document.querySelector(".tabs")
const open = bar?.querySelector("[aria-current]")
if (open) bar.scrollLeft = open.offsetLeft - bar.offsetLeft - (bar.clientWidth - open.offsetWidth) / 2
