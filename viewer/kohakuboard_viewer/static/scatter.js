// <kobo-scatter data-across data-up>: a dot for each run. A rectangle that is dragged picks out a range of both axes.

import { onDrag } from "./events.js"
import { drawn, picked } from "./picked.js"

const [HEIGHT, TOP, BOTTOM, LEFT, RIGHT] = [320, 16, 40, 62, 22]
const LEAST_DRAG = 3

class KoboScatter extends HTMLElement {
  static observedAttributes = ["data-across", "data-up"]

  #dots = []
  #band = null
  #axes = []

  connectedCallback() {
    this.#draw()
    new ResizeObserver(() => this.#draw()).observe(this)
    picked.addEventListener("read", () => this.#draw())
    picked.addEventListener("change", () => this.#mark())
  }

  #draw() {
    const [i, j] = [picked.axis(this.dataset.across), picked.axis(this.dataset.up)]
    if (i < 0 || j < 0 || !this.clientWidth) return
    const width = this.clientWidth
    this.#axes = [
      { ...picked.axes[i], pixel: (value) => LEFT + picked.axes[i].share(value) * (width - LEFT - RIGHT) },
      { ...picked.axes[j], pixel: (value) => HEIGHT - BOTTOM - picked.axes[j].share(value) * (HEIGHT - TOP - BOTTOM) },
    ]
    const [across, up] = this.#axes
    this.#dots = picked.runs.map((run, place) => {
      const [x, y] = [run.places[i], run.places[j]]
      if (x === null || y === null) return null
      return drawn("circle", { class: `run hue-${run.hue}`, r: 5, cx: across.pixel(x), cy: up.pixel(y), "data-run": place }, drawn("title", {}, `${run.name}: ${across.word(x)}, ${up.word(y)}`))
    })
    this.#band = drawn("rect", { class: "band" })
    const hit = drawn("rect", { class: "hit", x: LEFT, y: TOP, width: Math.max(width - LEFT - RIGHT, 0), height: HEIGHT - TOP - BOTTOM })
    this.#drag(hit)
    const labels = [
      ...across.ticks.map((value, place) => drawn("text", { class: place === across.ticks.length - 1 ? "below last" : "below", x: across.pixel(value), y: HEIGHT - BOTTOM + 16 }, across.word(value))),
      ...up.ticks.map((value) => drawn("text", { class: "beside-axis", x: LEFT - 8, y: up.pixel(value) + 4 }, up.word(value))),
      ...up.ticks.map((value) => drawn("line", { x1: LEFT, x2: width - RIGHT, y1: up.pixel(value), y2: up.pixel(value) })),
      drawn("text", { class: "label", x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6 }, across.label),
      drawn("text", { class: "label", transform: `translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)` }, up.label),
    ]
    const words = `${up.label} against ${across.label}; the table of values has the same`
    this.replaceChildren(drawn("svg", { width, height: HEIGHT, role: "img", "aria-label": words }, ...labels, this.#band, hit, ...this.#dots.filter(Boolean)))
    this.#mark()
  }

  #mark() {
    picked.runs.forEach((run, i) => this.#dots[i]?.classList.toggle("out", !picked.has(run)))
    const ranges = this.#axes.map(({ key }) => picked.range(key))
    this.#band?.toggleAttribute("hidden", !ranges.some(Boolean))
    if (!ranges.some(Boolean)) return
    const [x, y] = this.#axes.map((axis, i) => (ranges[i] ?? [axis.at(0), axis.at(1)]).map(axis.pixel))
    for (const [name, value] of Object.entries({ x: x[0], y: y[1], width: x[1] - x[0], height: y[0] - y[1] })) this.#band.setAttribute(name, Math.max(value, 1))
  }

  #drag(hit) {
    onDrag(hit, (down) => {
      const box = hit.getBoundingClientRect()
      const [across, up] = this.#axes
      const shares = ({ clientX, clientY }) => [(clientX - box.left) / box.width, (box.bottom - clientY) / box.height].map((share) => Math.min(Math.max(share, 0), 1))
      const isFar = (event) => Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) >= LEAST_DRAG
      const move = (event) => {
        if (!isFar(event)) return
        const [begin, end] = [shares(down), shares(event)]
        ;[across, up].forEach((axis, i) => picked.set(axis.key, [begin[i], end[i]].sort((a, b) => a - b).map(axis.at)))
      }
      const end = (event) => {
        if (!isFar(event)) for (const { key } of [across, up]) picked.set(key, null)
      }
      return { move, end }
    })
  }
}

customElements.define("kobo-scatter", KoboScatter)
