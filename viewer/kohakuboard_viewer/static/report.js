// The script of an exported report: draws the curves that the file itself holds, and zooms all of its charts together.

import { Curves } from "./curves.js"

const view = { log: false, clip: false, low: null, high: null, lo: null, hi: null }
const reset = document.getElementById("reset")

class ReportChart extends Curves {
  view = view
  #whole = null

  async bytes() {
    const packed = Uint8Array.from(atob(this.querySelector("script").textContent.trim()), (letter) => letter.charCodeAt(0))
    const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))
    return new Response(unpacked).arrayBuffer()
  }

  take(found) {
    this.#whole = found
    this.show()
  }

  /** Draw anew, as the view now is. */
  show() {
    if (!this.#whole) return
    const { header, columns } = this.#whole
    this.draw(view.lo === null ? this.#whole : { header: { ...header, lo: view.lo, hi: view.hi }, columns })
  }

  zoom(lo, hi) {
    Object.assign(view, { lo, hi })
    reset.disabled = lo === null
    showAll()
  }
}
customElements.define("kobo-report-chart", ReportChart)

const charts = document.querySelectorAll("kobo-report-chart")
const showAll = () => charts.forEach((chart) => chart.show())
reset.addEventListener("click", () => charts[0].zoom(null, null))
document.getElementById("log").addEventListener("change", ({ target }) => {
  view.log = target.checked
  showAll()
})
addEventListener("kobo-theme", () => charts.forEach((chart) => chart.redraw()))
