// What is painted on a chart beside its lines: bands, and marks for what is not finite or out of range.

const MARK = 4 // pixels, half the width
const MANY = 16

/** Fill from the lowest to the highest of each bucket, where one holds more than a point. */
export function drawBands(plot, { header, columns, log, looks }) {
  const { x_lo, x_hi, low, high } = columns
  const { ctx, bbox } = plot
  const places = x_lo.length
  const floor = bbox.top + bbox.height
  const x = Array.from(x_lo, (lo, i) => plot.valToPos((lo + x_hi[i]) / 2, "x", true))
  const y = (value) => (log && value <= 0 ? floor : plot.valToPos(value, "y", true))
  painted(plot, () => {
    ctx.lineWidth = devicePixelRatio
    ctx.lineJoin = "bevel"
    for (let curve = 0; curve < header.curves.length; curve += 1) {
      const upper = []
      const lower = []
      let wide = false
      for (let i = 0; i < places; i += 1) {
        const at = curve * places + i
        if (Number.isNaN(high[at]) || (log && high[at] <= 0)) continue
        wide ||= low[at] < high[at]
        upper.push(x[i], y(high[at]))
        lower.push(x[i], y(low[at]))
      }
      if (!wide) continue
      ctx.beginPath()
      for (let i = 0; i < upper.length; i += 2) ctx.lineTo(upper[i], upper[i + 1])
      for (let i = lower.length - 2; i >= 0; i -= 2) ctx.lineTo(lower[i], lower[i + 1])
      ctx.closePath()
      ctx.fillStyle = ctx.strokeStyle = columns.smooth ? looks[curve].bandFaint : looks[curve].band
      ctx.fill()
      // The edge of a band shows a spike that is narrower than a pixel; of very many it takes longer than all the rest.
      if (header.curves.length <= MANY) ctx.stroke()
    }
  })
}

/** Mark on the x axis where values were NaN or infinite. */
export function drawNonfinite(plot, { columns: { x_lo, x_hi, nonfinite }, colours }) {
  const places = x_lo.length
  const seen = new Set()
  painted(plot, () => {
    plot.ctx.fillStyle = colours.danger
    for (let i = 0; i < nonfinite.length; i += 1) {
      if (!nonfinite[i] || seen.has(i % places)) continue
      seen.add(i % places)
      mark(plot, plot.valToPos((x_lo[i % places] + x_hi[i % places]) / 2, "x", true), "on")
    }
  })
}

/** Mark at the upper and the lower edge where a curve goes on beyond it. */
export function drawLeaving(plot, { columns: { x_lo, x_hi, low, high }, looks }) {
  const { min, max } = plot.scales.y
  const places = x_lo.length
  let [last, edge] = [-Infinity, true]
  painted(plot, () => {
    for (let i = 0; i < high.length; i += 1) {
      const above = high[i] > max
      if (!above && !(low[i] < min)) continue
      const x = plot.valToPos((x_lo[i % places] + x_hi[i % places]) / 2, "x", true)
      if (above === edge && Math.abs(x - last) < MARK * devicePixelRatio) continue
      ;[last, edge] = [x, above]
      plot.ctx.fillStyle = looks[Math.floor(i / places)].line
      mark(plot, x, above ? "above" : "below")
    }
  })
}

/** Draw a triangle that stands on the lower edge, or one that points out of the plot. */
function mark({ ctx, bbox }, x, edge) {
  const size = MARK * devicePixelRatio
  const [top, floor, tall] = [bbox.top, bbox.top + bbox.height, size * 1.6]
  const [base, tip] = { on: [floor, floor - tall], above: [top + tall, top], below: [floor - tall, floor] }[edge]
  ctx.beginPath()
  ctx.moveTo(x - size, base)
  ctx.lineTo(x, tip)
  ctx.lineTo(x + size, base)
  ctx.fill()
}

/** Paint within the frame of the plot. */
function painted({ ctx, bbox }, paint) {
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  paint()
  ctx.restore()
}

/** Return how each curve is drawn on the page as it is now: alone in the page's colour, else in its own. */
export function shades(curves, element) {
  const { line, faint, band, bandFaint } = palette(element)
  if (curves.length === 1) return [{ line, faint, band, bandFaint, dash: [] }]
  const bands = curves.length > MANY ? "40" : curves.length > 8 ? "1f" : "38"
  return curves.map(({ light, dark, dash, attempt }) => {
    const own = isDark() ? dark : light
    // An earlier attempt is there to compare with, and stays behind.
    return { line: attempt ? `${own}99` : own, faint: `${own}70`, band: own + bands, bandFaint: `${own}14`, dash: attempt ? [2, 4] : dash }
  })
}

/** Return the colours of the page as they are now. */
export function palette(element) {
  const style = getComputedStyle(element)
  const names = { line: "line", faint: "line-faint", band: "band", bandFaint: "band-faint", grid: "grid", label: "muted", danger: "danger" }
  return Object.fromEntries(Object.entries(names).map(([name, property]) => [name, style.getPropertyValue(`--${property}`).trim()]))
}

function isDark() {
  const { theme } = document.documentElement.dataset
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
}
