// What the lines of a chart are, with their values where the cursor is.

import { number } from "./format.js"

/** Lists the curves of a chart; `focus(i)` is called while one is pointed at, with null after. */
export class Legend {
  #values = []

  constructor(curves, looks, focus) {
    this.list = document.createElement("ul")
    this.list.className = "legend"
    curves.forEach(({ label, run }, i) => {
      const item = document.createElement("li")
      const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg")
      swatch.innerHTML = `<line x1="0" y1="4" x2="22" y2="4" stroke="${looks[i].line}" stroke-width="2.5" stroke-dasharray="${looks[i].dash.join(" ")}"/>`
      swatch.setAttribute("viewBox", "0 0 22 8")
      swatch.setAttribute("aria-hidden", "true")
      const name = document.createElement("span")
      name.textContent = name.title = label
      item.title = run ?? ""
      const value = document.createElement("span")
      value.className = "value"
      this.#values.push(value)
      item.append(swatch, name, value)
      item.addEventListener("pointerenter", () => focus(i))
      item.addEventListener("pointerleave", () => focus(null))
      this.list.append(item)
    })
  }

  /** Say the values; null for a curve that has none there. */
  say(values) {
    values.forEach((value, i) => {
      const words = value === null || Number.isNaN(value) ? "" : number(value)
      if (this.#values[i].textContent !== words) this.#values[i].textContent = words
    })
  }
}
