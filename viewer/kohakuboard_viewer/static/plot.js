// Draw one window of a curve with uPlot: the mean line over the band from lowest to highest, so that a spike of one
// point is as high here as it was, however many points share its pixel.

import { TIME_STEPS, positionTicks, valueTicks } from "./format.js"

const HEIGHT = 210
const LEAST_DRAG = 6 // pixels; less is a click
const FONT = "11px system-ui, sans-serif"

/**
 * Draws windows of one curve into an element. `axis` is step, index, relative or wall; `zoom(lo, hi)` is called when
 * a range was dragged, and with nulls to show all; `point(bucket)` when the cursor is at a bucket, and with null when
 * it left.
 */
export class Plot {
  #found
  #curve
  #colours

  constructor(place, found, { axis, log, zoom, point }) {
    this.axis = axis
    this.log = log
    this.smoothed = Boolean(found.columns.smooth)
    this.#found = found
    this.#curve = lines(found.columns, log)
    this.#colours = palette(place)
    this.uplot = new uPlot(this.#options(place, zoom, point), this.#curve.data, place)
  }

  /** Tell whether another window would be drawn by the same axes and lines. */
  fits({ header, columns }, log) {
    return this.axis === header.x && this.log === log && this.smoothed === Boolean(columns.smooth)
  }

  /** Draw another window; a drag in progress and the cursor stay. */
  update(found) {
    this.#found = found
    this.#curve = lines(found.columns, this.log)
    this.uplot.setData(this.#curve.data)
  }

  #options(place, zoom, point) {
    const time = this.axis === "relative" || this.axis === "wall"
    const bucket = (index) => (index == null ? null : this.#curve.bucket(index))
    return {
      width: Math.max(place.clientWidth, 60),
      height: HEIGHT,
      padding: [10, 10, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => xRange(this.#found.header) },
        y: { distr: this.log ? 3 : 1, range: () => yRange(this.#found, this.log) },
      },
      series: [{}, ...this.#lineStyles()],
      axes: [this.#xAxis(time), this.#yAxis()],
      cursor: {
        y: false,
        points: { size: 7 },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => zoom(null, null) },
        // Only the crosshair is shared; a shared drag would zoom each chart by its own pixels.
        sync: { key: `kobo-${this.axis}`, scales: ["x", null], filters: { pub: isMovement, sub: isMovement } },
      },
      hooks: {
        drawAxes: [(plot) => drawBand(plot, this.#found.columns, this.log, this.#colours)],
        draw: [(plot) => drawNonfinite(plot, this.#found.columns, this.#colours)],
        setCursor: [(plot) => point(bucket(plot.cursor.idx))],
        setSelect: [(plot) => selected(plot, time, zoom)],
        ready: [(plot) => passTouches(plot.over)],
      },
    }
  }

  #lineStyles() {
    const { line, faint } = this.#colours
    const raw = this.smoothed ? faint : line
    return [
      { stroke: raw, width: this.smoothed ? 1 : 1.5, spanGaps: true, points: { size: 4, fill: raw, stroke: raw } },
      { stroke: line, width: 1.8, spanGaps: true, show: this.smoothed, points: { show: false } },
    ]
  }

  #xAxis(time) {
    const wall = this.axis === "wall"
    return {
      ...axisStyle(this.#colours),
      size: wall ? 40 : 26,
      space: wall ? 74 : 60,
      incrs: time ? TIME_STEPS : undefined,
      values: (plot, ticks, index, space, step) => positionTicks(ticks, this.axis, step),
    }
  }

  #yAxis() {
    return {
      ...axisStyle(this.#colours),
      space: 34,
      size: (plot, labels) => 14 + Math.max(0, ...(labels ?? []).map((label) => label?.length ?? 0)) * 6.6,
      values: (plot, ticks, index, space, step) => valueTicks(ticks, step),
    }
  }
}

function isMovement(type) {
  return type === "mousemove" || type === "mouseleave"
}

/** Return uPlot's data, and which bucket each of its points is. Nulls, since uPlot loses a line that begins with NaN. */
function lines({ x_lo, x_hi, first, last, mean, count, smooth }, log) {
  const shown = (value) => (Number.isFinite(value) && (!log || value > 0) ? value : null)
  const x = Array.from(x_lo, (lo, i) => (lo + x_hi[i]) / 2)
  const raw = Array.from(mean, shown)
  const smoothed = smooth ? Array.from(smooth, shown) : raw.map(() => null)
  const end = count.length - 1
  // A bucket of many points is drawn at its middle; the line itself begins and ends where the points do.
  const ahead = end >= 0 && count[0] > 1 ? 1 : 0
  if (ahead) {
    x.unshift(x_lo[0])
    raw.unshift(shown(first[0]))
    smoothed.unshift(smoothed[0])
  }
  if (end >= 0 && count[end] > 1) {
    x.push(x_hi[end])
    raw.push(shown(last[end]))
    smoothed.push(smoothed.at(-1))
  }
  return { data: [x, raw, smoothed], bucket: (i) => Math.min(Math.max(i - ahead, 0), end) }
}

function xRange({ lo, hi }) {
  return hi > lo ? [lo, hi] : [lo - 0.5, hi + 0.5]
}

/** Return the range of the extremes in the window, with some air. */
function yRange({ header, columns }, log) {
  let [low, high] = [Infinity, -Infinity]
  for (let i = 0; i < columns.low.length; i += 1) {
    if (columns.x_hi[i] < header.lo || columns.x_lo[i] > header.hi) continue
    if (columns.high[i] > high) high = columns.high[i]
    const least = log && columns.low[i] <= 0 ? columns.mean[i] : columns.low[i]
    if (least < low && (!log || least > 0)) low = least
  }
  if (low > high) return log ? [1, 10] : [0, 1]
  if (log) return low === high ? [low / 2, high * 2] : [low / (high / low) ** 0.05, high * (high / low) ** 0.05]
  const air = high > low ? high * 0.06 - low * 0.06 : Math.abs(high) * 0.1 || 1
  return [low - air, high + air]
}

function axisStyle({ label, grid }) {
  return { stroke: label, font: FONT, gap: 5, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
}

/** Fill from the lowest to the highest of each bucket, where one holds more than a point. */
function drawBand(plot, { x_lo, x_hi, low, high, count, smooth }, log, colours) {
  if (!count.some((n) => n > 1)) return
  const { ctx } = plot
  const upper = []
  const lower = []
  for (let i = 0; i < count.length; i += 1) {
    if (Number.isNaN(high[i]) || (log && high[i] <= 0)) continue
    const x = plot.valToPos((x_lo[i] + x_hi[i]) / 2, "x", true)
    upper.push([x, plot.valToPos(high[i], "y", true)])
    lower.push([x, log && low[i] <= 0 ? plot.bbox.top + plot.bbox.height : plot.valToPos(low[i], "y", true)])
  }
  ctx.save()
  clipToPlot(plot)
  ctx.beginPath()
  for (const [x, y] of [...upper, ...lower.reverse()]) ctx.lineTo(x, y)
  ctx.closePath()
  ctx.fillStyle = ctx.strokeStyle = smooth ? colours.bandFaint : colours.band
  ctx.lineWidth = devicePixelRatio
  ctx.lineJoin = "bevel"
  ctx.fill()
  ctx.stroke()
  ctx.restore()
}

/** Mark on the x axis where values were NaN or infinite. */
function drawNonfinite(plot, { x_lo, x_hi, nonfinite }, { danger }) {
  const { ctx, bbox } = plot
  const size = 4 * devicePixelRatio
  const floor = bbox.top + bbox.height
  ctx.save()
  clipToPlot(plot)
  ctx.fillStyle = danger
  for (let i = 0; i < nonfinite.length; i += 1) {
    if (!nonfinite[i]) continue
    const x = plot.valToPos((x_lo[i] + x_hi[i]) / 2, "x", true)
    ctx.beginPath()
    ctx.moveTo(x - size, floor)
    ctx.lineTo(x, floor - size * 1.6)
    ctx.lineTo(x + size, floor)
    ctx.fill()
  }
  ctx.restore()
}

function clipToPlot({ ctx, bbox }) {
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
}

function selected(plot, time, zoom) {
  const { left, width } = plot.select
  if (width < LEAST_DRAG) return
  const [lo, hi] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  // Digits beyond a pixel's worth would only make the URL long.
  const grain = time ? 10 ** Math.max(Math.floor(Math.log10(hi - lo)) - 3, -6) : 1
  const rounded = [Math.floor(lo / grain), Math.ceil(hi / grain)].map((n) => Number((n * grain).toFixed(6)))
  zoom(...rounded)
}

/** Let one finger do what the mouse does; up and down it scrolls the page (touch-action in the style sheet). */
function passTouches(over) {
  const names = { pointerdown: "mousedown", pointermove: "mousemove", pointerup: "mouseup", pointercancel: "mouseup" }
  for (const [name, mouse] of Object.entries(names)) {
    over.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") return
      const { clientX, clientY } = event
      const target = mouse === "mouseup" ? document : over
      // uPlot passes over moves of 0, which is what an event that a script makes is by default.
      target.dispatchEvent(new MouseEvent(mouse, { clientX, clientY, movementX: 1, buttons: 1, bubbles: true }))
    })
  }
}

/** Return the colours of the page as they are now. */
function palette(element) {
  const style = getComputedStyle(element)
  const colour = (name) => style.getPropertyValue(name).trim()
  return {
    line: colour("--line"),
    faint: colour("--line-faint"),
    band: colour("--band"),
    bandFaint: colour("--band-faint"),
    grid: colour("--grid"),
    label: colour("--muted"),
    danger: colour("--danger"),
  }
}
